"""The metrics of one process, and of the other workers of its web server.

In a web server, each worker writes its values to files that all of them map into memory. So every worker can show the
sum of all, and the values of a worker survive its death. `prometheus_client` decides this when it is imported: the
environment variable PROMETHEUS_MULTIPROC_DIR then names the folder of the files. `allocation serve` sets it.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import prometheus_client
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from readmodel.metrics.files import dead_processes, folder_of_files, make_again
from readmodel.metrics.table import Figure, Kind, Metric


class Counter:
    """Any number of threads may share it. The library finds the child of some labels more slowly than a dictionary."""

    def __init__(self, metric: Metric, registry: CollectorRegistry) -> None:
        self.collected: MetricWrapperBase
        self.collected = self._counter = prometheus_client.Counter(
            metric.name, metric.meaning, metric.labels, registry=registry
        )
        self._children: dict[tuple[str, ...], prometheus_client.Counter] = {}

    def add(self, amount: float, *labels: str) -> None:
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = self._counter.labels(*labels) if labels else self._counter
        child.inc(amount)


class Histogram:
    """Any number of threads may share it."""

    def __init__(self, metric: Metric, registry: CollectorRegistry) -> None:
        self.collected: MetricWrapperBase
        self.collected = self._histogram = prometheus_client.Histogram(
            metric.name, metric.meaning, metric.labels, buckets=metric.bounds, registry=registry
        )
        self._children: dict[tuple[str, ...], prometheus_client.Histogram] = {}

    def observe(self, value: float, *labels: str) -> None:
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = self._histogram.labels(*labels) if labels else self._histogram
        child.observe(value)


class Gauge:
    """The value of a web server is the sum of the values of its living workers."""

    def __init__(self, metric: Metric, registry: CollectorRegistry) -> None:
        self.collected: MetricWrapperBase
        self.collected = self._gauge = prometheus_client.Gauge(
            metric.name, metric.meaning, metric.labels, registry=registry, multiprocess_mode="livesum"
        )

    def set(self, value: float, *labels: str) -> None:
        (self._gauge.labels(*labels) if labels else self._gauge).set(value)


class Registry:
    """Creates the metrics of a process, each one once, and shows them. A process shows only what it has created."""

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()  # The metrics of several workers have no such moment.
        if folder := folder_of_files():
            make_again(folder)
        self._own = CollectorRegistry()
        self._counters = dict[Metric, Counter]()
        self._histograms = dict[Metric, Histogram]()
        self._gauges = dict[Metric, Gauge]()

    @property
    def is_shared(self) -> bool:
        """Whether the workers of a web server share their values."""
        return folder_of_files() is not None

    def counter(self, metric: Metric) -> Counter:
        if metric not in self._counters:
            self._counters[metric] = Counter(metric, self._own)
        return self._counters[metric]

    def histogram(self, metric: Metric) -> Histogram:
        if metric not in self._histograms:
            self._histograms[metric] = Histogram(metric, self._own)
        return self._histograms[metric]

    def gauge(self, metric: Metric) -> Gauge:
        if metric not in self._gauges:
            self._gauges[metric] = Gauge(metric, self._own)
        return self._gauges[metric]

    def exposition(self, current: Iterable[Figure] = ()) -> bytes:
        """Return the metrics of this process and of its siblings, and the `current` figures, as text."""
        folder = folder_of_files()
        shown = self._own if folder is None else siblings(folder)
        return generate_latest(shown) + generate_latest(registry_of(current))

    def figures(self) -> dict[str, float]:
        """Return the reported counters of this process alone, by name and labels, for example `a_total{kind="b"}`."""
        return {
            name_of(sample.name, sample.labels): sample.value
            for metric, counter in self._counters.items()
            if metric.reported
            for family in counter.collected.collect()
            for sample in family.samples
        }


def siblings(folder: Path) -> CollectorRegistry:
    """Return a registry with the sums of all workers. The gauges of dead workers do not count."""
    for pid in dead_processes(folder):
        with suppress(FileNotFoundError):  # Another worker shows the metrics at the same time.
            mark_process_dead(pid, str(folder))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    return registry


def registry_of(figures: Iterable[Figure]) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(list(figures)))
    return registry


class Figures(Collector):
    def __init__(self, figures: Sequence[Figure]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        for metric in dict.fromkeys(figure.metric for figure in self._figures):
            family_type = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
            family = family_type(metric.name, metric.meaning, labels=metric.labels)
            for figure in self._figures:
                if figure.metric is metric:
                    family.add_metric(figure.labels, figure.value)
            yield family


def name_of(name: str, labels: dict[str, str]) -> str:
    shown = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{shown}}}" if shown else name
