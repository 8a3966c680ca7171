"""What the description says about commands is what the service does with them."""

import json
import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from allocation.adapters.schemas.commands import COMMANDS, CommandSchema
from allocation.adapters.schemas.errors import InvalidInput
from allocation.adapters.schemas.fields import LARGEST_QTY
from allocation.domain.changes import Origin
from allocation.domain.commands import Command
from allocation.domain.errors import Refusal
from allocation.entrypoints.http.bulk import MEDIA_TYPES, Caller, parse_line
from allocation.entrypoints.http.description.commands import SUMMARIES
from allocation.entrypoints.http.description.refusals import REFUSALS, REFUSED
from allocation.service_layer.command_requests import CommandRequest
from tests.model.rules import Model
from tests.support.description.edges import client_of, description_of, edge_of
from tests.support.service_layer.random_commands import random_commands

CALLER = Caller("/commands", Origin())
NAMES = ["", "x", "x" * 255, "x" * 256, "\U0001f6cb" * 255, "a\0", "a\n", "2027-01-15", "2027-13-15", "2027-1-15"]
OTHERS = [None, True, False, -1, 0, 1, LARGEST_QTY, LARGEST_QTY + 1, 1.5, [], {}, ["x"], {"x": 1}, [{"sku": "x"}]]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    with client_of(edge_of("serve")) as client:
        return description_of(client)


def body_of(document: dict[str, Any], path: str, media_type: str = "application/json") -> dict[str, Any]:
    """Return what the document says about the body of a request."""
    found: dict[str, Any] = document["paths"][path]["post"]["requestBody"]["content"][media_type]
    return found


def validator_of(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    components = {"components": document["components"]}
    return Draft202012Validator(schema | components, format_checker=Draft202012Validator.FORMAT_CHECKER)


def variants(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield bodies that lack a member, have another value of it, or a further member."""
    yield body | {"more": 1}
    for name in {*body, "batchref"}:
        yield {other: value for other, value in body.items() if other != name}
        for value in [*NAMES, *OTHERS]:
            yield body | {name: value}


def is_accepted(schema: CommandSchema, body: object) -> bool:
    try:
        schema.from_json(json.dumps(body).encode())
    except InvalidInput:
        return False
    return True


def test_each_command_describes_the_refusals_of_the_rules() -> None:
    """The model is a second implementation of the rules."""
    found = set[tuple[type[Command], type[Refusal]]]()
    for seed in range(4):
        model = Model()
        for command in islice(random_commands(random.Random(seed)), 600):
            try:
                model.handle(command)
            except Refusal as refusal:
                found.add((type(command), type(refusal)))
    assert found == {(command, refusal) for command, refusals in REFUSED.items() for refusal in refusals}
    assert {refusal for _, refusal in found} == set(REFUSALS)


def test_each_command_has_a_summary() -> None:
    assert set(SUMMARIES) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_schema_accepts_the_bodies_that_the_service_does(name: str, document: dict[str, Any]) -> None:
    body = body_of(document, f"/{name}")
    assert body == body_of(document, f"/preview/{name}")
    validator, example = validator_of(document, body["schema"]), body["example"]
    verdicts = {
        json.dumps(one): (validator.is_valid(one), is_accepted(COMMANDS[name], one)) for one in variants(example)
    }
    assert {one: verdict for one, verdict in verdicts.items() if verdict[0] != verdict[1]} == {}
    assert is_accepted(COMMANDS[name], example)
    assert set(verdicts.values()) == {(True, True), (False, False)}


def test_the_schema_of_a_line_accepts_what_a_bulk_does(document: dict[str, Any]) -> None:
    content = body_of(document, "/commands", MEDIA_TYPES[0])
    validator, seen = validator_of(document, content["schema"]), set[bool]()
    for name in COMMANDS:
        example = body_of(document, f"/{name}")["example"]
        lines = [example | {"type": name} | more for more in ({}, {"id": "a1"}, {"id": None}, {"id": ""}, {"id": 1})]
        for line in [*lines, example, example | {"type": "nope"}, {"type": name}]:
            accepted = isinstance(parse_line(json.dumps(line).encode(), CALLER).request, CommandRequest)
            assert validator.is_valid(line) == accepted, line
            seen.add(accepted)
    assert seen == {True, False}
    assert validator.is_valid({"type": "end"})


def test_the_lines_of_the_example_are_one_good_and_one_bad(document: dict[str, Any]) -> None:
    good, bad = body_of(document, "/commands", MEDIA_TYPES[0])["example"].splitlines()
    assert isinstance(parse_line(good.encode(), CALLER).request, CommandRequest)
    assert isinstance(parse_line(bad.encode(), CALLER).request, InvalidInput)
