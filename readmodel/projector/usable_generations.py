"""Reads the generations before somebody replaces them."""

from readmodel.store.errors import ModelDamaged, UnknownFormat
from readmodel.store.generations import Generations
from readmodel.store.store import Store


def usable_generations(store: Store) -> Generations:
    """Return the generations. If their key is damaged, delete it: then there is no live generation.

    Raise UnknownFormat.
    """
    try:
        return store.generations()
    except ModelDamaged:
        store.redis.delete(store.names.generations)
        return store.generations()


def replaced_generations(store: Store) -> Generations:
    """Do the same, but also delete a key that names an unknown format: only a rebuild may replace such views."""
    try:
        return usable_generations(store)
    except UnknownFormat:
        store.redis.delete(store.names.generations)
        return store.generations()
