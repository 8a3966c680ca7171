"""Reports of processes: the figures that each process shows to `allocation status`.

A process reports every WRITTEN_EVERY seconds. Redis deletes a report KEPT_FOR seconds after it was written. So the
report of a process that hangs or has ended disappears.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import orjson
from redis import Redis
from redis.exceptions import ResponseError

from readmodel.store.names import Names
from readmodel.store.records.progress import milliseconds

WRITTEN_EVERY, KEPT_FOR = 2.0, 15


@dataclass(frozen=True)
class ProcessReport:
    """The report of one process.

    - `role`: commands, queries, relay or consumer
    - `started`: when the process has started, in seconds since 1970 on its own clock
    - `figures`: numbers by metric and labels, for example `allocation_retries_total{reason="deadlock"}`; a counter
      begins with the start of the process
    """

    role: str
    host: str
    pid: int
    started: float
    version: str
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def process(self) -> str:
        """A name that no other living process of the service has."""
        return f"{self.role}:{self.host}:{self.pid}"

    def total(self, metric: str) -> float:
        """Return the sum of the figures of a metric, over all its labels. It is 0 if the process has none."""
        return sum(value for name, value in self.figures.items() if name.partition("{")[0] == metric)


def write(redis: Redis, names: Names, report: ProcessReport) -> None:
    """Replace the report of the process. Raise RedisError, for example if the user of Redis may only read."""
    now = milliseconds(cast("tuple[str, str]", redis.time()))
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.set(names.report(report.process), orjson.dumps(asdict(report)), ex=KEPT_FOR)
        pipeline.zadd(names.reports, {report.process: now})
        pipeline.zremrangebyscore(names.reports, 0, now - 1_000 * KEPT_FOR)
        pipeline.execute()


def read(redis: Redis, names: Names) -> list[ProcessReport]:
    """Return the reports of the living processes, sorted by role, host and pid. Skip a damaged report.

    It uses only commands that the user of `allocation queries` may call. Raise RedisError.
    """
    try:
        processes = cast("list[str]", redis.zrange(names.reports, 0, -1))
    except ResponseError:  # Another program has changed the key.
        return []
    with redis.pipeline(transaction=False) as pipeline:
        for process in processes:
            pipeline.get(names.report(process))
        stored = pipeline.execute(raise_on_error=False)
    reports = [report for text in stored if isinstance(text, str) and (report := parse(text))]
    return sorted(reports, key=lambda report: (report.role, report.host, report.pid))


def parse(stored: str) -> ProcessReport | None:
    """Return None if the text is no report. A later release may have added members, which are ignored."""
    try:
        found: Any = orjson.loads(stored)
        figures = {str(name): float(value) for name, value in found["figures"].items()}
        return ProcessReport(
            str(found["role"]),
            str(found["host"]),
            int(found["pid"]),
            float(found["started"]),
            str(found["version"]),
            figures,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
