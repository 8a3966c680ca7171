"""Text and JSON have the same fields. No identifier starts a line, controls a terminal or breaks the JSON."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from readmodel.logs import JSON, TEXT, formatter, visible

NASTY = ["\n", "\r", "\x1b[31m", "\u202e", "\x00", "\u2028", "\x9b", "\U000e0001", '"', "\\"]
Write = Callable[[Callable[[logging.Logger], None]], str]


@pytest.fixture(params=[TEXT, JSON])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def write(form: str) -> Iterator[Write]:
    """Yield a function that returns what a logger writes."""
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(formatter("relay", form))
    logger = logging.Logger("test")
    logger.addHandler(handler)

    def write(log: Callable[[logging.Logger], None]) -> str:
        output.seek(0)
        output.truncate()
        log(logger)
        return output.getvalue()

    yield write
    logger.removeHandler(handler)


def parsed(line: str) -> Any:
    return json.loads(line)


def fail(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize("nasty", NASTY)
def test_a_message_is_one_visible_line(nasty: str, form: str, write: Write) -> None:
    text = f"a{nasty}ERROR forged"
    written = write(lambda logger: logger.warning("order %s is bad", text, extra={"path": text}))
    assert written.removesuffix("\n").isprintable()
    assert written.endswith("\n")
    if form == JSON:
        assert parsed(written)["message"] == f"order {text} is bad"
        assert parsed(written)["path"] == text
    else:
        assert f"order {visible(text)} is bad [path={json.dumps(text)}]" in written


def test_both_forms_have_the_same_fields(form: str, write: Write) -> None:
    fields = {"correlation_id": "abc", "status": 202, "milliseconds": 1.5, "actor": None}
    written = write(lambda logger: logger.info("Answered a request", extra=fields))
    if form == JSON:
        members = parsed(written)
        assert list(members) == [
            *("time", "level", "process", "pid", "logger", "message"),
            *("correlation_id", "status", "milliseconds"),
        ]
        assert (members["level"], members["process"], members["logger"]) == ("INFO", "relay", "test")
        assert (members["correlation_id"], members["status"], members["milliseconds"]) == ("abc", 202, 1.5)
    else:
        time, level, process, logger, message = written.split(maxsplit=4)
        assert (level, process.partition("[")[0], logger) == ("INFO", "relay", "test:")
        assert message == "Answered a request [correlation_id=abc status=202 milliseconds=1.5]\n"
        assert time.endswith("Z")


@pytest.mark.parametrize("nasty", NASTY)
def test_an_error_is_one_record(nasty: str, form: str, write: Write) -> None:
    def log(logger: logging.Logger) -> None:
        try:
            fail(f"a{nasty}\nERROR forged")
        except ValueError:
            logger.exception("it failed")

    written = write(log)
    first, *rest = written.removesuffix("\n").split("\n")
    assert all(line.isprintable() for line in [first, *rest])
    if form == JSON:
        assert rest == []
        assert f"ValueError: a{nasty}\nERROR forged" in parsed(first)["exception"]
    else:
        assert first.endswith("it failed")
        assert all(line.startswith("  ") for line in rest)


def test_a_text_that_is_not_utf_8_is_logged_nevertheless(form: str, write: Write) -> None:
    written = write(lambda logger: logger.warning("bad: %s", "\udcff", extra={"path": "\udcff", "size": 2**70}))
    assert written.isascii()
    if form == JSON:
        assert parsed(written)["size"] == 2**70


def test_visible_keeps_what_people_can_read() -> None:
    assert visible("Stuhl 椅子 🪑 é") == "Stuhl 椅子 🪑 é"
