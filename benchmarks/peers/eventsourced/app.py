"""The Flask app of the event-sourced peer."""

import os

from eventsourcing.application import AggregateNotFoundError
from flask import Flask, Response, request

from benchmarks.peers.eventsourced.application import create_application
from benchmarks.peers.eventsourced.product import OutOfStock

FACTORY = f"{__name__}:create_app"
WSGI = True


def create_app() -> Flask:
    app = Flask("eventsourced", static_folder=None)
    warehouse = create_application(os.environ["DATABASE_URL"], connections=int(os.environ["ALLOCATION_THREADS"]))

    @app.post("/allocate")
    def post() -> Response:
        line = request.get_json()
        try:
            ref = warehouse.allocate(line["orderid"], line["sku"], line["qty"])
        except AggregateNotFoundError:
            return Response("unknown SKU", 400)
        except OutOfStock:
            return Response("out of stock", 409)
        return Response(ref, 202, content_type="text/plain")

    @app.get("/health/ready")
    def ready() -> dict[str, object]:
        return {"roles": {"eventsourced": "ready"}}

    return app
