"""A load generator in Python. It replaces a missing wrk, and it can send requests at a fixed rate.

Its process, `python -m benchmarks.load_generator.client <job>`, shares no interpreter with the process that measures.
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

from benchmarks.load_generator.traffic import Figures, Traffic
from benchmarks.report.numbers import percentile

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
PAUSE = 0.01


def send(port: int, traffic: Traffic, clients: int, seconds: float, rate: float | None = None) -> Figures:
    """Send requests from a new process.

    With a `rate`, send that many requests a second, however long the answers take. Without it, each client sends its
    next request when it has the answer to its last one.
    """
    job = orjson.dumps(
        {"port": port, "traffic": asdict(traffic), "clients": clients, "seconds": seconds, "rate": rate}
    ).decode()
    program = [sys.executable, "-m", "benchmarks.load_generator.client", job]
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
        self._seconds_taken: list[float] = []
        self._wrong = 0

    async def run(self) -> Figures:
        start = time.perf_counter()
        times = schedule(start, self._seconds, self._rate)
        await asyncio.gather(*(self._use_connection(times) for _ in range(self._clients)))
        elapsed = time.perf_counter() - start
        milliseconds = [1e3 * seconds for seconds in self._seconds_taken]
        p50, p99 = (percentile(milliseconds, part) if milliseconds else float("inf") for part in (50, 99))
        return Figures(len(milliseconds) / elapsed, p50, p99, self._wrong, len(milliseconds))

    async def _use_connection(self, times: Iterator[float]) -> None:
        """Send a request at each of the times, which all connections share."""
        reader: StreamReader | None = None
        for due in times:
            began = await wait_until_due(due)
            try:
                if reader is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(self._request())
                self._count(await read_status(reader), time.perf_counter() - began)
            except (OSError, IncompleteReadError):
                self._wrong += 1
                reader = None
                await asyncio.sleep(PAUSE)
        if reader is not None:
            await close(writer)

    def _count(self, status: int, seconds: float) -> None:
        if status == self._traffic.success:
            self._seconds_taken.append(seconds)
        else:
            self._wrong += 1

    def _request(self) -> bytes:
        path, body = self._fill_in(self._traffic.path), self._fill_in(self._traffic.body).encode()
        head = f"{self._traffic.method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def _fill_in(self, text: str) -> str:
        if "<id>" in text:
            text = text.replace("<id>", next(self._ids))
        return text.replace("<random>", str(random.randrange(self._traffic.many)))


def schedule(start: float, seconds: float, rate: float | None) -> Iterator[float]:
    """Yield the time at which each request is due. Without a rate, each request is due immediately."""
    for number in count():
        due = time.perf_counter() if rate is None else start + number / rate
        if due >= start + seconds:
            break
        yield due


async def wait_until_due(due: float) -> float:
    """Return the time from which the request's duration counts.

    If all clients are still waiting for answers, a request is late. Then it counts from the time when it was due. But a
    timer that fires up to a millisecond late does not count against the server.
    """
    early = due - time.perf_counter()
    if early <= 0:
        return due
    await asyncio.sleep(early)
    return time.perf_counter()


async def read_status(reader: StreamReader) -> int:
    """Read a whole answer and return its status. An answer without a Content-Length has no body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    await reader.readexactly(int(length[1]) if length else 0)
    return int(head.split(b" ", 2)[1])


async def close(writer: StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def main(argument: str) -> None:
    job = orjson.loads(argument)
    figures = asyncio.run(Client(**job | {"traffic": Traffic(**job["traffic"])}).run())
    sys.stdout.buffer.write(orjson.dumps(list(figures)))


if __name__ == "__main__":
    main(sys.argv[1])
