"""Redis without the service: `psql -c "COPY …" | redis-cli --pipe`, into an empty database of the same server."""

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
from benchmarks.stack.throwaway import Stack

END = b"the-end"
TARGET_DATABASE = 1
"""The read model is in database 0."""

# The texts contain neither the delimiter nor the quote, so COPY escapes and quotes nothing.
COPY = "COPY ({query}) TO STDOUT (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"


def sender() -> str:
    return "redis-cli --pipe" if shutil.which("redis-cli") else "a Python program, since redis-cli is missing"


def target_url(stack: Stack) -> str:
    return urlsplit(stack.redis_url)._replace(path=f"/{TARGET_DATABASE}").geturl()


def run_pipe(stack: Stack, query: str) -> float:
    """Send the Redis commands that the query returns. Return the seconds until the last reply.

    Raises AssertionError if a program fails or Redis refuses a command.
    """
    with Redis.from_url(target_url(stack)) as redis:
        redis.flushdb()
    address = urlsplit(stack.redis_url)
    host, port, password = str(address.hostname), str(address.port), address.password or ""
    if shutil.which("redis-cli"):
        send = ["redis-cli", "-h", host, "-p", port, "-n", str(TARGET_DATABASE), "--pipe"]
    else:
        send = [sys.executable, "-m", __name__, host, port, str(TARGET_DATABASE)]
    read = [str(find_binaries() / "psql"), stack.database_url, "-qc", COPY.format(query=query)]
    started = time.perf_counter()
    environment = os.environ | {"REDISCLI_AUTH": password, "PGOPTIONS": "-c statement_timeout=0"}
    with subprocess.Popen(read, stdout=subprocess.PIPE, env=environment) as reader:
        sent = subprocess.run(send, stdin=reader.stdout, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    assert (reader.returncode, sent.returncode) == (0, 0), sent.stdout + sent.stderr
    assert "errors: 0" in sent.stdout, sent.stdout
    return seconds


def send_standard_input(host: str, port: int, database: int, password: str) -> None:
    """Do what `redis-cli --pipe` does."""
    with socket.create_connection((host, port)) as redis:
        redis.sendall(f"AUTH {password}\r\nSELECT {database}\r\n".encode())
        thread = threading.Thread(target=lambda: forward(redis))
        thread.start()
        replies = errors = 0
        for reply in redis.makefile("rb"):
            if reply.rstrip() == END:
                break
            replies += reply[:1] in b":+"
            errors += reply[:1] == b"-"
        thread.join()
    print(f"errors: {errors}, replies: {replies}")


def forward(redis: socket.socket) -> None:
    while part := os.read(sys.stdin.fileno(), 1 << 20):
        redis.sendall(part)
    redis.sendall(b"PING %b\r\n" % END)


if __name__ == "__main__":
    send_standard_input(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), os.environ["REDISCLI_AUTH"])
