"""An HTTP client of the service."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

from tests.support.patience import PATIENCE

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    """A client with a connection of its own, and perhaps an access token. It belongs to one thread."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self._access = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def get(self, *path: str) -> Answer:
        """Query the path of these parts. They may contain any character."""
        return self.request("GET", "/" + "/".join(quote(part, safe="") for part in path))

    def post(self, route: str, body: Any, content_type: str = JSON, **headers: str) -> Answer:
        """Send bytes, or an iterator of bytes, unchanged, and anything else as JSON."""
        raw = body if isinstance(body, bytes | Iterator) else json.dumps(body).encode()
        return self.request("POST", f"/{route}", raw, content_type, **headers)

    def keyed(self, key: str, route: str, body: Any, **headers: str) -> Answer:
        """Send a command with an idempotency key."""
        return self.post(route, body, **{"Idempotency-Key": key}, **headers)

    def bulk(self, *lines: Any) -> list[dict[str, Any]]:
        """Send a bulk and return the result of each line. A line is JSON data, or bytes that are sent unchanged."""
        raw = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
        answer = self.post("commands", raw, "application/x-ndjson")
        assert (answer.status, answer.content_type) == (200, "application/x-ndjson")
        return [json.loads(line) for line in answer.body.splitlines()]

    def get_at_least(self, token: str, path: str) -> Answer:
        """Query the path with a consistency token."""
        return self.request("GET", path, None, None, **{"Allocation-Token": token})

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        content_type: str | None = None,
        **headers: str,
    ) -> Answer:
        typed = {"Content-Type": content_type} if content_type else {}
        self.connection.request(method, path, body, typed | self._access | headers)
        response = self.connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers.get("content-type", ""), headers, response.read().decode())

    def add_batch(self, ref: str, sku: str, qty: int, eta: str | None = None) -> Answer:
        return self.post("add_batch", {"ref": ref, "sku": sku, "qty": qty, "eta": eta})

    def allocate(self, orderid: str, sku: str, qty: int) -> Answer:
        return self.post("allocate", {"orderid": orderid, "sku": sku, "qty": qty})

    def allocations(self, orderid: str) -> Answer:
        return self.get("allocations", orderid)

    def is_ready(self) -> bool:
        """Return whether the process answers and all its roles are ready."""
        try:
            answer = self.get("health", "ready")
        except OSError:
            self.connection.close()
            return False
        return set(answer.json.get("roles", {}).values()) == {"ready"}
