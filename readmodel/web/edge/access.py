"""Access tokens: they prove who calls, and say what the caller may do.

The service knows only a hash of each token. A token is a random number of 256 bits, so a plain hash is enough: nobody
can try so many numbers.
"""

import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from typing import NamedTuple

from readmodel.web.answers import Headers, Problem
from readmodel.web.edge.request import Request

COMMAND, QUERY, METRICS, ADMIN = "command", "query", "metrics", "admin"
SCOPES = (COMMAND, QUERY, METRICS, ADMIN)
"""`admin` includes the other scopes."""
ANY = ""
"""The scope of an endpoint that every valid token may call."""
NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DIGEST = re.compile("sha256:([0-9a-f]{64})")
PREFIX = "allocation_"
"""The beginning of each token, by which programs that search for leaked secrets recognise it."""
CHALLENGE: Headers = (("www-authenticate", "Bearer"),)
UNAUTHENTICATED = "The request needs a valid access token, in the header Authorization: Bearer <token>"


class BadTokens(Exception):
    """The list of access tokens has a line that can't be read."""


class AccessToken(NamedTuple):
    """`digest` is the SHA-256 hash of the token, in hexadecimal digits. `expires` is None, or a moment with a zone."""

    name: str
    scopes: frozenset[str]
    digest: str
    expires: datetime | None

    def __str__(self) -> str:
        """Return the line of the list that describes this token."""
        words = [self.name, ",".join(sorted(self.scopes)), f"sha256:{self.digest}"]
        return " ".join([*words, self.expires.isoformat()] if self.expires else words)

    def is_valid(self) -> bool:
        return self.expires is None or datetime.now(UTC) < self.expires


class AccessTokens:
    """The tokens of a service. Several tokens may have one name, for example while a client changes its token."""

    def __init__(self, tokens: Iterable[AccessToken]) -> None:
        self._tokens = tuple(tokens)

    def caller(self, request: Request, scope: str) -> str:
        """Return the name of the caller's token.

        Raise a Problem with 401 if the request has no valid token, whatever the reason. Raise a Problem with 403 if the
        token lacks the scope.
        """
        try:
            header = request.header("authorization") or ""
        except Problem:  # It occurs twice or is not readable, and the caller gets the same answer.
            header = ""
        return self.require(header, scope)

    def require(self, header: str, scope: str) -> str:
        """Do the same for the value of the header `Authorization`."""
        token = self._find(header)
        if token is None:
            raise Problem(401, UNAUTHENTICATED, CHALLENGE)
        if scope != ANY and scope not in token.scopes and ADMIN not in token.scopes:
            raise Problem(403, f"The access token {token.name} lacks the scope {scope}")
        return token.name

    def _find(self, header: str) -> AccessToken | None:
        kind, _, secret = header.partition(" ")
        digest, found = digest_of(secret.strip()), None
        for token in self._tokens:  # Compare each of them, so that the time does not show which one was near.
            if compare_digest(token.digest, digest) and token.is_valid():
                found = token
        return found if kind.lower() == "bearer" else None


def digest_of(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def new_token(name: str, scopes: Iterable[str], expires: datetime | None) -> tuple[str, AccessToken]:
    """Return a new secret, and the token that the service knows of it. Raise BadTokens if the name is not allowed."""
    require_name(name)
    secret = PREFIX + secrets.token_urlsafe(32)
    return secret, AccessToken(name, frozenset(scopes), digest_of(secret), expires)


def parse_tokens(text: str) -> AccessTokens | None:
    """Parse a list with one token per line, or return None if it has none. A `#` begins a comment.

    A line has a name, scopes separated by commas, `sha256:` with the hash, and an optional moment with a time zone at
    which the token expires. Raise BadTokens, with the number of the line.
    """
    tokens = list[AccessToken]()
    for number, line in enumerate(text.splitlines(), start=1):
        if words := line.partition("#")[0].strip():
            try:
                tokens.append(parse_token(words))
            except BadTokens as error:
                raise BadTokens(f"line {number}: {error}") from None
    return AccessTokens(tokens) if tokens else None


def parse_token(line: str) -> AccessToken:
    words = line.split()
    if not 3 <= len(words) <= 4:
        raise BadTokens("an access token needs a name, scopes, a hash, and may have an expiry")
    name, scopes, digest = words[:3]
    require_name(name)
    if unknown := set(scopes.split(",")) - set(SCOPES):
        raise BadTokens(f"the scope {min(unknown)!r} is none of {', '.join(SCOPES)}")
    found = DIGEST.fullmatch(digest)
    if found is None:
        raise BadTokens("the hash must be sha256: and 64 hexadecimal digits")
    return AccessToken(
        name, frozenset(scopes.split(",")), found[1], parse_expiry(words[3]) if len(words) == 4 else None
    )


def require_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise BadTokens(
            "a name has 1 to 64 letters, digits, dots, hyphens and underscores, and begins with a letter or a digit"
        )


def parse_expiry(text: str) -> datetime:
    try:
        expires = datetime.fromisoformat(text)
    except ValueError:
        raise BadTokens(f"the expiry {text!r} must be a moment such as 2027-01-31T12:00:00Z") from None
    if expires.tzinfo is None:
        raise BadTokens(f"the expiry {text!r} needs a time zone, for example a Z at its end")
    return expires
