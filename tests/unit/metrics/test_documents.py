"""The reference, the alerts and the dashboard use the metrics that exist."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from allocation.adapters.schemas.commands import COMMANDS
from readmodel.metrics.table import METRICS, Kind
from tests.support.paths import ROOT

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "allocation.json"
RUNBOOKS = ROOT / "docs" / "operate.md"
BY_NAME = {metric.name: metric for metric in METRICS}
LABELS_OF_PROMETHEUS = {"le", "instance", "job"}


def rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load(ALERTS.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def targets() -> Iterator[tuple[str, str, str]]:
    """Yield the title, the expression and the legend of each curve."""
    for panel in panels():
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"], target["legendFormat"]


def expressions() -> list[str]:
    return [rule["expr"] for rule in rules()] + [expression for _, expression, _ in targets()]


def series_in(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the name of each series, with the labels by which the expression selects it."""
    for name, selector in re.findall(r"(?<![\w{])(allocation_\w+)(?:\{(.*?)\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", selector))


def metric_of(series: str) -> str:
    """Return the metric of a series: a histogram has several."""
    name = re.sub("_(bucket|sum|count)$", "", series)
    return name if name in BY_NAME and BY_NAME[name].kind is Kind.HISTOGRAM else series


def rows() -> list[tuple[str, str, str, str]]:
    text = (ROOT / "docs" / "reference.md").read_text()
    found = re.findall(r"^\| `(allocation_\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    return [(name, kind, labels, meaning) for name, kind, labels, meaning in found]


def test_reference_has_each_metric_as_it_is() -> None:
    assert rows() == [
        (metric.name, str(metric.kind), ", ".join(f"`{label}`" for label in metric.labels) or "-", metric.meaning)
        for metric in METRICS
    ]


def test_names_of_metrics_say_their_kind() -> None:
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch("allocation_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert bool(metric.bounds) == (metric.kind is Kind.HISTOGRAM)


@pytest.mark.parametrize("expression", expressions())
def test_expression_uses_metrics_and_labels_that_exist(expression: str) -> None:
    series = list(series_in(expression))
    assert series
    for name, labels in series:
        metric = BY_NAME.get(metric_of(name))
        assert metric is not None, name
        assert labels <= {*metric.labels, *LABELS_OF_PROMETHEUS}
    grouped = {label.strip() for labels in re.findall(r"\bby \((.*?)\)", expression) for label in labels.split(",")}
    known = {label for name, _ in series for label in BY_NAME[metric_of(name)].labels}
    assert grouped <= known | LABELS_OF_PROMETHEUS


def test_legends_use_labels_that_their_curves_have() -> None:
    for title, expression, legend in targets():
        used = set(re.findall(r"{{\s*(\w+)\s*}}", legend))
        grouped = {label.strip() for labels in re.findall(r"\bby \((.*?)\)", expression) for label in labels.split(",")}
        plain = {label for name, _ in series_in(expression) for label in BY_NAME[metric_of(name)].labels}
        assert used <= (grouped or plain), title


def test_dashboard_shows_every_metric() -> None:
    shown = {metric_of(name) for _, expression, _ in targets() for name, _ in series_in(expression)}
    assert shown == set(BY_NAME)


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    taken = set[tuple[int, int]]()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert taken.isdisjoint(cells), panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


def headings() -> set[str]:
    """Return the anchors of the operations guide."""
    found = re.findall(r"^#{2,3} (.+)$", RUNBOOKS.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_alert_says_what_is_wrong_and_links_to_a_runbook(rule: dict[str, Any]) -> None:
    path, _, heading = rule["annotations"]["runbook"].partition("#")
    assert (path, heading in headings()) == ("docs/operate.md", True), heading
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"].endswith(".")


def test_every_runbook_has_an_alert() -> None:
    text = RUNBOOKS.read_text().partition("\n## Runbooks\n")[2]
    runbooks = re.findall(r"^### (.+)$", text.partition("\n## ")[0], re.MULTILINE)
    assert runbooks
    linked = {rule["annotations"]["runbook"].partition("#")[2] for rule in rules()}
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in runbooks}
    assert anchors - linked == set()


def test_alert_of_slow_commands_names_every_command() -> None:
    [expression] = [rule["expr"] for rule in rules() if rule["alert"] == "AllocationCommandsSlow"]
    [names] = re.findall(r'route=~"/\((.*?)\)"', expression)
    assert sorted(names.split("|")) == sorted(COMMANDS)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(ALERTS)], check=True)
