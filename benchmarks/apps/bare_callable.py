"""The least that a query can cost in WSGI: a callable, without a framework, that sends one GET to Redis."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from benchmarks.apps.bare_route import PREFIX
from readmodel.store.client import redis_client

FACTORY = f"{__name__}:create_app"
WSGI = True
READY = orjson.dumps({"roles": {"bare": "ready"}})

StartResponse = Callable[[str, list[tuple[str, str]]], object]


def create_app() -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    redis = redis_client(os.environ["REDIS_URL"], decode=False)

    def answer(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start, _, name = environ["PATH_INFO"].rpartition("/")
        body = redis.get(PREFIX + name) if start == "/bare" else READY
        start_response("200 OK", [("content-type", "application/json")])
        return [body]  # type: ignore[list-item]  # The client also serves asyncio.

    return answer
