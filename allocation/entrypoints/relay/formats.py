"""The relay keeps an older format of the views, and waits before an unknown one: see docs/adr/0032."""

import logging
from contextlib import suppress

from readmodel.store.errors import BUILT_BY_OLDER_RELEASE, ModelDamaged
from readmodel.store.formats import NEWEST, Format, format_of
from readmodel.store.store import Store

logger = logging.getLogger(__name__)


def format_to_build(store: Store, wanted: Format) -> Format:
    """Return the wanted format, but with the number of the live generation if that is older. Raise UnknownFormat.

    While processes of an older release may run, only an operator decides on the newer format.
    """
    with suppress(ModelDamaged):
        live = store.generations().live
        if live is not None and (found := format_of(live)).number < wanted.number:
            return Format(found.number, wanted.kept if found.has_lists else 0)
    return wanted


def require_known_format(store: Store) -> None:
    """Raise UnknownFormat. A relay that waits must not make the readers of a newer release drop their caches."""
    with suppress(ModelDamaged):
        store.generations()


def warn_of_older_format(store: Store) -> None:
    live = store.generations().live
    if live is not None and format_of(live).number < NEWEST:
        logger.warning("%s", BUILT_BY_OLDER_RELEASE)
