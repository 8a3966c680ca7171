"""The page `/docs` and the index `/`."""

import gzip
import re
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files

import pytest

from readmodel.web.edge.access import new_token
from readmodel.web.files import FILES, PAGE
from tests.support.description.edges import STORES, client_of, description_of, edge_of
from tests.support.edge_client import EdgeClient

STATIC = files("readmodel.web").joinpath("static")
OTHER_HOST = re.compile(r"(?:https?:)?//[\w-]+\.\w")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
def client() -> Iterator[EdgeClient]:
    with client_of(edge_of("queries")) as client:
        yield client


def paths() -> list[str]:
    return ["/docs" if name == PAGE else f"/docs/{name}" for name in FILES]


@pytest.mark.parametrize("path", paths())
def test_a_file_of_the_page_loads_nothing_from_other_hosts(client: EdgeClient, path: str) -> None:
    """The content security policy forbids it, and our own files do not even try."""
    found = client.get(path)
    policy = dict(part.split(" ", 1) for part in found.headers["content-security-policy"].split("; "))
    assert found.status == 200
    assert set(" ".join(policy.values()).split()) == {"'none'", "'self'", "'unsafe-inline'", "data:"}
    assert policy["script-src"] == "'self'"
    if "swagger" not in path:
        assert not OTHER_HOST.search(found.body.decode())


def test_the_page_has_no_script_of_its_own(client: EdgeClient) -> None:
    page = client.get("/docs").body.decode()
    assert re.findall(r"<script[^>]*>(.*?)</script>", page) == ["", ""]
    used = re.findall(r'(?:src|href)="docs/([^"]+)"', page)
    assert {*used, PAGE} == set(FILES)
    assert client.get("/docs").headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("swagger-ui-bundle.js", "text/javascript; charset=utf-8"), ("swagger-ui.css", "text/css; charset=utf-8")],
)
def test_a_large_file_is_always_compressed(client: EdgeClient, name: str, content_type: str) -> None:
    """A worker that uncompressed it for slow clients would need the memory for each of them."""
    for accepted in ("br, gzip;q=0.5", "gzip;q=0", ",".join(["a;q=1"] * 10_000)):
        found = client.request("GET", f"/docs/{name}", None, **{"accept-encoding": accepted})
        assert (found.headers["content-encoding"], found.headers["content-type"]) == ("gzip", content_type)
        assert len(found.body) < len(gzip.decompress(found.body)) / 3


def test_a_long_name_of_a_file_is_cut(client: EdgeClient) -> None:
    answer = client.get(f"/docs/{'x' * 10_000}")
    assert (answer.status, answer.json["message"]) == (404, f"There is no file {'x' * 80}")


def test_the_vendored_files_are_those_of_the_named_version(client: EdgeClient) -> None:
    text = STATIC.joinpath("swagger-ui/README.md").read_text()
    sums = dict(re.findall(r"^\| `(\S+)` \| `([0-9a-f]{64})` \|$", text, re.MULTILINE))
    assert {name for name in FILES if name.startswith("swagger")} == set(sums)
    assert {name: sha256(gzip.decompress(client.get(f"/docs/{name}").body)).hexdigest() for name in sums} == sums
    assert "Apache License" in STATIC.joinpath("swagger-ui/LICENSE").read_text()


@pytest.mark.parametrize("path", [*paths(), "/openapi.json"])
def test_a_browser_stores_a_file_and_asks_if_it_has_changed(client: EdgeClient, path: str) -> None:
    found = client.get(path)
    assert found.headers["cache-control"] == "no-cache"
    again = client.request("GET", path, None, **{"if-none-match": f'"other", W/{found.headers["etag"]}'})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", found.headers["etag"])


def test_an_unknown_file_gets_a_404(client: EdgeClient) -> None:
    for name in ("nope", "docs.html", "../edge/access.py", "swagger-ui/README.md"):
        assert client.get(f"/docs/{name}").status == 404
    assert client.get("/docs/").status == 404


def test_the_index_lists_what_is_described(client: EdgeClient) -> None:
    described = description_of(client)["paths"]
    index = client.get("/").json
    listed = {(route["path"], route["method"].lower()): route["summary"] for route in index["routes"]}
    assert listed == {
        (path, method): one["summary"] for path, methods in described.items() for method, one in methods.items()
    }
    assert client.get(index["openapi"]).status == client.get(index["docs"]).status == 200


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [(BROWSER, "text/html; charset=utf-8"), ("*/*", "application/json"), ("application/json", "application/json")],
)
def test_the_index_is_a_page_for_browsers_only(client: EdgeClient, accept: str, content_type: str) -> None:
    found = client.request("GET", "/", accept=accept)
    assert (found.status, found.headers["content-type"], found.headers["vary"]) == (200, content_type, "accept")
    assert "/products/{sku}/promise" in found.body.decode()


def test_the_description_needs_no_token_and_the_index_does() -> None:
    _, token = new_token("shop", ["query"], None)
    settings = STORES.model_copy(update={"access_tokens": str(token)})
    with client_of(edge_of("queries", settings)) as client:
        assert {client.get(path).status for path in [*paths(), "/openapi.json"]} == {200}
        assert client.get("/").status == client.get("/orders/x").status == 401
