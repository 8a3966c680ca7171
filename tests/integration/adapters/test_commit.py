"""A commit logs the events of its unit of work and returns the events to publish."""

from allocation.domain.commands import Allocate, Command, CreateBatch
from allocation.domain.model import Batch, OrderLine
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import LoggedEvent
from tests.support.adapters.locks import LOCKS
from tests.support.service_layer.subjects import Subject, every_store, stores_with_a_log


def commit_two_events(subject: Subject) -> list[LoggedEvent]:
    with subject.begin(LOCKS) as uow:
        product = uow.products.get_or_create("S")
        product.add_batch(Batch.create("b1", "S", 10, None))
        product.allocate(OrderLine("o1", "S", 4))
        return list(uow.commit().events)


@every_store
def test_commit_returns_its_events_in_their_order(subject: Subject) -> None:
    returned = commit_two_events(subject)
    assert [(event["type"], event["version"]) for event in returned] == [("BatchCreated", 1), ("Allocated", 2)]


@stores_with_a_log
def test_commit_returns_the_events_that_it_logs(subject: Subject) -> None:
    assert commit_two_events(subject) == subject.log()


@every_store
def test_commit_without_changes_returns_no_events(subject: Subject) -> None:
    with subject.begin(LOCKS) as uow:
        assert list(uow.commit().events) == []


@stores_with_a_log
def test_unit_of_work_logs_nothing_without_a_commit(subject: Subject) -> None:
    """Events of a rolled-back unit of work would be phantoms: no state contains their effect."""
    with subject.begin(LOCKS) as uow:
        uow.products.get_or_create("S").add_batch(Batch.create("b1", "S", 10, None))
    assert subject.log() == []


@stores_with_a_log
def test_repeated_commands_publish_old_events_and_log_none(subject: Subject) -> None:
    commands: list[Command] = [CreateBatch("b1", "S", 10), Allocate("o1", "S", 4), Allocate("o2", "S", 40)]
    subject.commit(*commands)
    logged = list(subject.log())
    subject.published.clear()
    assert list(subject.bus.handle_all(commands)) == [Done()] * 3
    assert list(subject.log()) == logged
    versions = [event["version"] for event in subject.published]
    assert versions == [2, 2, 3], "These are the last events of the batch, of line o1 and of line o2"
    assert all(event in logged for event in subject.published)
