import logging


def configure() -> None:
    """Log readable lines to standard error, in one format for all processes."""
    handler = logging.StreamHandler()
    handler.setFormatter(VisibleFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class VisibleFormatter(logging.Formatter):
    """Escapes control characters in messages: an identifier must not start a line or control a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        escaped = logging.makeLogRecord(record.__dict__ | {"msg": visible(record.getMessage()), "args": None})
        return super().format(escaped)

    def formatException(self, ei: "logging._SysExcInfoType") -> str:  # noqa: N802  # The base class names it.
        """Indent each line, so that a newline in an error's message does not look like a new record."""
        return "\n".join("  " + visible(line) for line in super().formatException(ei).split("\n"))


def visible(text: str) -> str:
    """Return the text in one line, with invisible characters and direction marks escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
