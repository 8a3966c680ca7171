"""The metrics of a process, as Prometheus gets them."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from readmodel.web.metrics import CONTENT_TYPE
from tests.support.api import Api


class Sample(NamedTuple):
    name: str
    labels: Mapping[str, str]
    value: float


class Exposition:
    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        self.types = {family.name: family.type for family in families}
        self.samples = [Sample(found.name, found.labels, found.value) for one in families for found in one.samples]

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the samples with this name and these labels."""
        return sum(
            sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    def counts(self, name: str, *labels: str) -> Counter[tuple[str, ...]]:
        """Map the values of these labels to the sum of their samples, without zeros."""
        found = Counter[tuple[str, ...]]()
        for sample in self.samples:
            if sample.name == name and sample.value:
                found[tuple(sample.labels[label] for label in labels)] += int(sample.value)
        return found


def scrape(port: int, token: str | None = None) -> Exposition:
    api = Api(port, token)
    try:
        answer = api.get("metrics")
    finally:
        api.connection.close()
    assert (answer.status, answer.content_type) == (200, CONTENT_TYPE), answer.body
    return Exposition(answer.body)
