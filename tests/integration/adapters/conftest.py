from collections.abc import Iterator

import pytest

from tests.support.adapters.mailserver import MailServer, mail_server


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server that keeps the mails that it accepts."""
    with mail_server() as server:
        yield server
