class CannotStart(Exception):
    """The service can't start. The message says what the user can do."""
