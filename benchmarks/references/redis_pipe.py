"""`psql -c "COPY …" | redis-cli --pipe`, into a database of the same Redis that is empty before."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

from redis import Redis

from allocation.local.postgres import find_binaries
from benchmarks.stack import Stack

END = b"the-end\r\n"
BESIDE = 1
"""The second database of the Redis that has the read model."""

# Neither the delimiter nor the quote is in any text: so nothing is escaped or quoted.
COPY = "COPY ({query}) TO STDOUT (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"


def sender() -> str:
    return "redis-cli --pipe" if shutil.which("redis-cli") else "a Python program, since redis-cli is missing"


def piped(stack: Stack, query: str) -> float:
    """Seconds from the start of both programs to the last reply. Raises where a command was refused."""
    address = urlsplit(stack.environment["REDIS_URL"])
    redis = Redis(host=str(address.hostname), port=address.port or 6379, password=address.password, db=BESIDE)
    redis.flushdb()
    if shutil.which("redis-cli"):
        send = ["redis-cli", "-h", str(address.hostname), "-p", str(address.port), "-n", str(BESIDE), "--pipe"]
    else:
        send = [sys.executable, "-m", "benchmarks.pipe", str(address.hostname), str(address.port), str(BESIDE)]
    read = [str(find_binaries() / "psql"), stack.environment["DATABASE_URL"], "-qc", COPY.format(query=query)]
    started = time.perf_counter()
    environment = os.environ | {"REDISCLI_AUTH": address.password or "", "PGOPTIONS": "-c statement_timeout=0"}
    with subprocess.Popen(read, stdout=subprocess.PIPE, env=environment) as reader:
        sent = subprocess.run(send, stdin=reader.stdout, env=environment, capture_output=True, text=True, check=False)
    took = time.perf_counter() - started
    assert (reader.returncode, sent.returncode) == (0, 0), sent.stdout + sent.stderr
    assert "errors: 0" in sent.stdout, sent.stdout
    return took


def send_standard_input(host: str, port: int, database: int, password: str) -> None:
    """What `redis-cli --pipe` does, where there is none."""
    with socket.create_connection((host, port)) as redis:
        redis.sendall(f"AUTH {password}\r\nSELECT {database}\r\n".encode())
        thread = threading.Thread(target=lambda: forward(redis))
        thread.start()
        replies = errors = 0
        for reply in redis.makefile("rb"):
            if reply == END:
                break
            replies += reply[:1] in b":+"
            errors += reply[:1] == b"-"
        thread.join()
    print(f"errors: {errors}, replies: {replies}")


def forward(redis: socket.socket) -> None:
    while part := os.read(sys.stdin.fileno(), 1 << 20):
        redis.sendall(part)
    redis.sendall(b"PING the-end\r\n")


if __name__ == "__main__":
    send_standard_input(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), os.environ["REDISCLI_AUTH"])
