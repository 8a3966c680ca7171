"""Bodies that were cut: no part of them is executed, even if the part is complete JSON."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api import Api

NDJSON = "application/x-ndjson"
END = b'{"type": "end"}\n'


def line(orderid: str, sku: str = "CUT") -> bytes:
    return json.dumps({"type": "allocate", "orderid": orderid, "sku": sku, "qty": 1}).encode() + b"\n"


def chunked(*parts: bytes) -> Iterator[bytes]:
    yield from parts


def raw_request(port: int, head: str, body: bytes) -> bytes:
    """Send a request, close the sending side, and return the response."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(f"{head}\r\nHost: x\r\nConnection: close\r\n\r\n".encode() + body)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while part := client.recv(65_536):
            received += part
    return received


@pytest.fixture(scope="module", autouse=True)
def batch(shared_port: int) -> None:
    api = Api(shared_port)
    assert api.add_batch("cut-1", "CUT", 1_000).status == 201
    api.connection.close()


def test_a_command_shorter_than_its_length_has_no_effect(shared_port: int, shared_api: Api) -> None:
    body = b'{"orderid": "short", "sku": "CUT", "qty": 1}'
    head = f"POST /allocate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {len(body) + 5}"
    response = raw_request(shared_port, head, body)
    assert b" 400 " in response.split(b"\r\n")[0]
    assert f"The body is shorter than its Content-Length of {len(body) + 5} bytes" in response.decode()
    assert shared_api.allocations("short").status == 404


def test_a_cut_stream_of_commands_has_no_effect(shared_port: int, shared_api: Api) -> None:
    """The stream ends after a whole line, without its last chunk. The web server reports a normal end."""
    head = f"POST /commands HTTP/1.1\r\nContent-Type: {NDJSON}\r\nTransfer-Encoding: chunked"
    part = line("cut-1")
    response = raw_request(shared_port, head, b"%x\r\n%b\r\n" % (len(part), part))
    assert b" 400 " in response.split(b"\r\n")[0]
    assert "must end with the line" in response.decode()
    assert shared_api.allocations("cut-1").status == 404


@pytest.mark.parametrize("route", ["allocate", "preview/allocate"])
def test_a_command_without_a_length_gets_a_411(route: str, shared_api: Api) -> None:
    body = b'{"orderid": "chunked", "sku": "CUT", "qty": 1}'
    answer = shared_api.post(route, chunked(body))
    assert (answer.status, answer.json["message"]) == (411, "A command needs a Content-Length. No command was executed")
    assert shared_api.allocations("chunked").status == 404


def test_a_bulk_without_a_length_needs_an_end(shared_api: Api) -> None:
    answer = shared_api.post("commands", chunked(line("open-1"), line("open-2")), NDJSON)
    assert answer.status == 400
    assert 'must end with the line {"type": "end"}' in answer.json["message"]
    assert shared_api.allocations("open-1").status == 404
    answer = shared_api.post("commands", chunked(line("open-1"), line("open-2"), END), NDJSON)
    assert [json.loads(result)["status"] for result in answer.body.splitlines()] == [202] * 2


@pytest.mark.parametrize(
    "end",
    [END, END.strip(), END + b"\n \n", END + b" \n" * 100_000, b'{"id": "x", "type": "end", "more": 1}'],
    ids=["line", "no-newline", "blank-lines", "many-blank-lines", "more-members"],
)
def test_an_end_is_allowed_with_a_length_and_gives_no_result(end: bytes, shared_api: Api) -> None:
    answer = shared_api.post("commands", line("with-length") + end, NDJSON)
    assert [json.loads(result)["status"] for result in answer.body.splitlines()] == [202]


def test_an_end_before_the_last_line_fails_alone(shared_api: Api) -> None:
    results = shared_api.bulk({"type": "end"}, json.loads(line("after-end")))
    assert [result["status"] for result in results] == [400, 202]
    assert "type must be one of" in results[0]["message"]


@pytest.mark.parametrize("body", [b"", b"\n\n  \r\n", END, b"\n" + END])
def test_a_bulk_without_commands_has_no_results(body: bytes, shared_api: Api) -> None:
    answer = shared_api.post("commands", body, NDJSON)
    assert (answer.status, answer.body) == (200, "")


def test_blank_lines_cost_no_answer(shared_api: Api) -> None:
    answer = shared_api.post("commands", b"\n" * 100_000 + line("blank") + b"\r\n \t\n" * 1_000, NDJSON)
    assert (answer.status, [json.loads(line)["status"] for line in answer.body.splitlines()]) == (200, [202])


def test_a_long_line_that_begins_blank_gets_a_result(shared_api: Api) -> None:
    answer = shared_api.post("commands", b" " * 1_000_002 + line("long") + line("after-long"), NDJSON)
    assert [json.loads(result)["status"] for result in answer.body.splitlines()] == [400, 202]


def test_the_end_of_a_long_line_is_no_end_line(shared_api: Api) -> None:
    """Otherwise the server would cut the line off, and the client would get no result for it."""
    long = b'{"type": "allocate", "more": "' + b"x" * 2_000 + b'"} ' + END
    answer = shared_api.post("commands", line("before-long") + long, NDJSON)
    assert [json.loads(result)["status"] for result in answer.body.splitlines()] == [202, 400]


def test_a_key_with_a_comma_is_refused(shared_api: Api) -> None:
    """Some proxies join two headers of one name by a comma, and the result would count as a third key."""
    body: dict[str, Any] = {"orderid": "comma", "sku": "CUT", "qty": 1}
    answer = shared_api.keyed("k1, k2", "allocate", body)
    assert answer.status == 400
    assert "without a comma" in answer.json["message"]
    assert shared_api.allocations("comma").status == 404


def test_chunks_beside_a_length_get_a_411(shared_port: int, shared_api: Api) -> None:
    """The web server ignores the length then, so the length would not bound the body."""
    body = b'{"orderid": "both", "sku": "CUT", "qty": 1}'
    for headers in (["Content-Length: 5", "Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked"]):
        head = "\r\n".join(["POST /allocate HTTP/1.1", "Content-Type: application/json", *headers])
        with socket.create_connection(("127.0.0.1", shared_port), timeout=60) as client:
            client.sendall(f"{head}\r\nHost: x\r\n\r\n".encode() + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
            assert b" 411 " in client.recv(65_536).split(b"\r\n")[0]
    assert shared_api.allocations("both").status == 404
