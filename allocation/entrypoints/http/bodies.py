"""Reads the bodies of commands and of bulk requests, and refuses a body that may have been cut.

A part of a body can be valid. The web server reports a cut stream as a normal end. So only a Content-Length, or the end
line of a bulk, shows that a body is complete.
"""

from collections.abc import Iterator
from typing import IO

from flask import abort, request

from allocation.adapters.schemas.commands import Envelope, parse
from allocation.adapters.schemas.errors import InvalidInput

LARGEST_BODY = 1_000_000
LARGEST_BULK = 100_000_000
LONGEST_LINE = 1_000_000
READ_AT_ONCE = 65_536
END = "end"
LONGEST_END = 1_000
NO_END = 'A body without a Content-Length must end with the line {"type": "end"}. No command was executed'
TOO_LARGE = f"The body has more than {LARGEST_BULK} bytes. No command was executed. Send the body in parts"


def read_body() -> bytes:
    """Return the body of the request. Abort with 415 if the media type is not JSON, and with 413 if it is too large.

    Abort with 411 if it has no Content-Length, and with 400 if it is shorter than that.
    """
    if request.mimetype != "application/json":
        abort(415, f"The body must be application/json, not {request.mimetype or 'untyped'}")
    if request.content_length is None:
        abort(411, "A command needs a Content-Length. No command was executed")
    # If the app set max_content_length, it could not read the rest of a large body. Then the server would close the
    # connection, and the client would not receive the 413.
    body = request.stream.read(LARGEST_BODY + 1)
    if len(body) > LARGEST_BODY:
        abort(413)
    require_whole(len(body), request.content_length)
    return body


def require_whole(size: int, length: int) -> None:
    if size < length:
        abort(400, f"The body ended after {size} of {length} bytes. No command was executed")


def copy_body(stream: IO[bytes], body: IO[bytes], length: int | None) -> None:
    """Copy the request's body without its end line, and rewind the copy. `length` is the Content-Length, or None.

    Abort with 413 if the body is too large. Abort with 400 if it is shorter than `length`, or if it has neither a
    length nor an end line. If the client disconnects, the stream ends early without an error.
    """
    size = 0
    while data := stream.read(READ_AT_ONCE):
        size += len(data)
        if size > LARGEST_BULK:
            abort(413, TOO_LARGE)
        body.write(data)
    ended = remove_end(body, size)
    if length is not None:
        require_whole(size, length)
    elif not ended:
        abort(400, NO_END)
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
    """Yield each line that is not blank, without its newline. Truncate a very long line.

    A truncated line is still longer than LONGEST_LINE bytes, so `parse_line` refuses it.
    """
    while line := body.readline(LONGEST_LINE + 2):
        rest, is_blank = line, not line.strip()
        while not rest.endswith(b"\n") and (rest := body.readline(READ_AT_ONCE)):
            is_blank = is_blank and not rest.strip()
        if not is_blank:
            yield line.removesuffix(b"\n")
