"""The service behind nginx, with the configuration of deploy/nginx.conf."""

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPSConnection
from pathlib import Path
from typing import NamedTuple

import pytest

from allocation.local.ports import free_port
from tests.support.eventually import eventually
from tests.support.paths import ROOT
from tests.support.patience import PATIENCE
from tests.support.services import web
from tests.support.tls import Certificates, create_certificates

ODD = "a/b//c%2F é?&\n"
SLOW_CLIENTS = 150
MOST_CONNECTIONS = 200


class Proxy(NamedTuple):
    port: int
    certificates: Certificates

    def connect(self) -> socket.socket:
        context = ssl.create_default_context(cafile=str(self.certificates.authority))
        plain = socket.create_connection(("localhost", self.port), timeout=PATIENCE)
        return context.wrap_socket(plain, server_hostname="localhost")

    def request(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, str], str]:
        """Send a request. Return the status, the headers and the body of the response."""
        context = ssl.create_default_context(cafile=str(self.certificates.authority))
        connection = HTTPSConnection("localhost", self.port, timeout=PATIENCE, context=context)
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, raw, {"Content-Type": "application/json"} | headers)
        response = connection.getresponse()
        found = (
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read().decode(),
        )
        connection.close()
        return found


@pytest.fixture
def proxy(environment: dict[str, str], relay: None, tmp_path: Path) -> Iterator[Proxy]:
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/bin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    certificates = create_certificates(tmp_path)
    with web(environment) as commands, web(environment, "queries") as queries:
        port = free_port()
        configuration = (ROOT / "deploy" / "nginx.conf").read_text()
        for of_the_file, of_the_test in {
            # Two servers: if there is only one, nginx never stops using it.
            "server 127.0.0.1:5005 max_fails=0;": f"server 127.0.0.1:{commands} max_fails=0;" * 2,
            "127.0.0.1:5006 ": f"127.0.0.1:{queries} ",  # The space: a port of the test may begin with these digits.
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/nginx/allocation.pem": str(certificates.certificate),
            "/etc/nginx/allocation.key": str(certificates.key),
            "/run/nginx.pid": str(tmp_path / "pid"),
            "/var/lib/nginx/": f"{tmp_path}/",
            "worker_processes auto": "daemon off; user root; worker_processes 1",
        }.items():
            assert of_the_file in configuration
            configuration = configuration.replace(of_the_file, of_the_test)
        file = tmp_path / "nginx.conf"
        file.write_text(configuration)
        process = subprocess.Popen([nginx, "-p", str(tmp_path), "-c", str(file)])
        found = Proxy(port, certificates)
        try:
            eventually(lambda: process.poll() is None and is_ready(found))
            yield found
        finally:
            process.terminate()
            process.wait(PATIENCE)


def is_ready(proxy: Proxy) -> bool:
    try:
        return proxy.request("GET", "/health/ready")[0] == 200
    except OSError:
        return False


def test_commands_and_queries_pass(proxy: Proxy) -> None:
    status, headers, _ = proxy.request("POST", "/add_batch", {"ref": ODD, "sku": "S", "qty": 10})
    assert status == 201
    assert (headers["server"], headers["x-content-type-options"]) == ("nginx", "nosniff")
    assert headers["strict-transport-security"] == "max-age=31536000"
    status, _, body = proxy.request("GET", headers["location"])
    assert (status, json.loads(body)["ref"]) == (200, ODD)
    lines = b"".join(
        json.dumps({"type": "allocate", "orderid": f"o{number}", "sku": "S", "qty": 1}).encode() + b"\n"
        for number in range(1_200)
    )
    status, _, body = proxy.request("POST", "/commands", lines, **{"Content-Type": "application/x-ndjson"})
    assert (status, {json.loads(line)["status"] for line in body.splitlines()}) == (200, {202})


@pytest.mark.slow
def test_a_query_of_several_orders_passes(proxy: Proxy) -> None:
    status, _, body = proxy.request("GET", "/orders?id=o1&id=o2")
    assert (status, json.loads(body)) == (200, {"orders": [], "unknown": ["o1", "o2"]})


@pytest.mark.slow
def test_the_proxy_enforces_its_limits(proxy: Proxy) -> None:
    status, headers, answer = proxy.request("POST", "/add_batch", b" " * 1_100_000)
    assert (status, headers["content-type"]) == (413, "application/problem+json")
    assert json.loads(answer)["message"] == "The body is too large. No command was executed"
    status, _, _ = proxy.request("GET", "/health/live", **{"X-Long": "x" * 20_000})
    assert status == 400
    body = {"orderid": "o1", "sku": "S", "qty": 1}
    assert proxy.request("POST", "/add_batch", {"ref": "b1", "sku": "S", "qty": 10})[0] == 201
    for other in (body, body | {"qty": 2}):  # Otherwise the second one would reuse the key of the first one.
        status, _, _ = proxy.request("POST", "/allocate", other, Idempotency_Key="k")
    assert status == 409


@pytest.mark.slow
def test_a_failing_request_does_not_turn_the_service_off(proxy: Proxy) -> None:
    """The service closes such a connection while nginx still sends the body, and nginx counts that as a failure."""
    too_many = {f"X-{number}": "x" for number in range(150)}
    for _ in range(20):
        status, _, _ = proxy.request("POST", "/allocate", b"x" * 900_000, **too_many)
        assert status in {431, 503}
    assert [proxy.request("GET", "/health/live")[0] for _ in range(20)] == [200] * 20


@pytest.mark.slow
def test_the_proxy_does_not_show_the_metrics(proxy: Proxy) -> None:
    status, _, body = proxy.request("GET", "/metrics")
    assert (status, json.loads(body)["status"]) == (404, 404)


@pytest.mark.slow
def test_a_query_with_a_body_gets_its_answer(proxy: Proxy) -> None:
    assert [proxy.request("GET", "/orders/o1", b"x" * 900_000)[0] for _ in range(20)] == [404] * 20


@pytest.mark.slow
def test_other_paths_below_health_have_limits(proxy: Proxy) -> None:
    """nginx resolves the dot segments before it finds a location, and it passes the path unchanged."""
    with ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS + 1):
            client = stack.enter_context(proxy.connect())
            client.sendall(b"POST /allocate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        eventually(lambda: proxy.request("GET", "/orders/x")[0] == 429)
        status, headers, body = proxy.request("GET", "/orders/..%2fhealth%2fx")
        assert (status, headers["retry-after"], json.loads(body)["status"]) == (429, "1", 429)
        assert proxy.request("GET", "/health/live")[0] == 200


@pytest.mark.slow
def test_slow_clients_do_not_reach_the_service(proxy: Proxy) -> None:
    assert proxy.request("POST", "/add_batch", {"ref": "b1", "sku": "S", "qty": 100})[0] == 201
    with ExitStack() as stack:
        for _ in range(SLOW_CLIENTS):
            client = stack.enter_context(proxy.connect())
            client.sendall(b"POST /allocate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
            client.sendall(b"Content-Length: 100\r\n\r\n{")
        for number in range(20):
            line = {"orderid": f"o{number}", "sku": "S", "qty": 1}
            assert proxy.request("POST", "/allocate", line)[0] == 202
            assert proxy.request("GET", f"/allocations/o{number}")[0] == 200
