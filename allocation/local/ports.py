import errno
import socket
import time

from allocation.local.errors import CannotStart


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(host: str, port: int, *, within: float = 0.0) -> None:
    """Raise CannotStart if the port can't be listened on, now or within so many seconds."""
    deadline = time.monotonic() + within
    while (reason := reason_not_free(host, port)) is not None:
        if time.monotonic() >= deadline:
            raise CannotStart(reason)
        time.sleep(0.05)


def reason_not_free(host: str, port: int) -> str | None:
    """Return why the port can't be listened on, or None."""
    try:
        [(family, kind, _, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"Port {port} is in use. Stop the program that uses it, or set ALLOCATION_PORT to another port"
        return f"{host}:{port} can't be listened on: {error.strerror or error}"
    return None
