"""The dashboard's files, as they were when the process began, at `/dashboard/`.

All but the first page are under a name that says what they hold (a digest of all of them), so that
a browser keeps them for ever and never mixes those of two versions. Nothing here needs a token: the
page holds none of what it shows, and asks `/v1` for it as anybody would.
"""

import gzip
import hashlib
from functools import cached_property
from pathlib import Path

from aiohttp import hdrs, web

FOLDER = Path(__file__).parent / "dashboard"
FIRST = "index.html"
PLACE = "/dashboard/"
_MEDIA = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
"""What is served at all."""
_VERSION = b"{version}"
"""Stands in the first page for the name that the others are under."""
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Nothing but these files runs, and no text can become a script, whoever wrote it."""
GUARDS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
OWN = web.RequestKey("own", dict[str, str])
"""Of a request: headers of its answer that are not those of all others (`server.py`)."""


class Shipped:
    """The files, by their path below the folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        found = (path for path in sorted(folder.rglob("*")) if path.suffix in _MEDIA)
        read = {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
        first = read.pop(FIRST)
        self.version = _digest(*(part for each in read.items() for part in each))
        self._first = Sheet(FIRST, first.replace(_VERSION, self.version.encode()), _ASK_AGAIN)
        self._others = {name: Sheet(name, body, _FOR_EVER) for name, body in read.items()}

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Put them at their paths."""
        router.add_get("/", _lead)
        router.add_get(PLACE.rstrip("/"), _lead)
        router.add_get(PLACE, self._serve_first)
        router.add_get(PLACE + "{version}/{name:.+}", self._serve)

    async def _serve_first(self, request: web.Request) -> web.Response:
        return self._first.answer(request)

    async def _serve(self, request: web.Request) -> web.Response:
        sheet = self._others.get(request.match_info["name"])
        if sheet is None or request.match_info["version"] != self.version:
            raise web.HTTPNotFound
        return sheet.answer(request)


class Sheet:
    """One file."""

    def __init__(self, name: str, body: bytes, kept: str) -> None:
        self._body = body
        self._media = _MEDIA[Path(name).suffix]
        self._tag = _digest(name, body)
        self._kept = kept

    @cached_property
    def _packed(self) -> bytes:
        """Made when somebody takes it for the first time: a start does not wait for it."""
        return gzip.compress(self._body, 9, mtime=0)

    def answer(self, request: web.Request) -> web.Response:
        """It, or that the one who asks has it."""
        packs = "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "")
        tag = f"{self._tag}-gz" if packs else self._tag
        own = {**GUARDS, hdrs.CACHE_CONTROL: self._kept, hdrs.VARY: hdrs.ACCEPT_ENCODING}
        request[OWN] = {**own, hdrs.ETAG: f'"{tag}"'}
        if any(each.value in {tag, "*"} for each in request.if_none_match or ()):
            return web.Response(status=304)
        body = self._packed if packs else self._body
        coded = {str(hdrs.CONTENT_ENCODING): "gzip"} if packs else {}
        return web.Response(body=body, content_type=self._media, charset="utf-8", headers=coded)


async def _lead(request: web.Request) -> web.Response:
    """Where people begin who know the port only."""
    request[OWN] = {str(hdrs.CACHE_CONTROL): _ASK_AGAIN}
    return web.Response(status=302, headers={hdrs.LOCATION: PLACE})


def _digest(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(b"%d:" % len(raw) + raw)
    return digest.hexdigest()[:16]
