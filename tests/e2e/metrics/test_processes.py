"""Each process shows its metrics, to callers who may see them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from allocation.local.ports import free_port
from readmodel.metrics.table import METRICS
from readmodel.store.client import redis_client
from readmodel.store.names import PLAIN
from readmodel.store.records.process_reports import read
from readmodel.web.edge.access import new_token
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.metrics import Exposition, scrape
from tests.support.processes import run_to_end, running
from tests.support.services import web

KNOWN = {metric.name for metric in METRICS}


@pytest.fixture
def relay_port(environment: dict[str, str]) -> Iterator[int]:
    port = free_port()
    with running("relay", environment | {"ALLOCATION_RELAY_METRICS_PORT": str(port)}):
        eventually(lambda: is_open(port))
        yield port


def is_open(port: int) -> bool:
    try:
        scrape(port)
    except OSError:
        return False
    return True


def unknown(found: Exposition) -> set[str]:
    """Return the names of this service's samples that the table lacks."""
    names = {sample.name for sample in found.samples}
    plain = {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name in names}
    return plain - KNOWN


@pytest.mark.slow
def test_relay_shows_the_state_of_the_service(environment: dict[str, str], relay_port: int, engine: Engine) -> None:
    with web(environment) as port:
        api = Api(port)
        assert api.add_batch("b1", "S", 10).status == 201
        assert api.allocate("o1", "S", 3).status == 202
        eventually(lambda: scrape(relay_port).value("allocation_events_applied_total", path="relay") >= 2)
        api.connection.close()
        found = eventually(lambda: settled(scrape(relay_port)))
    assert unknown(found) == set()
    assert found.value("allocation_store_up") == 2
    assert found.counts("allocation_build_info", "role") == {("relay",): 1}
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT name FROM subscriptions")).scalars().all()
    lags = {sample.labels["subscription"] for sample in found.samples if sample.name.endswith("n_lag_events")}
    assert lags == set(stored)


def settled(found: Exposition) -> Exposition:
    """Return the metrics. Raise AssertionError if the relay has not seen everything."""
    assert "allocation_views_lag_events" in [sample.name for sample in found.samples]
    assert found.value("allocation_views_lag_events") + found.value("allocation_subscription_lag_events") == 0
    return found


@pytest.mark.slow
def test_consumer_shows_its_messages(environment: dict[str, str], redis_url: str) -> None:
    port = free_port()
    with (
        running("consumer", environment | {"ALLOCATION_CONSUMER_METRICS_PORT": str(port)}),
        redis_client(redis_url) as redis,
    ):
        eventually(lambda: redis.publish("change_batch_quantity", "no JSON"))
        eventually(lambda: is_open(port))
        found = eventually(lambda: consumed(scrape(port)))
        assert unknown(found) == set()
        eventually(lambda: "consumer" in {report.role for report in read(redis, PLAIN)})


def consumed(found: Exposition) -> Exposition:
    assert found.value("allocation_messages_total") > 0
    return found


@pytest.mark.slow
def test_query_worker_shows_metrics_without_a_report(environment: dict[str, str], relay_port: int) -> None:
    """Its user of Redis may not write. That is no failure."""
    with web(environment, command="queries") as port, redis_client(environment["REDIS_URL"]) as redis:
        found = eventually(lambda: scraped_threads(port))
        assert unknown(found) == set()
        assert found.counts("allocation_ready", "role") == {("queries",): 1}
        eventually(lambda: {report.role for report in read(redis, PLAIN)} == {"relay"})


def scraped_threads(port: int) -> Exposition:
    found = scrape(port)
    assert found.value("allocation_threads") > 0
    return found


@pytest.mark.slow
def test_metrics_need_a_token_with_their_scope(environment: dict[str, str], relay_port: int) -> None:
    tokens = {scope: new_token(scope, [scope], None) for scope in ("command", "query", "metrics", "admin")}
    lines = "\n".join(str(token) for _, token in tokens.values())
    port, protected = free_port(), environment | {"ALLOCATION_ACCESS_TOKENS": lines}
    variables = protected | {"ALLOCATION_RELAY_METRICS_PORT": str(port)}
    with web(protected) as web_port, running("relay", variables):
        eventually(lambda: answers(port, None))
        for asked in (web_port, port):
            found = {scope: status(asked, secret) for scope, (secret, _) in tokens.items()}
            assert found == {"command": 403, "query": 403, "metrics": 200, "admin": 200}
            assert status(asked, None) == 401


def answers(port: int, token: str | None) -> bool:
    try:
        return bool(status(port, token))
    except OSError:
        return False


def status(port: int, token: str | None) -> int:
    api = Api(port, token)
    try:
        return api.get("metrics").status
    finally:
        api.connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("process", ["relay", "consumer"])
def test_process_without_tokens_shows_metrics_on_loopback_only(process: str, environment: dict[str, str]) -> None:
    variables = {f"ALLOCATION_{process.upper()}_METRICS_PORT": str(free_port()), "ALLOCATION_HOST": "0.0.0.0"}
    code, output = run_to_end(process, environment | variables)
    assert code == 3
    assert "ALLOCATION_HOST=0.0.0.0: without an access token" in output


@pytest.mark.slow
def test_relay_refuses_a_port_in_use(environment: dict[str, str], relay_port: int) -> None:
    code, output = run_to_end("relay", environment | {"ALLOCATION_RELAY_METRICS_PORT": str(relay_port)})
    assert code == 3
    assert "set ALLOCATION_RELAY_METRICS_PORT to another port" in output
