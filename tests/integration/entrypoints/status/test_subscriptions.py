"""Subscriptions that fail, as the status shows them."""

from sqlalchemy import Engine, text

from allocation.config import Settings
from allocation.domain.commands import Allocate, CreateBatch
from allocation.entrypoints.status.runbooks import Runbook
from allocation.local.ports import free_port
from allocation.service_layer.messagebus import MessageBus
from tests.support.status.service import Service, relaying

WITHOUT_A_LINE = text("""
    INSERT INTO events (sku, version, type, last, data)
    VALUES ('POISON', 1, 'Allocated', true, '{"type": "Allocated", "sku": "POISON", "version": 1}')
""")


def test_status_shows_the_error_of_a_subscription(settings: Settings, bus: MessageBus) -> None:
    nowhere = settings.model_copy(update={"smtp_url": f"smtp://127.0.0.1:{free_port()}"})
    service = Service(settings)
    with relaying(nowhere):
        service.wait_until_sound()
        bus.handle(CreateBatch("b1", "S", 1))
        bus.handle(Allocate("o1", "S", 2))
        found = service.finding(Runbook.MAIL)
        assert found.problem.startswith("The subscription out_of_stock has failed")
        assert found.problem.endswith("Connection refused")
        mails = service.database().subscriptions["out_of_stock"]
        assert mails.lag is not None
        assert mails.lag.events == 1
    with relaying(settings):
        service.wait_until_sound()
    mails = service.database().subscriptions["out_of_stock"]
    assert mails.error is not None, "the last error stays"
    assert mails.error.failing is None


def test_status_shows_a_dead_letter(service: Service, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(WITHOUT_A_LINE)
    found = service.finding(Runbook.DEAD_LETTER)
    assert found.problem.startswith("1 dead letter of ")
    assert found.what_to_do.startswith("Run allocation dead list")
