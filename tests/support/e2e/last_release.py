"""The last release of the service, built from its tag, so that its processes can run beside those of this code."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.processes import only, running_program
from tests.support.services import ready

TAG = "0.2.0"
MAIN = [sys.executable, "-m", "allocation.entrypoints.cli"]


def commit_of_release() -> str | None:
    """Return the tagged commit, or None if this folder has no history. A clone may lack the tag, but not the commit."""
    for command in (("rev-parse", f"{TAG}^{{commit}}"), ("log", "-1", "--format=%H", f"--grep=^Release {TAG}$")):
        found = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True)
        if found.returncode == 0 and found.stdout.strip():
            return found.stdout.strip()
    return None


def build(commit: str, folder: Path) -> Path:
    """Build the wheel of a commit and install it into a folder of its own. Return that folder."""
    source, wheels, target = folder / "source", folder / "wheels", folder / "release"
    source.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x"], cwd=source, input=archive, check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "wheel", *options, "--wheel-dir", str(wheels), str(source)], check=True, capture_output=True)
    [wheel] = wheels.glob(f"allocation-{TAG}-*.whl")
    install = [*pip, "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    return target


class Release:
    """Runs processes of the release that is installed in this folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def running(self, arguments: str, environment: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
        variables = {**environment, "PYTHONPATH": str(self._folder)}
        with running_program([*MAIN, *arguments.split()], variables, cwd=self._folder) as process:
            yield process

    @contextmanager
    def web(self, environment: Mapping[str, str], command: str = "serve") -> Iterator[int]:
        """Run a web process of the release, wait until it is ready, and yield its port."""
        with ready(dict(environment), 1, lambda variables: self.running(command, variables)) as port:
            yield port

    def output_of(self, *arguments: str, environment: Mapping[str, str]) -> str:
        """Run `python` with these arguments on the code of the release. Return its output."""
        variables = only(environment) | {"PYTHONPATH": str(self._folder)}
        process = [sys.executable, *arguments]
        return subprocess.run(
            process, cwd=self._folder, env=variables, check=True, capture_output=True, text=True
        ).stdout
