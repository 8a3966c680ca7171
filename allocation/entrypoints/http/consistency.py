"""The consistency token in the answer to a command."""

from collections.abc import Callable

from allocation.service_layer.outcomes import Written
from readmodel.projector.fold import Projection
from readmodel.store.reads.consistency import MOST_PLACES, token_text
from readmodel.web.answers import Headers

CreateToken = Callable[[Written], str]


def create_token(projection: Projection, written: Written) -> str:
    """Return the token of a command. A command with many events gets one without places.

    A query with such a token waits for the relay.
    """
    is_small = len(written.events) <= MOST_PLACES
    return token_text(
        written.identity,
        written.epoch,
        written.position,
        projection.places(written.events) if is_small else None,
        changes_cached=projection.change_cached(written.events),
    )


def token_header(written: Written | None, create: CreateToken) -> Headers:
    """Return the header with the token, or nothing if the command has no events: its effect is older than its views."""
    return () if written is None else (("allocation-token", create(written)),)
