"""The least that a query can cost: a Flask route that sends one GET to Redis."""

import os

from flask import Flask, Response

from readmodel.store.client import redis_client

FACTORY = f"{__name__}:create_app"
WSGI = True
PREFIX = "bare:"
"""Of the Redis keys with the answers."""


def create_app() -> Flask:
    app = Flask("bare", static_folder=None)
    redis = redis_client(os.environ["REDIS_URL"], decode=False)

    @app.get("/bare/<name>")
    def bare(name: str) -> Response:
        return Response(redis.get(PREFIX + name), content_type="application/json")

    @app.get("/health/ready")
    def ready() -> dict[str, object]:
        return {"roles": {"bare": "ready"}}

    return app
