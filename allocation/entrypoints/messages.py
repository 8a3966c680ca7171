"""Executes the messages of a channel as commands, and parks those that fail because of a bug."""

import logging

from allocation.adapters.postgres.parked_messages import ParkedMessages
from allocation.adapters.schemas.commands import CommandSchema, Message, parse
from allocation.adapters.schemas.errors import InvalidInput
from allocation.domain.changes import Origin
from allocation.domain.errors import Refusal
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import RetryableError, StoreUnavailable
from readmodel.correlation import is_valid, new_id
from readmodel.faults import reason_of

logger = logging.getLogger(__name__)

LONGEST_SHOWN = 500


class Messages:
    """The methods raise StoreUnavailable and RetryableError. The caller may repeat a call then."""

    def __init__(self, bus: MessageBus, parked: ParkedMessages, channel: str, schema: CommandSchema) -> None:
        self._bus = bus
        self._parked = parked
        self._channel = channel
        self._schema = schema

    def execute_or_park(self, number: int, data: bytes, correlation_id: str) -> str:
        """Execute the message with this number. Return "handled", "refused" or "parked".

        Park the message if it fails because of a bug, or if an earlier message about its batch is parked.
        """
        fields = {"correlation_id": correlation_id}
        batch = ""
        try:
            command = self._schema.from_json(data)
            batch = getattr(command, "ref", "")
            if self._parked.has(batch):
                self._parked.park(batch, data, None)
                return "parked"
            self._bus.handle(command, origin=Origin(correlation_id=correlation_id))
        except (InvalidInput, Refusal) as refusal:
            message = "Message %s on %s was refused: %s: %s"
            logger.error(message, number, self._channel, refusal, shortened(data), extra=fields)
            return "refused"
        except (StoreUnavailable, RetryableError):
            raise
        except Exception as error:  # A bug. The sender can't correct the message, and Redis does not deliver it again.
            reason = reason_of(error)
            self._parked.park(batch, data, reason)
            message = "Message %s on %s failed and is parked: %s: %s"
            logger.error(message, number, self._channel, reason, shortened(data), extra=fields)
            return "parked"
        return "handled"

    def retry(self) -> bool:
        """Execute a parked message that is due. Return False if none is due."""
        leased = self._parked.lease()
        if leased is None:
            return False
        try:
            error = self._execute(leased.message)
        except (StoreUnavailable, RetryableError):
            self._parked.release(leased)
            raise
        failure = self._parked.settle(leased, error)
        if failure is not None and failure.is_dead:
            logger.error(
                "A message on %s is a dead letter after %s attempts. Later messages about its batch wait for an "
                "operator: see allocation dead show %s",
                self._channel,
                failure.attempts,
                failure.id,
            )
        return True

    def _execute(self, data: bytes) -> str | None:
        """Execute a parked message. Return the error if it fails because of a bug."""
        correlation_id = correlation_id_of(data)
        try:
            self._bus.handle(self._schema.from_json(data), origin=Origin(correlation_id=correlation_id))
        except (InvalidInput, Refusal) as refusal:
            message, fields = "A parked message on %s was refused: %s: %s", {"correlation_id": correlation_id}
            logger.error(message, self._channel, refusal, shortened(data), extra=fields)
        except (StoreUnavailable, RetryableError):
            raise
        except Exception as error:  # The next attempt, or an operator, decides.
            return reason_of(error)
        return None


def correlation_id_of(data: bytes) -> str:
    """Return the member `correlation_id` of the message, or a new id if it has no valid one."""
    try:
        found = parse(Message, data).correlation_id
    except InvalidInput:
        return new_id()
    return found if isinstance(found, str) and is_valid(found) else new_id()


def shortened(data: bytes) -> str:
    return repr(data[:LONGEST_SHOWN]) + ("…" if len(data) > LONGEST_SHOWN else "")
