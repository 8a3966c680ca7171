"""A load generator of our own: where there is no wrk, and where requests are to come at a fixed rate.

A process of its own, so that it does not share the interpreter with who measures: `python -m benchmarks.client <job>`.
"""

import asyncio
import random
import re
import subprocess
import sys
import time
import uuid
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from itertools import count

import orjson

from benchmarks.numbers import percentile
from benchmarks.traffic import Figures, Traffic

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
PAUSE = 0.01


def send(port: int, traffic: Traffic, clients: int, seconds: float, rate: float | None = None) -> Figures:
    """With a `rate`, requests a second come on a schedule, however long the answers take; else as wrk's do."""
    job = orjson.dumps(
        {"port": port, "traffic": asdict(traffic), "clients": clients, "seconds": seconds, "rate": rate}
    ).decode()
    program = [sys.executable, "-m", "benchmarks.client", job]
    output = subprocess.run(program, check=True, stdout=subprocess.PIPE, timeout=seconds + 60).stdout
    return Figures(*orjson.loads(output))


class Client:
    def __init__(self, port: int, traffic: Traffic, clients: int, seconds: float, rate: float | None) -> None:
        self._port = port
        self._traffic = traffic
        self._clients = clients
        self._seconds = seconds
        self._rate = rate
        self._ids = map(f"{uuid.uuid4().hex[:12]}-{{}}".format, count())
        self._times: list[float] = []
        self._wrong = 0

    async def run(self) -> Figures:
        start = time.perf_counter()
        times = schedule(start, self._seconds, self._rate)
        await asyncio.gather(*(self._connection(times) for _ in range(self._clients)))
        elapsed = time.perf_counter() - start
        milliseconds = [1e3 * taken for taken in self._times]
        p50, p99 = (percentile(milliseconds, part) if milliseconds else float("inf") for part in (50, 99))
        return Figures(len(milliseconds) / elapsed, p50, p99, self._wrong)

    async def _connection(self, times: Iterator[float]) -> None:
        """Sends until the times, which all connections take from, have come to their end."""
        reader: StreamReader | None = None
        for due in times:
            began = await at(due)
            try:
                if reader is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(self._request())
                self._count(await status(reader), time.perf_counter() - began)
            except (OSError, IncompleteReadError):
                self._wrong += 1
                reader = None
                await asyncio.sleep(PAUSE)
        if reader is not None:
            await closed(writer)

    def _count(self, status: int, taken: float) -> None:
        if status == self._traffic.success:
            self._times.append(taken)
        else:
            self._wrong += 1

    def _request(self) -> bytes:
        path, body = self._filled(self._traffic.path), self._filled(self._traffic.body).encode()
        head = f"{self._traffic.method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def _filled(self, text: str) -> str:
        if "<id>" in text:
            text = text.replace("<id>", next(self._ids))
        return text.replace("<random>", str(random.randrange(self._traffic.many)))


def schedule(start: float, seconds: float, rate: float | None) -> Iterator[float]:
    """When to send each request: right now, without a rate."""
    for number in count():
        due = time.perf_counter() if rate is None else start + number / rate
        if due >= start + seconds:
            break
        yield due


async def at(due: float) -> float:
    """When the request counts as begun: when it was due, where it is late because all clients still wait for answers.

    That the timer rings up to a millisecond late is not the server's fault.
    """
    early = due - time.perf_counter()
    if early <= 0:
        return due
    await asyncio.sleep(early)
    return time.perf_counter()


async def status(reader: StreamReader) -> int:
    """Of one answer, which is read to its end. An answer without a length is read as one without a body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    await reader.readexactly(int(length[1]) if length else 0)
    return int(head.split(b" ", 2)[1])


async def closed(writer: StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def main(job: str) -> None:
    told = orjson.loads(job)
    figures = asyncio.run(Client(**told | {"traffic": Traffic(**told["traffic"])}).run())
    sys.stdout.buffer.write(orjson.dumps(list(figures)))


if __name__ == "__main__":
    main(sys.argv[1])
