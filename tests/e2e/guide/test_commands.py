"""Every command in docs/operate.md works in its situation."""

from pathlib import Path

import pytest

from tests.support.documents.shell import blocks_of
from tests.support.documents.tables import read, section, sections_of
from tests.support.guide.restores import GUIDE
from tests.support.guide.situations import SITUATIONS
from tests.support.guide.stage import Stage


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
    with SITUATIONS[heading](stage) as walk:
        for number, block in enumerate(blocks_of(section(GUIDE, heading))):
            walk.before.get(number, lambda: None)()
            walk.shell.run(block, walk.code(number))
