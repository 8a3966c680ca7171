"""The document at `/openapi.json` is valid, and describes every route of the process and nothing else."""

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from readmodel.web.description.document import document
from readmodel.web.query_edge import operations
from readmodel.web.routes import ROUTES
from tests.support.description.described import Description
from tests.support.description.edges import EDGES, client_of, description_of, edge_of

PAGES = {"/"}
"""The paths that the Flask app serves."""


def described_by(command: str) -> dict[str, Any]:
    with client_of(edge_of(command)) as client:
        return description_of(client)


@pytest.mark.parametrize("command", EDGES)
def test_a_validator_accepts_the_document(command: str) -> None:
    OpenAPIV31SpecValidator(described_by(command)).validate()


@pytest.mark.parametrize("command", EDGES)
def test_every_path_of_the_edge_is_described(command: str) -> None:
    """A path with a slash at its end is followed by a name."""
    described = described_by(command)["paths"]
    endpoints = {f"{path.partition('{')[0]}" for path in described} - PAGES
    assert endpoints == edge_of(command).paths


@pytest.mark.parametrize("command", EDGES)
def test_every_described_route_exists(command: str) -> None:
    with client_of(edge_of(command)) as client:
        for path, methods in description_of(client)["paths"].items():
            found = client.request("OPTIONS", path.replace("{", "").replace("}", ""))
            assert found.status == 200, path
            assert {method.upper() for method in methods} <= set(found.headers["allow"].split(", ")), path


def test_a_query_process_describes_no_command() -> None:
    described = described_by("queries")
    methods = {method for methods in described["paths"].values() for method in methods}
    assert methods == {"get"}
    assert {tag["name"] for tag in described["tags"]} == {"queries", "health", "service"}
    assert len([path for path in described["paths"] if path.startswith(("/allocations", "/orders"))]) == 4
    assert "AddBatch" not in described["components"]["schemas"]


def test_a_web_worker_describes_what_a_query_process_does() -> None:
    of_queries, of_both = described_by("queries"), described_by("serve")
    assert of_queries["paths"].items() <= of_both["paths"].items()
    assert len(of_queries["paths"]) > len(ROUTES)


@pytest.mark.parametrize("command", EDGES)
def test_every_body_and_answer_has_a_valid_example(command: str) -> None:
    described = described_by(command)
    description, seen = Description(described), 0
    for place, content in contents_of(described):
        example, schema = content["example"], content["schema"]
        lines = example.splitlines() if "ndjson" in place or "jsonl" in place else None
        if lines is None:
            description.schema(schema).validate(example)
        assert lines is None or len(lines) == 2
        seen += 1
    assert seen > len(described["paths"])


def contents_of(described: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return each body of a request or of an answer: its media type, and what the document says about it."""
    operations = [operation for methods in described["paths"].values() for operation in methods.values()]
    replies = [reply for operation in operations for reply in operation["responses"].values()]
    bodies = [operation["requestBody"] for operation in operations if "requestBody" in operation]
    every = [*bodies, *replies, *described["components"]["responses"].values()]
    return [item for one in every for item in one.get("content", {}).items()]


@pytest.mark.parametrize("needs_tokens", [True, False])
def test_the_document_says_whether_a_token_is_needed(needs_tokens: bool) -> None:
    paths = document(operations(has_metrics=True), needs_tokens=needs_tokens)["paths"]
    optional: list[dict[str, list[str]]] = [] if needs_tokens else [{}]
    assert paths["/orders"]["get"]["security"] == [{"accessToken": ["query"]}, *optional]
    assert paths["/"]["get"]["security"] == [{"accessToken": []}, *optional]
    assert paths["/openapi.json"]["get"]["security"] == []
    assert {"401", "403"} <= set(paths["/orders"]["get"]["responses"])
