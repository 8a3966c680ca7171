"""Sessions that hold back others, as the status shows them."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine, text

from allocation.domain.commands import CreateBatch
from allocation.entrypoints.status.runbooks import Runbook
from allocation.service_layer.messagebus import MessageBus
from tests.support.adapters.event_log import append, out_of_stock
from tests.support.eventually import eventually
from tests.support.status.service import Service

LOCK = text("SELECT FROM products WHERE sku = 'S' FOR NO KEY UPDATE")
WAITING = 3


def test_status_names_the_transaction_that_holds_the_fence(service: Service, engine: Engine) -> None:
    with engine.connect() as holder:
        append(holder, out_of_stock("S", 1))
        pid = holder.execute(text("SELECT pg_backend_pid()")).scalar_one()
        found = service.finding(Runbook.FENCE)
        assert f"process {pid}, open for" in found.problem
        assert found.what_to_do == f"End it: SELECT pg_terminate_backend({pid})"
        holder.rollback()
    service.wait_until_sound()


def test_status_names_the_transaction_that_blocks_a_product(service: Service, engine: Engine, bus: MessageBus) -> None:
    """Of the waiting sessions, only the first one waits for the holder. The others wait for the first one."""
    bus.handle(CreateBatch("b1", "S", 10))

    def wait() -> None:
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(LOCK)

    with ThreadPoolExecutor(WAITING) as pool, engine.connect() as holder:
        holder.execute(LOCK)
        pid = holder.execute(text("SELECT pg_backend_pid()")).scalar_one()
        waiting = [pool.submit(wait) for _ in range(WAITING)]
        [found] = eventually(lambda: [one for one in service.database().holders if one.blocks == WAITING])
        assert (found.pid, found.fence, found.product, found.state) == (pid, False, True, "idle in transaction")
        assert service.finding(Runbook.PRODUCT_LOCKED).problem.endswith("3 sessions wait for it")
        holder.rollback()
        for future in waiting:
            future.result()
    service.wait_until_sound()


def test_status_names_an_idle_transaction_that_holds_a_product(
    service: Service, engine: Engine, bus: MessageBus
) -> None:
    """Nobody waits for it yet. A transaction that only reads holds nothing."""
    bus.handle(CreateBatch("b1", "S", 10))
    with engine.connect() as holder, engine.connect() as reader:
        reader.execute(text("SELECT sku FROM products"))
        holder.execute(LOCK)
        pid = holder.execute(text("SELECT pg_backend_pid()")).scalar_one()
        assert f"process {pid}, open for" in service.finding(Runbook.PRODUCT_LOCKED).problem
        assert [one.pid for one in service.database().holders] == [pid]


def test_status_notices_a_locked_table(service: Service, engine: Engine) -> None:
    with engine.connect() as holder:
        holder.execute(text("LOCK TABLE products IN ACCESS EXCLUSIVE MODE"))
        assert eventually(lambda: service.database().not_ready) == "another session locks a table"
        assert service.finding(Runbook.PRODUCT_LOCKED)
