"""The Flask app of the book's design."""

import os

from flask import Flask, Response, request

from benchmarks.peers.book.handlers import allocate
from benchmarks.peers.book.model import OutOfStock, UnknownSku
from benchmarks.peers.book.unit_of_work import create_sessions

FACTORY = f"{__name__}:create_app"
WSGI = True


def create_app() -> Flask:
    app = Flask("book", static_folder=None)
    sessions = create_sessions(os.environ["DATABASE_URL"], connections=int(os.environ["ALLOCATION_THREADS"]))

    @app.post("/allocate")
    def post() -> Response:
        line = request.get_json()
        try:
            ref = allocate(line["orderid"], line["sku"], line["qty"], sessions)
        except UnknownSku:
            return Response("unknown SKU", 400)
        except OutOfStock:
            return Response("out of stock", 409)
        return Response(ref, 202, content_type="text/plain")

    @app.get("/health/ready")
    def ready() -> dict[str, object]:
        return {"roles": {"book": "ready"}}

    return app
