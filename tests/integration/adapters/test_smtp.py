"""The content of mails, as a real SMTP server receives them."""

import pytest

from allocation.adapters.smtp import LogLines
from allocation.service_layer.out_of_stock import MOST_IDS, MOST_LISTED, notice
from readmodel.logs import TextFormatter
from tests.support.adapters.mailserver import MailServer
from tests.support.adapters.out_of_stock import RECIPIENT, SENDER, mail_to, out_of_stock


def test_mail_lists_the_lines_that_are_out_of_stock(server: MailServer) -> None:
    mail_to(server.url).send(notice("RED-CHAIR", [out_of_stock("RED-CHAIR", "order-1", 17)]))
    [received] = server.mails
    assert received["Subject"] == "Out of stock for RED-CHAIR"
    assert (received["From"], received["To"], server.recipients) == (SENDER, RECIPIENT, [RECIPIENT])
    text = received.get_content()
    assert "order 'order-1': 17 units" in text
    assert "3 lines, 12 units" in text
    assert received["Date"]
    assert received["Message-ID"]


def test_mail_in_ascii_needs_no_decoding(server: MailServer) -> None:
    """An operator can read it in a raw mailbox."""
    mail_to(server.url).send(notice("RED-CHAIR", [out_of_stock("RED-CHAIR", "order-1", 17)]))
    [received] = server.mails
    assert received["Content-Transfer-Encoding"] == "7bit"
    assert "order 'order-1': 17 units" in str(received.get_payload())


@pytest.mark.parametrize(
    ("sku", "shown"),
    [
        pytest.param("椅子 🪑", "椅子 🪑", id="non-ascii"),
        pytest.param("كرسي", "كرسي", id="right-to-left"),
        pytest.param('Stuhl, rot; "groß" <x@y>', 'Stuhl, rot; "groß" <x@y>', id="punctuation"),
        pytest.param("🪑" * 255, "🪑" * 255, id="long-non-ascii"),
        pytest.param("x" * 255, "x" * 255, id="long-ascii"),
        pytest.param("a  b", "a  b", id="two-spaces"),
        pytest.param("a\r\nBcc: thief@example.com", r"a\r\nBcc: thief@example.com", id="injected-header"),
        pytest.param("a\n\nbody", r"a\n\nbody", id="injected-body"),
        pytest.param("a\r", r"a\r", id="carriage-return"),
        pytest.param(
            "=?utf-8?q?=0D=0ABcc=3A_thief=40example.com?=",
            "=?utf-8?q?=0D=0ABcc=3A_thief=40example.com?=",
            id="encoded-word",
        ),
        pytest.param("\u2028" * 255, r"\u2028" * 255, id="long-control-characters"),
        pytest.param("\u202egnp.exe", r"\u202egnp.exe", id="direction-mark"),
        pytest.param("a\u2028b\x85c\x1b[31m", r"a\u2028b\x85c\x1b[31m", id="control-characters"),
    ],
)
def test_mail_shows_any_sku_and_no_sku_becomes_a_header(server: MailServer, sku: str, shown: str) -> None:
    """Clients choose the SKU. A line break in it must not add a header or a recipient."""
    mail_to(server.url).send(notice(sku, [out_of_stock(sku, orderid=sku)]))
    [received] = server.mails
    assert received["Subject"] == f"Out of stock for {shown}"
    assert set(received.keys()) == {
        "Content-Type", "MIME-Version", "Content-Transfer-Encoding",
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted",
    }  # fmt: skip
    assert server.recipients == [RECIPIENT]
    assert f"No batch of {sku!r} has room for:" in received.get_content().splitlines()


def test_repeated_notice_keeps_its_message_id(server: MailServer) -> None:
    """Mail programs recognise a second copy by its Message-ID."""
    for version in (7, 7, 8):
        mail_to(server.url).send(notice("S", [out_of_stock("S", version=version)]))
    first, again, another = (received["Message-ID"] for received in server.mails)
    assert first == again != another


def test_mail_lists_only_the_first_of_many_lines(server: MailServer) -> None:
    mail_to(server.url).send(notice("S", [out_of_stock("S", f"o{n}") for n in range(MOST_LISTED + 7)]))
    text = server.mails[0].get_content()
    assert f"'o{MOST_LISTED - 1}'" in text
    assert f"'o{MOST_LISTED}'" not in text
    assert "and 7 more" in text


def test_mail_names_the_requests_that_caused_it(server: MailServer) -> None:
    """Each id arrives unchanged. A mail about many requests names the first of them."""
    events = [out_of_stock("S", f"o{n}") for n in range(MOST_IDS + 3)]
    ids = ["a,;b" * 32, *(f"id-{n}" for n in range(MOST_IDS + 1))]
    events = [events[0], *(event | {"correlation_id": one} for event, one in zip(events[1:], ids, strict=True))]
    mail_to(server.url).send(notice("S", [*events, events[-1]]))
    mail_to(server.url).send(notice("S", events[:1]))
    first, without = server.mails
    assert [value.strip() for value in first.get_all("X-Correlation-Id", [])] == ids[:MOST_IDS]
    assert "X-Correlation-Id" not in without


def test_log_shows_a_notice_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Without a mail server, the service logs its notices. A line break in a SKU must not forge a log line."""
    LogLines().send(notice("S\n2026 ERROR fake", [out_of_stock("S", "o1")]))
    [record] = caplog.records
    logged = TextFormatter("relay").format(record)
    assert r"Out of stock for S\n2026 ERROR fake" in logged
    assert "order 'o1': 5 units" in logged
    assert "\n" not in logged
