"""Reads the access tokens of the settings."""

import socket
from ipaddress import ip_address

from allocation.config import BadSettings, Settings
from readmodel.web.edge.access import AccessTokens, BadTokens, parse_tokens


def read_access_tokens(settings: Settings) -> AccessTokens | None:
    """Return the access tokens of the service, or None if there are none and the service listens on loopback only.

    Raise BadSettings if a token can't be read, or if the service needs tokens because other machines can reach it.
    """
    text, source = settings.access_tokens, "ALLOCATION_ACCESS_TOKENS"
    if settings.access_tokens_file is not None:
        if text:
            raise BadSettings("Set either ALLOCATION_ACCESS_TOKENS or ALLOCATION_ACCESS_TOKENS_FILE, not both")
        source = str(settings.access_tokens_file)
        try:
            text = settings.access_tokens_file.read_text()
        except (OSError, UnicodeError) as error:
            raise BadSettings(f"Can't read the access tokens in {source}: {error}") from error
    try:
        tokens = parse_tokens(text)
    except BadTokens as error:
        raise BadSettings(f"{source}, {error}") from error
    if tokens is None and not is_loopback(settings.host):
        raise BadSettings(
            f"ALLOCATION_HOST={settings.host}: without an access token, the service listens on loopback addresses "
            "only. Create a token with allocation access-token new, and set ALLOCATION_ACCESS_TOKENS_FILE"
        )
    return tokens


def is_loopback(host: str) -> bool:
    """Return whether a server on this host can be reached from this machine only, or not at all."""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return True  # The web server can't listen on it either, and says so.
    return all(ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)
