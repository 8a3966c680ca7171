"""What every store promises. The fake and the CSV store must behave as PostgreSQL does."""

from datetime import date

from allocation.domain.commands import Allocate, ChangeBatchEta, ChangeBatchQuantity, CreateBatch, Deallocate
from allocation.domain.model import Batch
from allocation.service_layer.unit_of_work import LockSet
from tests.support.adapters.locks import LOCKS
from tests.support.service_layer.subjects import Subject, every_store, stores_that_keep_waiting_lines, stores_with_a_log


@every_store
def test_unit_of_work_reads_what_another_committed(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10, date(2027, 1, 15)), Allocate("o1", "S", 4))
    with subject.begin(LOCKS) as uow:
        product = uow.products.get("S")
        assert product is not None
        assert [(b.ref, b.purchased, b.allocated, b.eta) for b in product.stock.batches] == [
            ("b1", 10, 4, date(2027, 1, 15))
        ]
        lines = {line.orderid: (line.qty, line.status, line.batchref, line.version) for line in product.lines.values()}
        assert lines == {"o1": (4, "allocated", "b1", 2)}
        assert (product.version, product.totals.available, product.totals.waiting_units) == (2, 6, 0)


@stores_that_keep_waiting_lines
def test_unit_of_work_reads_a_waiting_line(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), Allocate("o1", "S", 4), Allocate("o2", "S", 40))
    with subject.begin(LOCKS) as uow:
        product = uow.products.get("S")
        assert product is not None
        lines = {line.orderid: (line.qty, line.status, line.batchref, line.version) for line in product.lines.values()}
        assert lines == {"o1": (4, "allocated", "b1", 2), "o2": (40, "waiting", None, 3)}
        assert (product.version, product.totals.available, product.totals.waiting_units) == (3, 6, 40)


@every_store
def test_unit_of_work_reads_a_changed_batch(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), CreateBatch("b2", "S", 10), CreateBatch("b3", "T", 5))
    subject.commit(ChangeBatchQuantity("b1", 0), ChangeBatchEta("b2", date(2027, 1, 15)), ChangeBatchQuantity("b3", 7))
    with subject.begin(LockSet(owners_of=frozenset(["b1", "b2", "b3"]))) as uow:
        found = [uow.products.get_by_batchref("b1"), uow.products.get_by_batchref("b3")]
        batches = [
            (b.ref, b.purchased, b.eta) for product in found if product is not None for b in product.stock.batches
        ]
        assert batches == [("b1", 0, None), ("b2", 10, date(2027, 1, 15)), ("b3", 7, None)]


@every_store
def test_deallocated_line_is_on_no_batch(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), Allocate("o1", "S", 4), Allocate("o2", "S", 5), Deallocate("o1", "S"))
    with subject.begin(LOCKS) as uow:
        product = uow.products.get("S")
        assert product is not None
        assert [(batch.ref, batch.allocated) for batch in product.stock.batches] == [("b1", 5)]
        assert [line.orderid for line in product.lines.values() if line.batchref is not None] == ["o2"]
        assert product.totals.available == 5


@every_store
def test_unit_of_work_stores_nothing_without_a_commit(subject: Subject) -> None:
    with subject.begin(LOCKS) as uow:
        uow.products.get_or_create("S").add_batch(Batch.create("b1", "S", 10, None))
    with subject.begin(LOCKS) as uow:
        assert uow.products.get("S") is None
        assert uow.products.batch("b1") is None


@every_store
def test_product_that_never_had_a_batch_is_none(subject: Subject) -> None:
    with subject.begin(LOCKS) as uow:
        uow.products.get_or_create("S")
        uow.commit()
    with subject.begin(LOCKS) as uow:
        assert uow.products.get("S") is None


@every_store
def test_used_up_batch_is_found_under_any_sku(subject: Subject) -> None:
    """A client must not create the same reference again under another SKU."""
    subject.commit(CreateBatch("b1", "S", 10), Allocate("o1", "S", 10))
    with subject.begin(
        LockSet(skus=frozenset(["T"]), batches=frozenset(["b1", "b2"]), new_skus=frozenset(["T"]))
    ) as uow:
        found = uow.products.batch("b1")
        assert found is not None
        assert found.was_created_as("S", 10, None)
        assert uow.products.batch("b2") is None


@every_store
def test_product_is_found_by_its_used_up_batch(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), Allocate("o1", "S", 10))
    with subject.begin(LockSet(owners_of=frozenset(["b1", "b2"]))) as uow:
        product = uow.products.get_by_batchref("b1")
        assert product is not None
        assert (product.sku, [batch.ref for batch in product.stock.batches]) == ("S", ["b1"])
        assert uow.products.get_by_batchref("b2") is None


@every_store
def test_product_has_the_used_up_batch_of_its_line(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), Allocate("o1", "S", 10))
    with subject.begin(LOCKS) as uow:
        product = uow.products.get("S")
        assert product is not None
        assert [(batch.ref, batch.allocated) for batch in product.stock.batches] == [("b1", 10)]


@stores_with_a_log
def test_store_remembers_a_deallocated_line(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), Allocate("o1", "S", 10), Deallocate("o1", "S"))
    with subject.begin(LOCKS) as uow:
        product = uow.products.get("S")
        assert product is not None
        assert [(batch.ref, batch.allocated) for batch in product.stock.batches] == [("b1", 0)]
        assert product.lines["o1"].status == "deallocated"
