"""The least that a command can cost in Flask: a route that validates the body of `POST /allocate`, and does nothing."""

from flask import Flask, Response, request

from allocation.adapters.schemas.commands import COMMANDS

FACTORY = f"{__name__}:create_app"
WSGI = True


def create_app() -> Flask:
    app = Flask("validating", static_folder=None)
    schema = COMMANDS["allocate"]

    @app.post("/allocate")
    def allocate() -> Response:
        schema.from_json(request.get_data())
        return Response("OK", 202, content_type="text/plain")

    @app.get("/health/ready")
    def ready() -> dict[str, object]:
        return {"roles": {"bare": "ready"}}

    return app
