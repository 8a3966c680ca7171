"""Identifiers can hold any character. In a log line, none of them starts a line or controls a terminal."""

import io
import logging

import pytest

from readmodel.logs import VisibleFormatter, visible

NASTY = ["\n", "\r", "\x1b[31m", "\u202e", "\x00", "\u2028", "\x9b"]


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(output: io.StringIO) -> logging.Logger:
    handler = logging.StreamHandler(output)
    handler.setFormatter(VisibleFormatter("%(levelname)s %(message)s"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    return logger


@pytest.mark.parametrize("nasty", NASTY)
def test_a_message_is_one_visible_line(nasty: str, logger: logging.Logger, output: io.StringIO) -> None:
    logger.warning("order %s is bad", f"a{nasty}ERROR forged")
    written = output.getvalue()
    assert nasty not in written.removesuffix("\n")
    assert len(written.splitlines()) == 1
    assert written.startswith("WARNING order a\\")


@pytest.mark.parametrize("nasty", NASTY)
def test_a_traceback_has_no_line_that_looks_like_a_record(
    nasty: str, logger: logging.Logger, output: io.StringIO
) -> None:
    try:
        raise ValueError(f"a{nasty}\nERROR forged")
    except ValueError:
        logger.exception("it failed")
    first, *rest = output.getvalue().split("\n")[:-1]
    assert first == "ERROR it failed"
    assert all(line.startswith("  ") and line.isprintable() for line in rest)


def test_visible_keeps_what_people_can_read() -> None:
    assert visible("Stuhl 椅子 🪑 é") == "Stuhl 椅子 🪑 é"
