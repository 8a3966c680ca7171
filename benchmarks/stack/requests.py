"""Single HTTP requests to a process of the stack."""

from http.client import HTTPConnection
from typing import Any

import orjson


def request(port: int, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Return the status of the response and its JSON, or its text if it has another content type."""
    connection = HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, orjson.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        data = response.read()
        return response.status, orjson.loads(data) if "json" in response.headers["Content-Type"] else data.decode()
    finally:
        connection.close()


def is_ready(port: int) -> bool:
    """Return whether every role of the process is ready."""
    try:
        status, answer = request(port, "GET", "/health/ready")
    except OSError:
        return False
    return status == 200 and set(answer["roles"].values()) == {"ready"}
