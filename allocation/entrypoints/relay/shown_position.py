from readmodel.projector.follow import Log
from readmodel.store.errors import ModelAbsent, UnknownFormat
from readmodel.store.store import Store


def shown_position(store: Store, log: Log) -> int:
    """Return the log position up to which the views show every event, or 0 if it is unknown.

    The relay announces only the lines up to this position. So a program that receives an announcement finds the line in
    the views. Raise RedisError if Redis is unavailable. Raise UnknownFormat: a relay of a newer release may know the
    views.
    """
    try:
        return position_in_live_generation(store, log)
    except UnknownFormat:
        raise
    except ModelAbsent:
        return 0


def position_in_live_generation(store: Store, log: Log) -> int:
    live = store.generations().live
    cursor = store.cursor(live, log.identity()) if live else None
    if cursor is None or store.generations().live != live:
        return 0  # The views are missing, or a switch happened: the new generation may lag behind the old generation.
    return cursor
