"""The metrics of one process."""

from readmodel.metrics import table
from readmodel.metrics.registry import Registry
from readmodel.metrics.table import METRICS, Figure, Kind
from tests.support.metrics import Exposition


def exposition(registry: Registry, *figures: Figure) -> Exposition:
    return Exposition(registry.exposition(figures).decode())


def test_registry_shows_what_was_counted() -> None:
    registry = Registry()
    for status in ("200", "200", "503"):
        registry.counter(table.REQUESTS).add(1, "/orders/{}", status)
    registry.histogram(table.TRANSACTION_SECONDS).observe(0.003)
    registry.gauge(table.THREADS).set(8, "bulks")
    found = exposition(registry)
    assert found.counts("allocation_requests_total", "status") == {("200",): 2, ("503",): 1}
    assert found.value("allocation_transaction_seconds_count") == 1
    assert found.value("allocation_transaction_seconds_bucket", le="0.0025") == 0
    assert found.value("allocation_transaction_seconds_bucket", le="0.005") == 1
    assert found.value("allocation_threads", kind="bulks") == 8


def test_registry_shows_no_metric_that_the_process_does_not_have() -> None:
    registry = Registry()
    registry.counter(table.DATABASE_TRIPS)
    assert {sample.name for sample in exposition(registry).samples} == {"allocation_database_trips_total"}


def test_every_metric_has_the_name_and_the_type_of_the_table() -> None:
    registry = Registry()
    for metric in METRICS:
        if metric.kind is Kind.COUNTER:
            registry.counter(metric).add(1, *metric.labels)
        elif metric.kind is Kind.GAUGE:
            registry.gauge(metric).set(1, *metric.labels)
        else:
            registry.histogram(metric).observe(1, *metric.labels)
    expected = {metric.name.removesuffix("_total"): str(metric.kind) for metric in METRICS}
    assert exposition(registry).types == expected


def test_figures_of_the_moment_have_their_labels() -> None:
    figures = [Figure(table.READY, 1.0, ("commands",)), Figure(table.READY, 0.0, ("queries",))]
    messages = Figure(table.MESSAGES, 7, ("handled",))
    found = exposition(Registry(), *figures, messages, Figure(table.CONSUMERS, 2))
    assert [(sample.labels["role"], sample.value) for sample in found.samples if sample.name == table.READY.name] == [
        ("commands", 1.0),
        ("queries", 0.0),
    ]
    assert found.value("allocation_messages_total", result="handled") == 7
    assert found.value("allocation_consumers") == 2


def test_report_has_the_reported_counters() -> None:
    registry = Registry()
    registry.counter(table.RETRIES).add(2, "deadlock")
    registry.counter(table.REQUESTS).add(1, "/orders", "200")
    assert registry.figures() == {'allocation_retries_total{reason="deadlock"}': 2.0}
