import errno
import socket
import time

from allocation.local.errors import CannotStart


def free_port() -> int:
    """Return a TCP port that no process uses on 127.0.0.1. Another process may open it before the caller does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def authority(host: str, port: int) -> str:
    """Return the host and port as in a URL: an IPv6 address has brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def require_free(host: str, port: int, *, within: float = 0.0, setting: str = "ALLOCATION_PORT") -> None:
    """Wait up to `within` seconds until this process can listen on the port. Raise CannotStart if it can't.

    The message names the `setting` of the port.
    """
    deadline = time.monotonic() + within
    while (reason := reason_not_free(host, port, setting)) is not None:
        if time.monotonic() >= deadline:
            raise CannotStart(reason)
        time.sleep(0.05)


def reason_not_free(host: str, port: int, setting: str) -> str | None:
    """Return the reason why this process can't listen on the port, or None if it can."""
    try:
        [(family, kind, _, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except UnicodeError:
        return f"ALLOCATION_HOST={host} is no name of a host"
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"Port {port} is in use. Stop the program that uses it, or set {setting} to another port"
        return f"Can't listen on {authority(host, port)}: {error.strerror or error}. Change ALLOCATION_HOST"
    return None
