"""Makes JSON Schemas of types, and examples of JSON Schemas."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

Schema = dict[str, Any]
REF = "#/components/schemas/"


class WithoutTitles(GenerateJsonSchema):
    """Members get no title: pydantic would repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


class Schemas:
    """The JSON Schemas of some types. `components` has those that others refer to, by name."""

    def __init__(self, types: Iterable[Any]) -> None:
        by_id = {id(one): one for one in types}  # Annotated types are not hashable.
        found, shared = TypeAdapter.json_schemas(
            [(key, "validation", TypeAdapter(one)) for key, one in by_id.items()],
            ref_template=f"{REF}{{model}}",
            schema_generator=WithoutTitles,
        )
        self._schemas: dict[int, Schema] = {key: schema for (key, _), schema in found.items()}
        self.components: dict[str, Schema] = shared.get("$defs", {})

    def of(self, one: Any) -> Schema:
        """Return the schema of one of the types."""
        return self._schemas[id(one)]

    def example(self, schema: Mapping[str, Any]) -> Any:
        """Return the example of the schema, or one that consists of those of its parts."""
        for given in ("examples", "enum"):
            if given in schema:
                return schema[given][0]
        if "const" in schema:
            return schema["const"]
        if "$ref" in schema:
            return self.example(self.components[schema["$ref"].removeprefix(REF)])
        if schema.get("type") == "array":
            return [self.example(schema["items"])]
        if schema.get("type") == "object":
            return {name: self.example(member) for name, member in self._shown_members(schema).items()}
        for choices in ("oneOf", "anyOf"):
            if choices in schema:
                return self.example(schema[choices][0])
        raise ValueError(f"this type needs an example: {schema}")

    @staticmethod
    def _shown_members(schema: Mapping[str, Any]) -> dict[str, Schema]:
        """Return the members that are required, or have an example of their own."""
        members: dict[str, Schema] = schema.get("properties", {})
        required = schema.get("required", ())
        return {name: member for name, member in members.items() if name in required or "examples" in member}
