class CannotStart(Exception):
    """Why the service can't be started here, in a line that says what to do."""
