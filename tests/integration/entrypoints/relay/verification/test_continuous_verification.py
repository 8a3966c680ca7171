"""A relay corrects the views while it runs, counts the corrections, and raises no false alarm."""

import pytest
from redis import Redis
from sqlalchemy import Engine

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.config import Settings, load_settings
from allocation.entrypoints.relay.verification.continuous_verification import ContinuousVerification
from allocation.relay_threads import create_threads
from allocation.service_layer.messagebus import MessageBus
from allocation.shutdown import Shutdown
from readmodel.logs import visible
from readmodel.projector.verification.differences import Comparison
from readmodel.store.names import PLAIN
from readmodel.store.records.drift import corrected_registers
from readmodel.store.store import Store
from tests.support.e2e.threads import in_threads
from tests.support.eventually import eventually
from tests.support.readmodel.continuous_verification import verify_everything, verifying, verifying_relay
from tests.support.readmodel.damages import LINE, REGISTERS, Damage, Place
from tests.support.readmodel.rebuilds import fingerprint
from tests.support.service_layer.traffic import Traffic

CORRECTABLE = {name: case for name, case in REGISTERS.items() if name != "a dead generation"}
CORRECTED = "The views differed from the database, and the relay corrected "


@pytest.mark.slow
@pytest.mark.parametrize(("damage", "expected"), CORRECTABLE.values(), ids=CORRECTABLE)
def test_the_relay_corrects_a_damage_and_counts_it(
    shop: Store, engine: Engine, damage: Damage, expected: set[Place], caplog: pytest.LogCaptureFixture
) -> None:
    """Among the damages is an order that does not exist."""
    before = fingerprint(shop)
    with verifying(shop, engine) as thread:
        verify_everything(thread)
        assert corrected_registers(shop.redis, PLAIN) == 0
        damage(shop.redis, shop.generations().live or "")
        eventually(lambda: corrected_registers(shop.redis, PLAIN) >= len(expected))
        verify_everything(thread)
    assert fingerprint(shop) == before
    corrections = [message for message in caplog.messages if message.startswith(CORRECTED)]
    assert corrected_registers(shop.redis, PLAIN) == len(corrections) >= len(expected)
    for key, field in expected:
        place = visible(key if field is None else f"{key} {field}")
        assert any(message.startswith(f"{CORRECTED}{place}: found ") for message in corrections), corrections


def test_a_correction_is_logged_with_both_values(shop: Store, engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    live = shop.generations().live
    sound = str(shop.redis.hget(f"{live}:{LINE}", "S"))
    shop.redis.hset(f"{live}:{LINE}", "S", "nonsense\n")
    with verifying(shop, engine):
        eventually(lambda: corrected_registers(shop.redis, PLAIN))
    assert caplog.messages == [f"{CORRECTED}{LINE} S: found nonsense\\n, expected {sound}"]


def test_no_false_alarm_arises_under_traffic(
    shop: Store,
    engine: Engine,
    projecting_bus: MessageBus,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first comparison finds suspects that the relay or a worker has not shown yet."""
    suspects = list[str]()
    wait = Comparison._wait_until_shown

    def observed_wait(comparison: Comparison) -> None:
        suspects.append(comparison.generation)
        wait(comparison)

    monkeypatch.setattr(Comparison, "_wait_until_shown", observed_wait)
    traffic = Traffic(projecting_bus)
    with verifying_relay(shop, engine) as thread, in_threads(traffic.run, traffic.run):
        eventually(lambda: traffic.commands > 20)
        commands = traffic.commands
        verify_everything(thread)
        eventually(lambda: suspects)
        verify_everything(thread)
        assert traffic.commands > commands, "no command was executed during a whole round"
    assert CORRECTED not in caplog.text
    assert corrected_registers(shop.redis, PLAIN) == 0


@pytest.mark.parametrize(("rate", "expected"), [("0", 0), ("1", 1), (None, 1)], ids=["off", "on", "default"])
def test_a_rate_of_0_starts_no_thread(
    rate: str | None, expected: int, shop: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    if rate is not None:
        monkeypatch.setenv("ALLOCATION_VERIFY_RATE", rate)
    settings: Settings = load_settings()
    threads = create_threads(settings, engine, EventLog(engine), shop, Shutdown())
    assert len([thread for thread in threads if isinstance(thread, ContinuousVerification)]) == expected


@pytest.mark.parametrize("value", ["x", "1_0x", "9223372036854775807"])
def test_the_number_of_corrections_survives_damage(value: str, shop: Store, engine: Engine, redis: Redis) -> None:
    """If the key holds no number, the number starts again."""
    redis.set(PLAIN.drift, value)
    redis.hdel(f"{shop.generations().live}:{LINE}", "S")
    with verifying(shop, engine):
        eventually(lambda: redis.get(PLAIN.drift) == "1")


def test_a_number_of_another_type_counts_as_0(redis: Redis) -> None:
    redis.rpush(PLAIN.drift, "x")
    assert corrected_registers(redis, PLAIN) == 0
