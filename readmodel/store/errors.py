class ModelAbsent(Exception):
    """The read model, or a part of it, does not exist now. A rebuild from the log restores it."""

    def __str__(self) -> str:
        return self.args[0] if self.args else "the read model does not exist"


class ModelDamaged(ModelAbsent):
    """A key of the read model holds data that this service can't have written. A rebuild replaces it."""


class TornRead(Exception):
    """A write or a switch happened during the read, so the parts don't match. The reader must read again."""
