"""Makes the OpenAPI document of operations."""

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

from readmodel.web.description.operations import Operation, Operations, Reply
from readmodel.web.description.schemas import Schemas
from readmodel.web.description.words import ABOUT, HEADERS, OF_EVERY_ANSWER, OF_EVERY_REQUEST, TAGS
from readmodel.web.edge.access import ANY
from readmodel.web.parameters import PATH, Parameter

JsonObject = dict[str, Any]
TOKEN = "accessToken"  # noqa: S105  # It is the name of a security scheme.
SECURITY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "An access token, which `allocation access-token new` creates",
}


def document(operations: Operations, *, needs_tokens: bool) -> JsonObject:
    """Return the document. `needs_tokens` says whether the service has access tokens."""
    return Document(Schemas(types_of(operations)), needs_tokens, {}).of(operations)


def types_of(operations: Operations) -> Iterator[Any]:
    for operation in operations.values():
        yield from operation.body.values()
        for reply in operation.replies.values():
            yield from reply.contents.values()


def operation_id(method: str, path: str) -> str:
    return "_".join([method.lower(), *re.findall(r"\w+", path)])


class Document(NamedTuple):
    """`shared` collects the named replies."""

    schemas: Schemas
    needs_tokens: bool
    shared: dict[str, JsonObject]

    def of(self, operations: Operations) -> JsonObject:
        paths = {path: {one.method.lower(): self.operation(path, one)} for path, one in operations.items()}
        used = {one.tag for one in operations.values()}
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Allocation",
                "version": version("allocation"),
                "summary": "Allocates order lines to batches of stock",
                "description": ABOUT,
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in used],
            "paths": paths,
            "components": {
                "schemas": self.schemas.components,
                "responses": self.shared,
                "headers": HEADERS,
                "parameters": {one.name: parameter(one) for one in OF_EVERY_REQUEST},
                "securitySchemes": {TOKEN: SECURITY_SCHEME},
            },
        }

    def operation(self, path: str, one: Operation) -> JsonObject:
        described: JsonObject = {
            "operationId": operation_id(one.method, path),
            "tags": [one.tag],
            "summary": one.summary,
            "security": self.security(one.scope),
            "responses": {str(status): self.response(one.replies[status]) for status in sorted(one.replies)},
        }
        if one.description:
            described["description"] = one.description
        shared = [{"$ref": f"#/components/parameters/{found.name}"} for found in OF_EVERY_REQUEST]
        described["parameters"] = [*map(parameter, one.parameters), *shared]
        if one.body:
            described["requestBody"] = {"required": True, "content": self.contents(one.body, one.example)}
        return described

    def security(self, scope: str | None) -> list[dict[str, list[str]]]:
        if scope is None:
            return []
        needed = [{TOKEN: [] if scope == ANY else [scope]}]
        return needed if self.needs_tokens else [*needed, {}]

    def response(self, reply: Reply) -> JsonObject:
        described: JsonObject = {"description": reply.description}
        if names := (*reply.headers, *OF_EVERY_ANSWER):
            described["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        if reply.contents:
            described["content"] = self.contents(reply.contents, reply.example)
        if not reply.name:
            return described
        if self.shared.setdefault(reply.name, described) != described:
            raise ValueError(f"two replies have the name {reply.name}")
        return {"$ref": f"#/components/responses/{reply.name}"}

    def contents(self, contents: Mapping[str, Any], example: object) -> JsonObject:
        schemas = {media_type: self.schemas.of(found) for media_type, found in contents.items()}
        return {
            media_type: {"schema": schema, "example": self.schemas.example(schema) if example is None else example}
            for media_type, schema in schemas.items()
        }


def parameter(one: Parameter) -> JsonObject:
    described: JsonObject = {
        "name": one.name,
        "in": one.place,
        "description": one.description,
        "required": one.is_required or one.place == PATH,
        "schema": dict(one.schema),
    }
    return described if one.example is None else described | {"example": one.example}
