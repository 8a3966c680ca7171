"""The files of the page `/docs`. They need no access token, because they contain no data of the service."""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from readmodel.store.registers import LONGEST_SHOWN
from readmodel.web.answers import Answer, Headers, problem
from readmodel.web.edge.request import Request

HTML, CSS, JAVASCRIPT = "text/html; charset=utf-8", "text/css; charset=utf-8", "text/javascript; charset=utf-8"
COMPRESSED = ".gz"
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
    """`path` is the path below the folder `static`. If it ends with COMPRESSED, the file is compressed with gzip.

    Every browser accepts gzip. A client that does not gets the compressed file too: the service never uncompresses it.
    """

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
            return problem(404, f"There is no file {request.name[:LONGEST_SHOWN]}")
        encoding = (("content-encoding", "gzip"),) if file.path.endswith(COMPRESSED) else ()
        return cacheable(request, stored(file.path), file.content_type, encoding)


def cacheable(request: Request, body: bytes, content_type: str, headers: Headers = ()) -> Answer:
    """Return the body, or a 304 if the client has it."""
    tag = f'"{digest(body)}"'
    headers = (("etag", tag), *headers)
    if tag in (request.headers.get("if-none-match") or ""):
        return Answer(304, b"", content_type, headers, SECURITY)
    return Answer(200, body, content_type, headers, SECURITY)


@cache
def digest(body: bytes) -> str:
    return sha256(body).hexdigest()[:32]


@cache
def stored(path: str) -> bytes:
    return files("readmodel.web").joinpath("static", path).read_bytes()
