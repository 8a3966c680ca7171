"""Verify and repair meet commands, rebuilds and views that lag."""

import json
import threading

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.domain.commands import (
    Allocate,
    CreateBatch,
    Ship,
)
from allocation.entrypoints.cli.operate.verification import shown
from allocation.event_handlers import PROJECTION
from allocation.service_layer.messagebus import MessageBus
from readmodel.projector.rebuild import rebuild
from readmodel.projector.verification import differences
from readmodel.projector.verification import verifier as verify
from readmodel.projector.verification.differences import Comparison, Difference, ViewsBehind
from readmodel.store.formats import FORMAT_1
from readmodel.store.store import Store
from readmodel.views.orders import decode_line
from readmodel.views.products import product_key
from tests.support.patience import PATIENCE
from tests.support.readmodel.damages import LINE, Place
from tests.support.readmodel.rebuilds import fingerprint, follow_to_the_end
from tests.support.readmodel.verification import places, verification, verifier


def test_repair_keeps_a_register_that_has_changed(shop: Store, engine: Engine, projecting_bus: MessageBus) -> None:
    """A command changes the register after verify has seen it. Its new value is right."""
    shop.redis.hset(f"{shop.generations().live}:{LINE}", "S", "1:a1 [4,1]")
    seen = list(verification(shop, engine).differences())
    projecting_bus.handle(Ship("o1", "S"))
    for difference in seen:
        verifier(shop, engine).repair(difference)
    stored = str(shop.redis.hget(f"{shop.generations().live}:{LINE}", "S"))
    assert decode_line("S", stored)["status"] == "shipped"


def test_repair_restores_no_register_that_has_moved(shop: Store, engine: Engine, projecting_bus: MessageBus) -> None:
    """In format 1, verify found that a batch with room was missing. Then a command used it up, and it moved."""
    rebuild(shop, EventLog(engine), PROJECTION, target=FORMAT_1)
    live = shop.generations().live
    projecting_bus.handle(CreateBatch("b9", "R", 5))
    follow_to_the_end(shop, EventLog(engine))
    shop.redis.hdel(f"{live}:{product_key('R')}", "batch:b9")
    [seen] = verification(shop, engine).differences()
    projecting_bus.handle(Allocate("all", "R", 5))
    verifier(shop, engine).repair(seen)
    assert not shop.redis.hexists(f"{live}:{product_key('R')}", "batch:b9")
    follow_to_the_end(shop, EventLog(engine))
    assert places(shop, engine) == set()


def test_verify_does_not_report_views_that_lag(
    shop: Store, engine: Engine, bus: MessageBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No relay works here. A late register is no damage."""
    monkeypatch.setattr(differences, "SHOWN_WITHIN", 0.2)
    bus.handle(Allocate("late", "S", 1))
    with pytest.raises(ViewsBehind, match="Either no relay works, or a transaction holds the log back"):
        places(shop, engine)


def test_verify_goes_on_with_the_generation_of_a_rebuild(
    shop: Store, engine: Engine, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rebuild drops the generation that verify has just compared."""
    shop.redis.hdel(f"{shop.generations().live}:{LINE}", "S")
    rebuilds = list[object]()

    class Rebuilt(Comparison):
        def _wait_until_shown(self) -> None:
            if not rebuilds:
                rebuilds.append(rebuild(shop, log, PROJECTION))
            super()._wait_until_shown()

    monkeypatch.setattr(verify, "Comparison", Rebuilt)
    assert places(shop, engine) == set(), "the rebuild has restored the line"
    assert rebuilds


def test_repair_waits_for_another_rebuild(shop: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allocation.entrypoints.verification.PAUSE", 0.01)
    before = fingerprint(shop)
    shop.redis.delete(f"{shop.generations().live}:{{03}}:cursor")
    corrected = list[Place]()

    def repair() -> None:
        corrected.extend((found.key, found.field) for found in verification(shop, engine).repair())

    with EventLog(engine).rebuild_lock() as mine:
        assert mine
        thread = threading.Thread(target=repair)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive(), "repair did not wait"
    thread.join(PATIENCE)
    assert corrected == [("{03}:cursor", None)]
    assert fingerprint(shop) == before


def test_json_shows_bytes_that_are_not_utf8() -> None:
    assert json.loads(shown(Difference(LINE, "\udcff", "\udcfe", None), as_json=True)) == {
        "key": LINE,
        "field": "\udcff",
        "found": "\udcfe",
        "expected": None,
    }
