"""What a query costs at the least: a Flask route that does one GET. Served by the server of the service."""

import os

from flask import Flask, Response

from readmodel.store.client import redis_client

PREFIX = "bare:"


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
