"""The rules of the Dockerfile."""

import re

from tests.support.paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_the_image_contains_only_files_that_it_copies_by_name() -> None:
    """Neither a .env nor a .git gets into the image, even if they lie in the folder."""
    excluded, *others = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in {"", "#"}
    ]
    assert excluded == "*"
    included = {line[1:] for line in others if line.startswith("!")}
    copied = {path for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for path in line.split()}
    assert included == copied


def test_every_base_image_has_a_version() -> None:
    for image in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE):
        assert re.search(r":v?\d", image), image


def test_the_image_runs_under_a_numeric_uid_without_a_shell() -> None:
    """A number shows an orchestrator that the user is not root. A shell would keep signals from the process."""
    instructions = dict(line.split(" ", 1) for line in DOCKERFILE.splitlines() if re.match("[A-Z]+ ", line))
    uid, _, gid = instructions["USER"].partition(":")
    assert int(uid) > 0
    assert int(gid) > 0
    assert (instructions["ENTRYPOINT"], instructions["CMD"]) == ('["allocation"]', '["serve"]')
    assert "PYTHONUNBUFFERED=1" in DOCKERFILE
