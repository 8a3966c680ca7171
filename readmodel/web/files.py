"""The files of the page `/docs`. They need no access token, because they contain no data of the service."""

import gzip
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from readmodel.web.answers import Answer, Headers, problem
from readmodel.web.edge.request import Request

HTML, CSS, JAVASCRIPT = "text/html; charset=utf-8", "text/css; charset=utf-8", "text/javascript; charset=utf-8"
COMPRESSED = ".gz"
VARY = ("vary", "accept-encoding")
SECURITY: Headers = (
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-cache"),
    ("referrer-policy", "no-referrer"),
    (
        "content-security-policy",
        # Swagger UI sets styles in its markup, and has its icons in its style sheet.
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
)
"""The page may load what this service serves, and nothing else. A browser may store the files, and asks if they have
changed."""
PAGE = ""
"""The name of the page itself, whose path is that of the endpoint."""


class File(NamedTuple):
    """`path` is the path below the folder `static`. If it ends with COMPRESSED, the file is compressed with gzip."""

    path: str
    content_type: str


FILES = {
    PAGE: File("docs.html", HTML),
    "show.js": File("show.js", JAVASCRIPT),
    "swagger-ui-bundle.js": File("swagger-ui/swagger-ui-bundle.js.gz", JAVASCRIPT),
    "swagger-ui.css": File("swagger-ui/swagger-ui.css.gz", CSS),
}


class Files:
    """The endpoint of the page, and of the files below it."""

    methods = ("GET", "HEAD")
    scope = None

    async def respond(self, request: Request) -> Answer:
        file = FILES.get(request.name)
        if file is None:
            return problem(404, f"There is no file {request.name}")
        if not file.path.endswith(COMPRESSED):
            return cacheable(request, stored(file.path), file.content_type)
        if accepts_gzip(request):
            return cacheable(request, stored(file.path), file.content_type, (VARY, ("content-encoding", "gzip")))
        return cacheable(request, plain(file.path), file.content_type, (VARY,))


def cacheable(request: Request, body: bytes, content_type: str, headers: Headers = ()) -> Answer:
    """Return the body, or a 304 if the client has it."""
    tag = f'"{digest(body)}"'
    headers = (("etag", tag), *headers)
    if tag in (request.headers.get("if-none-match") or ""):
        return Answer(304, b"", content_type, headers, SECURITY)
    return Answer(200, body, content_type, headers, SECURITY)


def accepts_gzip(request: Request) -> bool:
    return parse_accept_header(request.headers.get("accept-encoding"), Accept).quality("gzip") > 0


@cache
def digest(body: bytes) -> str:
    return sha256(body).hexdigest()[:32]


@cache
def stored(path: str) -> bytes:
    return files("readmodel.web").joinpath("static", path).read_bytes()


@cache
def plain(path: str) -> bytes:
    """Return the uncompressed file. Keep it, because a worker would need ten milliseconds to uncompress it again."""
    return gzip.decompress(stored(path))
