"""Stands in for valkey-cli, which the wheel of the server does not contain: `valkey-cli -u URL COMMAND ARGUMENT…`.

It sends the command to the real server, and prints the reply. If the server refuses the command, it ends with an error.
"""

import sys
from collections.abc import Iterator
from typing import Any

from redis import Redis
from redis.exceptions import RedisError


def lines(reply: Any) -> Iterator[str]:
    if isinstance(reply, dict):
        yield from (f"{name}:{value}" for name, value in reply.items())
    elif isinstance(reply, list):
        for part in reply:
            yield from lines(part)
    else:
        yield "OK" if reply is True else str(reply)


if __name__ == "__main__":
    option, url, *words = sys.argv[1:]
    assert option == "-u"
    assert words
    try:
        with Redis.from_url(url, decode_responses=True) as redis:
            sys.stdout.writelines(f"{line}\n" for line in lines(redis.execute_command(*words)))
    except RedisError as error:
        sys.exit(str(error))
