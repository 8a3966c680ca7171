"""Certificates, and a forwarder that speaks TLS for a server that does not."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SSL_REQUEST = 8
"""Bytes with which a client of PostgreSQL asks for TLS."""


@dataclass(frozen=True)
class Certificates:
    """An authority, its certificate for the host `localhost`, and another authority, which has signed nothing."""

    authority: Path
    certificate: Path
    key: Path
    stranger: Path


def create_certificates(folder: Path) -> Certificates:
    found = Certificates(*(folder / name for name in ("ca.pem", "server.pem", "server.key", "stranger.pem")))
    new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    openssl(f"req -x509 {new} -days 1 -subj /CN=authority -keyout {folder}/ca.key -out {found.authority}")
    openssl(f"req -x509 {new} -days 1 -subj /CN=stranger -keyout {folder}/stranger.key -out {found.stranger}")
    openssl(f"req {new} -subj /CN=localhost -keyout {found.key} -out {folder}/server.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    openssl(
        f"x509 -req -in {folder}/server.csr -CA {found.authority} -CAkey {folder}/ca.key -CAcreateserial -days 1 "
        f"-extfile {folder}/names -out {found.certificate}"
    )
    return found


def openssl(arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], check=True, capture_output=True)


def no_greeting(_: socket.socket) -> None:
    """Redis begins TLS with the first byte."""


def greeting_of_postgres(client: socket.socket) -> None:
    """PostgreSQL agrees to TLS in plain text."""
    assert len(client.recv(SSL_REQUEST, socket.MSG_WAITALL)) == SSL_REQUEST
    client.sendall(b"S")


@contextmanager
def over_tls(port: int, certificates: Certificates, greeting: Callable[[socket.socket], None]) -> Iterator[int]:
    """Yield the port on which clients reach the server at `port` over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener, port, context, greeting), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def accept(
    listener: socket.socket, port: int, context: ssl.SSLContext, greeting: Callable[[socket.socket], None]
) -> None:
    with suppress(OSError):  # The listener was closed.
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client, port, context, greeting), daemon=True).start()


def serve(plain: socket.socket, port: int, context: ssl.SSLContext, greeting: Callable[[socket.socket], None]) -> None:
    with suppress(OSError), plain, socket.create_connection(("127.0.0.1", port)) as server:
        greeting(plain)
        with context.wrap_socket(plain, server_side=True) as client:
            back = threading.Thread(target=copy, args=(server, client), daemon=True)
            back.start()
            copy(client, server)
            back.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
