"""The log of a process, on standard error: readable text, or one JSON object per line. Both have the same fields.

A record has the fields time, level, process, pid, logger and message. A logger call adds others with `extra`, for
example `correlation_id`. An error also has the field `exception`: its traceback.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec

import orjson

from readmodel.outage import StoreOutages

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

logger = logging.getLogger(__name__)

TEXT, JSON = "text", "json"
WEB_SERVER = "_granian"
P = ParamSpec("P")
STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "outage"}
"""The attributes that each record has. All others are fields that the logger call has added."""


def configure(
    process: str, form: str = TEXT, through: Callable[[logging.Handler], logging.Handler] = lambda writer: writer
) -> None:
    """Log to standard error, in the same way in all processes. `process` is the role of this one, for example relay.

    Errors that nobody catches become records, too. `through` may return a handler that passes records to the writer
    later. If the log is already configured, do nothing.
    """
    if logging.getLogger().handlers:
        return
    writer = logging.StreamHandler()
    writer.setFormatter(formatter(process, form))
    handler = through(writer)
    handler.addFilter(StoreOutages())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(True)
    sys.excepthook = log_bug
    threading.excepthook = lambda args: log_bug_in_thread(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = log_ignored_error


def formatter(process: str, form: str) -> logging.Formatter:
    return JsonFormatter(process) if form == JSON else TextFormatter(process)


def web_server_configuration(process: str, form: str) -> dict[str, Any]:
    """Return the logging configuration of the web server granian. Its own records then look like all others."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"same": {"()": f"{__name__}.{formatter.__name__}", "process": process, "form": form}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "same"}},
        "loggers": {WEB_SERVER: {"handlers": ["stderr"], "propagate": False}},
    }


class TextFormatter(logging.Formatter):
    """Escapes control characters: the text of a client must not start a line or control a terminal."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        source = f"{record.levelname} {self._process}[{record.process}] {record.name}"
        line = f"{moment(record)} {source}: {visible(record.getMessage())}"
        if added := added_fields(record):
            line += f" [{' '.join(f'{name}={quoted(value)}' for name, value in added.items())}]"
        if text := traceback_of(record):
            # Indent each line, so that a newline in an error's message does not look like a new record.
            line += "".join(f"\n  {visible(part)}" for part in text.split("\n"))
        return line


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object in one line, without a character that could control a terminal."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        members = {
            "time": moment(record),
            "level": record.levelname,
            "process": self._process,
            "pid": record.process,
            "logger": record.name,
            "message": record.getMessage(),
            **added_fields(record),
        }
        if text := traceback_of(record):
            members["exception"] = text
        return as_json(members)


def moment(record: logging.LogRecord) -> str:
    """Return the time of the record in UTC, for example 2027-01-31T12:00:00.123Z."""
    at = datetime.fromtimestamp(record.created, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def added_fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in STANDARD and value is not None}


def traceback_of(record: logging.LogRecord) -> str:
    """Return the traceback and the stack of the record, or an empty string."""
    found = logging.Formatter().formatException(record.exc_info) if record.exc_info else record.exc_text or ""
    return "\n".join(filter(None, (found, record.stack_info)))


def quoted(value: object) -> str:
    """Return a value of a field as text. Quote it if a reader could not see where it ends."""
    text = value if isinstance(value, str) else as_json(value)
    return text if text.isprintable() and not set(text) & set(' "=[]') and text else as_json(text)


def as_json(value: object) -> str:
    """Return JSON in one line. It escapes each character that is not printable."""
    try:
        text = orjson.dumps(value, default=str).decode()
    except TypeError:  # For example, a surrogate without its pair, or a very large number.
        text = json.dumps(value, ensure_ascii=False, default=str).encode(errors="replace").decode()
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def visible(text: str) -> str:
    """Return the text in one line, with invisible characters and direction marks escaped."""
    return text if text.isprintable() else "".join(map(visible_character, text))


def visible_character(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def pass_on_web_server() -> None:
    """Pass the records of the web server granian to the log of this process."""
    server = logging.getLogger(WEB_SERVER)
    server.handlers.clear()
    server.propagate = True


def harmless(report: Callable[P, None]) -> Callable[P, None]:
    """Return a function that calls `report`, and never raises. It logs the first error."""
    has_failed = False

    @wraps(report)
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        nonlocal has_failed
        try:
            report(*args, **kwargs)
        except Exception:
            if not has_failed:
                has_failed = True
                logger.exception("The metrics lack values. Further errors of this kind are not logged")

    return call


@contextmanager
def worker_bugs() -> Iterator[None]:
    """Log an error that ends a worker of the web server, which would print it in another form."""
    try:
        yield
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)
        raise SystemExit(1) from error


def log_bug(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Log an error that ends the process. Ctrl-C is no bug."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    else:
        logger.critical("A bug ends the process", exc_info=(kind, error, traceback))


def log_bug_in_thread(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    if error is not None and kind is not SystemExit:
        logger.critical("A bug ends a thread", exc_info=(kind, error, traceback))


def log_ignored_error(ignored: "UnraisableHookArgs") -> None:
    message = f"{ignored.err_msg or 'Python ignores an error'} in {ignored.object!r}"
    error = ignored.exc_value
    logger.error(message, exc_info=None if error is None else (type(error), error, ignored.exc_traceback))
