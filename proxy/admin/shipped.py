"""The dashboard's files, as they were when the process began, at `/dashboard/`.

All but the first page are under a name that says what they hold (a digest of all of them), so that
a browser keeps them for ever and never mixes those of two versions. Nothing here needs a token: the
page holds none of what it shows, and asks `/v1` for it as anybody would.
"""

from pathlib import Path

from aiohttp import hdrs, web

from proxy.admin.tagged import OWN, Tagged, digest

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


class Shipped:
    """The files, by their path below the folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        found = (path for path in sorted(folder.rglob("*")) if path.suffix in _MEDIA)
        read = {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
        first = read.pop(FIRST)
        self.version = digest(*(part for each in read.items() for part in each))
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
        self._tagged = Tagged(body, _MEDIA[Path(name).suffix], level=9)
        self._headers = {**GUARDS, str(hdrs.CACHE_CONTROL): kept}

    @property
    def body(self) -> bytes:
        """What is in it."""
        return self._tagged.body

    def answer(self, request: web.Request) -> web.Response:
        """It, or that the one who asks has it."""
        return self._tagged.answer(request, self._headers)


async def _lead(request: web.Request) -> web.Response:
    """Where people begin who know the port only."""
    request[OWN] = {str(hdrs.CACHE_CONTROL): _ASK_AGAIN}
    return web.Response(status=302, headers={hdrs.LOCATION: PLACE})
