"""Passes events to the handler of a subscription, and finds those that make it fail."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError

from allocation.adapters.postgres.log.typed_entries import LogEntry
from allocation.entrypoints.relay.handled_events import HandledEvents
from allocation.service_layer.out_of_stock import NotSent
from allocation.service_layer.unit_of_work import LoggedEvent, RetryableError, StoreUnavailable
from readmodel.faults import reason_of
from readmodel.store.errors import UnknownFormat

UNAVAILABLE = (RedisError, StoreUnavailable, RetryableError, NotSent, UnknownFormat)
"""The errors of a store or a mail server. The relay retries them indefinitely. Any other error is an event's fault."""

Failed = dict[int, str | None]
"""Maps the position of an event that was not handled to the error, or to None if the event must wait."""


class Delivery:
    """Passes events to `handle`, and records their names."""

    def __init__(self, handle: Callable[[Sequence[LoggedEvent]], None], handled: HandledEvents) -> None:
        self._handle = handle
        self._handled = handled

    def deliver_page(self, entries: Sequence[LogEntry], waiting: Sequence[LogEntry]) -> Failed:
        """Handle the events of a page, which are in order. Return those that were not handled.

        `waiting` are the events of the same page that the caller parks without an attempt. Raise an error of
        UNAVAILABLE.

        After an interruption, the cursor skips the events before the last one that is recorded as handled. So first
        record the events that it must not skip. If that fails, do not record any event as handled.
        """
        is_safe = not waiting or self._handled.record_parked([entry.name for entry in waiting])
        error = self._passes(entries, record=is_safe) if entries else None
        if error is None:
            return {}
        is_safe = self._handled.record_parked([entry.name for entry in entries]) and is_safe
        return self._divide(entries, error, record=is_safe)

    def deliver_parked(self, entries: Sequence[LogEntry]) -> Failed:
        """Handle parked events of one SKU, as `deliver_page` does. The cursor has passed them."""
        error = self._passes(entries, record=True)
        return {} if error is None else self._divide(entries, error, record=True)

    def _divide(self, entries: Sequence[LogEntry], error: str, *, record: bool) -> Failed:
        """Handle the events of each SKU alone, and then event by event, because all of them together have failed.

        After an event that fails, the later events of its SKU wait.
        """
        if len(entries) == 1:
            return {entries[0].position: error}
        of_sku = defaultdict[str, list[LogEntry]](list)
        for entry in entries:
            of_sku[entry.sku].append(entry)
        if len(of_sku) == 1:
            return self._deliver_each(entries, record=record)
        failed: Failed = {}
        for own in of_sku.values():
            found = self._passes(own, record=record)
            if found is not None:
                failed |= self._divide(own, found, record=record)
        return failed

    def _deliver_each(self, entries: Sequence[LogEntry], *, record: bool) -> Failed:
        for number, entry in enumerate(entries):
            error = self._passes([entry], record=record)
            if error is not None:
                return {entry.position: error} | {later.position: None for later in entries[number + 1 :]}
        return {}

    def _passes(self, entries: Sequence[LogEntry], *, record: bool) -> str | None:
        """Return None if the handler has handled these events, and otherwise its error."""
        try:
            self._handle([entry.event for entry in entries])
        except UNAVAILABLE:
            raise
        except Exception as error:  # The caller parks the event with this error.
            return reason_of(error)
        if record:
            self._handled.record([entry.name for entry in entries])
        return None
