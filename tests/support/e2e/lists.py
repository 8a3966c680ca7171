"""Reads lists page by page over HTTP."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from tests.support.api import Api


def path_of(*parts: str) -> str:
    """Return the path of these parts. They may contain any character."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def pages(api: Api, path: str, **parameters: object) -> Iterator[Mapping[str, Any]]:
    """Yield the JSON of each page, from the first one to the page whose `next` is null."""
    more: dict[str, object] = {}
    while more.get("next", "") is not None:
        answer = api.request("GET", f"{path}?{urlencode(parameters | more)}")
        assert answer.status == 200, answer.body
        page = answer.json
        yield page
        more = {"next": page["next"]}


def entries(api: Api, path: str, member: str, **parameters: object) -> list[Any]:
    """Return the entries of all pages."""
    return [entry for page in pages(api, path, **parameters) for entry in page[member]]
