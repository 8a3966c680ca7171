"""The consistency token in the answer to a command."""

from collections.abc import Callable

from allocation.service_layer.outcomes import Written
from readmodel.projector.fold import Projection
from readmodel.store.reads.consistency import token_text
from readmodel.web.answers import Headers

CreateToken = Callable[[Written], str]


def create_token(projection: Projection, written: Written) -> str:
    """Return the token of a command. Without its events, the token has only the position."""
    registers = None if written.events is None else projection.written(written.events)
    return token_text(written.identity, written.epoch, written.position, registers)


def token_header(written: Written | None, create: CreateToken) -> Headers:
    """Return the header with the token, or no header if the commit published no events of the command."""
    return () if written is None else (("allocation-token", create(written)),)
