"""Reads the bodies of requests. It refuses a body that may have been cut, and ends a body that arrives too slowly.

A part of a body can be valid. So only a Content-Length, or an end line in a bulk, shows that a body is complete.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from tempfile import SpooledTemporaryFile
from typing import IO

from readmodel.web.answers import RETRY_LATER, Problem
from readmodel.web.edge.request import ClientGone, Request

logger = logging.getLogger(__name__)

WITHIN = 10.0
SLOWEST, SLOWEST_BULK = 10_000, 100_000
"""A body must arrive within so many seconds, or faster than so many bytes per second."""
DRAIN_WITHIN = 5.0
KEPT_IN_MEMORY = 1_000_000
CLOSE = (("connection", "close"),)
NO_LENGTH = "A command needs a Content-Length. No command was executed"
TOO_SLOW = "The body arrived too slowly. No command was executed"


def require_media_type(request: Request, *media_types: str) -> None:
    if request.media_type not in media_types:
        raise Problem(415, f"The body must be {media_types[0]}, not {request.media_type or 'untyped'}")


def require_length(request: Request, largest: int, too_large: str) -> int:
    """Return the Content-Length. Raise a Problem if it is missing or above `largest`."""
    length = request.content_length
    if length is None:
        raise Problem(411, NO_LENGTH)
    if length > largest:
        raise Problem(413, too_large)
    return length


async def read_body(request: Request, length: int) -> bytes:
    """Return a body of this length. Raise a Problem if it is cut or slow."""
    try:
        async with asyncio.timeout(WITHIN + length / SLOWEST):
            return await request.read()
    except TimeoutError:
        raise too_slow() from None
    except ClientGone:
        raise cut(length) from None


async def spool_body(request: Request, largest: int, too_large: str) -> IO[bytes]:
    """Copy the body into a temporary file, and rewind it. Raise a Problem if the body is too large, cut or slow.

    Without a Content-Length, the body may have been cut: the connection reports that as a normal end.
    """
    length = request.content_length
    if length is not None and length > largest:
        raise Problem(413, too_large)
    body: IO[bytes] = SpooledTemporaryFile(max_size=KEPT_IN_MEMORY)  # noqa: SIM115  # The caller closes it.
    try:
        size = await copy_body(request.parts, body, largest, too_large)
        if length is not None and size < length:
            raise cut(length)
        body.seek(0)
    except OSError as error:
        body.close()
        logger.error("The server can't store a body: %s", error)
        raise Problem(503, "The server can't store the body. No command was executed", RETRY_LATER) from None
    except BaseException:
        body.close()
        raise
    return body


async def copy_body(parts: AsyncIterator[bytes], body: IO[bytes], largest: int, too_large: str) -> int:
    size = 0
    started = asyncio.get_running_loop().time()
    try:
        while True:
            async with asyncio.timeout_at(started + WITHIN + size / SLOWEST_BULK):
                part = await anext(parts)
            size += len(part)
            if size > largest:
                raise Problem(413, too_large)
            body.write(part)
    except StopAsyncIteration:
        return size
    except TimeoutError:
        raise too_slow() from None


def cut(length: int) -> Problem:
    return Problem(400, f"The body is shorter than its Content-Length of {length} bytes. No command was executed")


def too_slow() -> Problem:
    return Problem(408, TOO_SLOW, CLOSE)


async def drain(request: Request) -> None:
    """Read the rest of the body after the response, so that the client receives it and can reuse the connection.

    Stop after DRAIN_WITHIN seconds. The web server then closes the connection.
    """
    try:
        async with asyncio.timeout(DRAIN_WITHIN):
            while True:
                await anext(request.parts)
    except (StopAsyncIteration, TimeoutError, RuntimeError):  # RuntimeError: the body was read, or the client has gone.
        return
