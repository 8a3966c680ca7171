"""The situations in which an operator needs the commands of docs/operate.md, by heading.

Each one prepares its trouble, yields the walk through the section's blocks, and then judges the result.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from tests.support.documents.shell import Shell
from tests.support.guide.processes import (
    dead_letter,
    drift,
    hanging_relay,
    no_consumer,
    no_relay,
    stuck_mail_server,
)
from tests.support.guide.redis_stores import full_redis, snapshot, unreachable_redis
from tests.support.guide.restores import backed_up_database, damaged_database, new_server
from tests.support.guide.sessions import held_fence, locked_product, unreachable_database
from tests.support.guide.stage import Stage, Walk

Situation = Callable[[Stage], AbstractContextManager[Walk]]


@contextmanager
def no_trouble(stage: Stage) -> Iterator[Walk]:
    """Everything works."""
    yield Walk(Shell(stage.folder, {**stage.shared, "REDIS_URL": stage.shared_redis_url}))


SITUATIONS: Mapping[str, Situation] = {
    "The first minute": no_trouble,
    "Processes": no_trouble,
    "Containers": no_trouble,
    "Privileges": new_server,
    "Memory of Redis": no_trouble,
    "Disk of PostgreSQL": no_trouble,
    "The service is upgraded": no_trouble,
    "Back up PostgreSQL": backed_up_database,
    "You restore PostgreSQL": damaged_database,
    "Back up and restore Redis": snapshot,
    "No web server answers": no_trouble,
    "The relay does not run": no_relay,
    "The relay hangs": hanging_relay,
    "The views lag": no_relay,
    "A subscription lags or fails": no_trouble,
    "A dead letter": dead_letter,
    "Drift": drift,
    "A transaction holds the fence": held_fence,
    "A product is locked": locked_product,
    "PostgreSQL can't be reached": unreachable_database,
    "The disk of PostgreSQL is full": no_trouble,
    "Redis can't be reached": unreachable_redis,
    "Redis is full or evicts keys": full_redis,
    "No consumer runs": no_consumer,
    "Commands fail": no_trouble,
    "Commands are refused because the service is busy": no_trouble,
    "Commands are slow": no_trouble,
    "The mail server is stuck": stuck_mail_server,
}
