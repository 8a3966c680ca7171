"""The HTTP status and the message of commands and previews that fail."""

import json
from typing import NoReturn

import pytest
from flask.testing import FlaskClient

from allocation.domain.errors import UnknownSku
from allocation.entrypoints.http.app import command_routes
from allocation.entrypoints.http.responses import BUG, failure, status_of
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import LockSet, StoreUnavailable
from readmodel.web.kit import create_bare_app

ALLOCATE = {"orderid": "o1", "sku": "S", "qty": 1}
NOT_MIGRATED = "the database is not migrated"
UNCONFIRMED = "The service could not confirm the command. You can send it again"
PREVIEW_FAILED = "The preview failed. Send it again"


class Overloaded(StoreUnavailable):
    """A reason for unavailability that FAILURES does not name."""


def unavailable(locks: LockSet) -> NoReturn:
    raise Overloaded("overloaded")


@pytest.fixture
def client() -> FlaskClient:
    """Return a client of an app that has no available store."""
    app = create_bare_app()
    app.register_blueprint(command_routes(MessageBus(unavailable, lambda events: None), bulks_at_once=1))
    return app.test_client()


@pytest.mark.parametrize(
    ("error", "status"),
    [(UnknownSku("S"), 400), (StoreUnavailable("unreachable"), 503), (Overloaded("overloaded"), 503)],
    ids=["own-status", "base-class", "status-of-the-base-class"],
)
def test_error_has_the_status_of_its_nearest_base_class(error: Exception, status: int) -> None:
    assert status_of(error) == status


def test_error_without_a_status_counts_as_a_bug() -> None:
    assert status_of(ZeroDivisionError()) == BUG


@pytest.mark.parametrize(
    ("route", "message"),
    [("/allocate", f"{UNCONFIRMED}: a repeated command has no further effect"), ("/preview/allocate", PREVIEW_FAILED)],
    ids=["command", "preview"],
)
def test_client_can_retry_when_the_store_is_unavailable(client: FlaskClient, route: str, message: str) -> None:
    response = client.post(route, json=ALLOCATE)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert response.get_json(force=True)["message"] == message


def test_bulk_line_has_the_status_of_its_nearest_base_class(client: FlaskClient) -> None:
    line = ALLOCATE | {"type": "allocate"}
    with client.post("/commands", json=line, content_type="application/x-ndjson") as response:
        result = json.loads(response.data)
    assert result["status"] == 503
    assert result["message"].startswith(UNCONFIRMED)


def test_the_client_sees_the_reason_but_no_detail() -> None:
    error = StoreUnavailable("the database is not migrated: relation secret_table is missing", NOT_MIGRATED)
    assert failure(error).message == (
        "The service could not confirm the command, because the database is not migrated. "
        "You can send it again: a repeated command has no further effect"
    )
