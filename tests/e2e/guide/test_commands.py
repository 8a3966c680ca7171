"""Every command in docs/operate.md works in its situation."""

import re
from functools import partial
from pathlib import Path

import pytest

from tests.support.documents.shell import blocks_of
from tests.support.documents.tables import Section, anchor, read, section, sections_of
from tests.support.eventually import eventually
from tests.support.guide.restores import GUIDE
from tests.support.guide.situations import SITUATIONS
from tests.support.guide.stage import Stage, Walk
from tests.support.processes import run_to_end

FINDING = re.compile(r"^! .+$", re.MULTILINE)
"""A line of `allocation status` that a section shows."""


@pytest.fixture
def stage(
    environment: dict[str, str],
    database_url: str,
    redis_url: str,
    shared_environment: dict[str, str],
    shared_port: int,
    tmp_path: Path,
) -> Stage:
    shared_redis_url = redis_url.removesuffix("0") + "1"
    return Stage(environment, database_url, redis_url, shared_environment, shared_redis_url, tmp_path)


def test_every_section_with_commands_has_a_situation() -> None:
    assert [one.heading for one in sections_of(read(GUIDE)) if blocks_of(one)] == list(SITUATIONS)


@pytest.mark.slow
@pytest.mark.parametrize("heading", SITUATIONS)
def test_the_commands_of_a_section_work(heading: str, stage: Stage) -> None:
    found = section(GUIDE, heading)
    with SITUATIONS[heading](stage) as walk:
        if walk.trouble:
            eventually(partial(is_reported, walk, found))
        for number, block in enumerate(blocks_of(found)):
            walk.before.get(number, lambda: None)()
            walk.shell.run(block, walk.code(number))


def is_reported(walk: Walk, found: Section) -> bool:
    """Return whether `allocation status` reports one of the findings that the section shows, and links to it."""
    code, screen = run_to_end("status", walk.shell.variables)
    assert code == 1
    words = " ".join(screen.split())
    assert f"See {GUIDE}#{anchor(found.heading)}" in words, screen
    assert any(re.search(pattern_of(line), words) for line in FINDING.findall(found.text)), screen
    return True


def pattern_of(finding: str) -> str:
    """Return the pattern of a finding. Its numbers, its units and the name of its host may differ."""
    text = re.escape(finding).replace("…", ".*?").replace(re.escape("mail.example.com"), "127.0.0.1")
    return re.sub(r"\\ \d+\\ s\b", r" [\\d.]+ (s|min)", re.sub(r"\b\d{4}\b", r"\\d+", text))
