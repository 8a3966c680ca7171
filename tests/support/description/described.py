"""Compares real answers with the description of the service."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator

from tests.support.api import Answer, Api
from tests.support.e2e.media_types import NDJSON

MOST_LINES = 200
ALWAYS = {
    "cache-control",
    "connection",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "referrer-policy",
    "server",
    "transfer-encoding",
    "x-content-type-options",
}
"""The headers of every answer, or of the web server."""


def closed(schema: Any) -> Any:
    """Return the schema without room for members that it does not describe."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(one) for name, one in schema.items()}
    return found | {"additionalProperties": False} if isinstance(schema.get("properties"), dict) else found


class Description:
    """The description of a service. Its schemas allow no further members."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._components = {"components": {"schemas": closed(document["components"]["schemas"])}}
        # A path with a part after the name comes first, because the name may contain a slash.
        paths = sorted(document["paths"], key=lambda path: path.endswith("}"))
        self._patterns = {path: re.compile(re.sub(r"{\w+}", "(.+)", path)) for path in paths}

    def schema(self, schema: dict[str, Any]) -> Draft202012Validator:
        return Draft202012Validator(closed(schema) | self._components)

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Raise AssertionError if the description does not allow this answer. Ignore unknown paths and methods."""
        route, _, _ = path.partition("?")
        found = next((name for name, pattern in self._patterns.items() if pattern.fullmatch(unquote(route))), None)
        operation = self._document["paths"].get(found, {}).get(method.lower())
        if operation is None:
            return
        place = f"{method} {found} {answer.status}"
        replies = operation["responses"]
        assert str(answer.status) in replies, f"{place} is not described: {answer.body[:500]}"
        self._check_reply(place, self._resolved(replies[str(answer.status)]), answer)

    def _check_reply(self, place: str, reply: dict[str, Any], answer: Answer) -> None:
        headers = {name.lower(): one for name, one in reply.get("headers", {}).items()}
        unknown = set(answer.headers) - ALWAYS - set(headers)
        assert not unknown, f"{place} has headers that are not described: {unknown}"
        for name in set(headers) & set(answer.headers):
            schema = self._resolved(headers[name])["schema"]
            text = answer.headers[name]
            value = int(text) if schema["type"] == "integer" else text
            self.schema(schema).validate(value)
        contents = reply.get("content", {})
        media_type = answer.content_type.partition(";")[0]
        if not contents:
            assert not answer.body, place
            return
        assert media_type in contents, f"{place} has the type {media_type}"
        validator = self.schema(contents[media_type]["schema"])
        for value in self._values(media_type, answer.body):
            error = next(validator.iter_errors(value), None)
            assert error is None, f"{place}: {error}"

    @staticmethod
    def _values(media_type: str, body: str) -> list[Any]:
        if media_type == NDJSON:
            return [json.loads(line) for line in body.splitlines()[:MOST_LINES]]
        return [json.loads(body) if media_type.endswith("json") else body]

    def _resolved(self, one: dict[str, Any]) -> dict[str, Any]:
        """Return the part of the document that `one` refers to, or `one` itself."""
        if "$ref" not in one:
            return one
        found: Any = self._document
        for name in one["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        resolved: dict[str, Any] = found
        return resolved


class DescribedApi(Api):
    """A client that compares each answer with the description."""

    def __init__(self, port: int, description: Description) -> None:
        super().__init__(port)
        self._description = description

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        content_type: str | None = None,
        **headers: str,
    ) -> Answer:
        answer = super().request(method, path, body, content_type, **headers)
        self._description.check(method, path, answer)
        return answer
