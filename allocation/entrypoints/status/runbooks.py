"""The runbooks of the operations guide."""

from enum import StrEnum

GUIDE = "docs/operate.md"


class Runbook(StrEnum):
    """The value is the anchor of a heading in the guide."""

    RELAY_ABSENT = "the-relay-does-not-run"
    RELAY_HANGS = "the-relay-hangs"
    VIEWS_LAG = "the-views-lag"
    SUBSCRIPTION = "a-subscription-lags-or-fails"
    DEAD_LETTER = "a-dead-letter"
    DRIFT = "drift"
    FENCE = "a-transaction-holds-the-fence"
    PRODUCT_LOCKED = "a-product-is-locked"
    POSTGRES_UNREACHABLE = "postgresql-cant-be-reached"
    DISK_FULL = "the-disk-of-postgresql-is-full"
    REDIS_UNREACHABLE = "redis-cant-be-reached"
    REDIS_FULL = "redis-is-full-or-evicts-keys"
    CONSUMER_ABSENT = "no-consumer-runs"
    COMMANDS_FAIL = "commands-fail"
    BUSY = "commands-are-refused-because-the-service-is-busy"
    MAIL = "the-mail-server-is-stuck"

    @property
    def link(self) -> str:
        return f"{GUIDE}#{self.value}"
