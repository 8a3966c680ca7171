"""Lets Schemathesis send and read NDJSON. Schemathesis loads this module: see SCHEMATHESIS_HOOKS.

The description has the schema of one line. Here, a body is an array of such lines.
"""

import json
from typing import Any

import schemathesis

MEDIA_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")


@schemathesis.hook
def before_load_schema(_: Any, raw_schema: dict[str, Any]) -> None:
    bulk = raw_schema["paths"]["/commands"]["post"]
    for content in (bulk["requestBody"]["content"], bulk["responses"]["200"]["content"]):
        for media_type in MEDIA_TYPES:
            if media_type in content:
                lines = {"type": "array", "items": content[media_type]["schema"]}
                content[media_type] = {"schema": lines}


@schemathesis.serializer(*MEDIA_TYPES)
def serialize(_: Any, value: Any) -> bytes:
    """Return the lines. If a test sends something else than a list, it becomes a line."""
    if isinstance(value, bytes):
        return value
    lines = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@schemathesis.deserializer(*MEDIA_TYPES)
def deserialize(_: Any, response: Any) -> list[Any]:
    return [json.loads(line) for line in response.content.splitlines()]
