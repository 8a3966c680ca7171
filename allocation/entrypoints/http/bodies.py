"""The lines of a bulk, and the end line that shows that a bulk without a Content-Length is complete."""

from collections.abc import Iterator
from threading import Lock
from typing import IO

from allocation.adapters.schemas.commands import Envelope, parse
from allocation.adapters.schemas.errors import InvalidInput
from readmodel.web.answers import Problem

LARGEST_BODY = 100_000
LARGEST_ORDER = 400_000
"""Bytes of an `allocate_order`, which may have 1,000 lines. A larger body would delay the event loop."""
LARGEST_BULK = 100_000_000
LONGEST_LINE = 1_000_000
READ_AT_ONCE = 65_536
TOO_LONG = b"x" * (LONGEST_LINE + 1)
END = "end"
LONGEST_END = 1_000
NO_END = 'A body without a Content-Length must end with the line {"type": "end"}. No command was executed'
TOO_LARGE = "The body has more than {} bytes. No command was executed"
TOO_LARGE_BULK = f"{TOO_LARGE.format(LARGEST_BULK)}. Send the body in parts"
ONE_PARSES = Lock()
"""Held while a thread parses a large body, or a part of a bulk. Several threads would be no faster, and would delay the
event loop more."""


def require_end(body: IO[bytes], length: int | None) -> None:
    """Remove the end line, and rewind the body. Raise a Problem if the body has neither a `length` nor an end line."""
    size = body.seek(0, 2)
    ended = remove_end(body, size)
    if length is None and not ended:
        raise Problem(400, NO_END)
    body.seek(0)


def remove_end(body: IO[bytes], size: int) -> bool:
    """Remove the end line, and return True if there is one. If a body has no length, only this line shows a cut."""
    stop = end_of_text(body, size)
    start = max(0, stop - LONGEST_END)
    body.seek(start)
    before, newline, last = body.read(stop - start).rpartition(b"\n")
    if start > 0 and not newline:
        return False  # The last line is longer than an end line.
    try:
        ended = bool(parse(Envelope, last).type == END)
    except InvalidInput:
        ended = False
    if ended:
        body.truncate(start + len(before) + len(newline))
    return ended


def end_of_text(body: IO[bytes], size: int) -> int:
    """Return the position after the last byte that is not blank, or 0."""
    while size:
        start = max(0, size - READ_AT_ONCE)
        body.seek(start)
        if text := body.read(size - start).rstrip():
            return start + len(text)
        size = start
    return 0


def read_lines(body: IO[bytes]) -> Iterator[bytes]:
    """Yield each line that is not blank, without its newline.

    Replace a line above LONGEST_LINE by a placeholder of about that length, which `parse_line` refuses.
    """
    rest = b""
    while part := body.read(READ_AT_ONCE):
        text = rest + part
        if text.isspace():  # Otherwise a body of newlines alone would occupy a thread for minutes.
            rest = text.rpartition(b"\n")[2][: LONGEST_LINE + 1]
            continue
        *lines, rest = text.split(b"\n")
        yield from filter(bytes.strip, lines)
        if len(rest) > LONGEST_LINE:
            rest = rest[: LONGEST_LINE + 1] if rest.isspace() else TOO_LONG
    if rest.strip():
        yield rest
