"""The links of findings lead to headings of the operations guide."""

import re

import pytest

from allocation.entrypoints.status.runbooks import GUIDE, Runbook
from tests.support.paths import ROOT


def anchors() -> set[str]:
    """Return the anchors that GitHub gives the headings of the guide."""
    headings = re.findall(r"^#+ (.*)$", (ROOT / GUIDE).read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("runbook", Runbook)
def test_a_runbook_is_a_heading_of_the_guide(runbook: Runbook) -> None:
    assert runbook.value in anchors()
