BUILT_BY_OLDER_RELEASE = (
    "An older release has built the views. When no process of that release is left, run `allocation rebuild`"
)


class ModelAbsent(Exception):
    """The read model, or a part of it, does not exist now. A rebuild from the log restores it."""

    def __str__(self) -> str:
        return self.args[0] if self.args else "the read model does not exist"


class ModelDamaged(ModelAbsent):
    """A key of the read model holds data that this service can't have written. A rebuild replaces it."""


class UnknownFormat(ModelAbsent):
    """The views have a format that this release does not know. Only `allocation rebuild` replaces them."""

    def __init__(self, generation: str) -> None:
        super().__init__(f"This release does not know the format of the views: {generation}")


class NeedsRebuild(ModelAbsent):
    """An older release has built the views, and they lack what the query needs."""

    def __str__(self) -> str:
        return f"The views lack what this query needs. {BUILT_BY_OLDER_RELEASE}"


class ModelOutdated(ModelAbsent):
    """Redis has restarted or failed over, and may have lost the latest writes. The relay has not caught up since."""

    def __str__(self) -> str:
        return "The read model may lack the latest commands: Redis has restarted or failed over"


class HistoryChanged(ModelAbsent):
    """The generation shows a history that the log no longer has."""

    def __str__(self) -> str:
        return "the database has another history than the one that the views show"


class TornRead(Exception):
    """A write or a switch happened during the read, so the parts don't match. The reader must read again."""
