"""`allocation completion`: the script completes words in a real shell."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from allocation.entrypoints.cli.main import main
from tests.support.paths import ROOT
from tests.support.processes import only

COMPLETE = """
eval "$(allocation completion bash)"
COMP_WORDS=({words}) COMP_CWORD={number}
_allocation_completion "${{COMP_WORDS[@]}}" >/dev/null
printf '%s\\n' "${{COMPREPLY[@]}}"
complete -p allocation
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("allocation re", {"rebuild", "relay", "repair"}),
        ("allocation verify --s", {"--sku", "--sample"}),
        ("allocation check c", {"commands", "consumer"}),
    ],
)
def test_bash_completes_commands_options_and_values(words: str, expected: set[str], tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    console_script = tmp_path / "allocation"
    console_script.write_text(f"#!{sys.executable}\nfrom allocation.entrypoints.cli.main import main\nmain()\n")
    console_script.chmod(0o755)
    environment = only({"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)})
    script = COMPLETE.format(words=words, number=len(words.split()) - 1)
    done = subprocess.run([bash, "--norc", "-c", script], env=environment, text=True, capture_output=True)
    *found, registered = done.stdout.splitlines()
    assert (set(found), done.stderr) == (expected, "")
    assert registered.endswith(" -F _allocation_completion allocation")


@pytest.mark.parametrize(("shell", "beginning"), [("zsh", "#compdef allocation\n"), ("fish", "function _allocation")])
def test_other_shells_get_a_script_of_their_own(shell: str, beginning: str) -> None:
    printed = CliRunner().invoke(main, ["completion", shell])
    assert printed.exit_code == 0
    assert printed.output.startswith(beginning)
    assert f"_ALLOCATION_COMPLETE={shell}_complete" in printed.output
