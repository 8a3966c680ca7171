"""Correlation ids: one id for a request and for everything that it causes, in logs, events, announcements and mails."""

import re
import secrets

VALID = re.compile("[!-~]{1,128}")
"""1 to 128 visible ASCII characters."""
TRACEPARENT = re.compile("([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-[ -~]*)?")
"""The version, the trace id, the parent id and the flags. A version after 00 may add further parts."""


def correlation_id(traceparent: str | None, request_id: str | None) -> str:
    """Return the trace id of a W3C `traceparent`, else the request id, else a new id. Ignore an invalid value."""
    if traceparent is not None and (found := trace_id(traceparent)) is not None:
        return found
    if request_id is not None and is_valid(request_id):
        return request_id
    return new_id()


def new_id() -> str:
    """Return a random id that is also a valid trace id."""
    return secrets.token_hex(16)


def is_valid(value: object) -> bool:
    return isinstance(value, str) and VALID.fullmatch(value) is not None


def trace_id(traceparent: str) -> str | None:
    """Return the trace id, or None if the header is invalid: see https://www.w3.org/TR/trace-context/."""
    found = TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    version, trace, parent, more = found.groups()
    if version == "ff" or (version == "00" and more is not None) or not (trace.strip("0") and parent.strip("0")):
        return None
    return trace
