class CannotStart(Exception):
    """The service can't start. The message states the reason."""
