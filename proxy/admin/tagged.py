"""An answer that is sent to many: whoever has it already is told so (RFC 9110, section 13), and
whoever takes it packed gets it packed, once."""

import gzip
import hashlib
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType

from aiohttp import hdrs, web

OWN = web.RequestKey("own", dict[str, str])
"""Of a request: headers of its answer that are not those of all others (`server.py`)."""
_WORTH = 1024
"""Bytes from which on it is worth packing."""


class Tagged:
    """Bytes, and what they are."""

    def __init__(self, body: bytes, media: str, level: int) -> None:
        """`level`: how hard to pack, 1 quick to 9 small."""
        self.body = body
        self._media = media
        self._level = level
        self._tag = digest(media, body)

    @cached_property
    def _packed(self) -> bytes:
        return gzip.compress(self.body, self._level, mtime=0)

    def answer(
        self, request: web.Request, own: Mapping[str, str] = MappingProxyType({})
    ) -> web.Response:
        """It, or that who asks has it. `own`: its headers."""
        packs = len(self.body) >= _WORTH and _takes_packed(request)
        tag = f"{self._tag}-gz" if packs else self._tag
        request[OWN] = {**own, str(hdrs.VARY): "Accept-Encoding", str(hdrs.ETAG): f'"{tag}"'}
        if any(each.value in (tag, "*") for each in request.if_none_match or ()):
            return web.Response(status=304)
        headers = {str(hdrs.CONTENT_ENCODING): "gzip"} if packs else {}
        body = self._packed if packs else self.body
        charset = "utf-8" if self._media.startswith("text/") else None
        return web.Response(body=body, content_type=self._media, charset=charset, headers=headers)


def _takes_packed(request: web.Request) -> bool:
    return "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "")


def digest(*parts: str | bytes) -> str:
    """Of texts and bytes, told apart."""
    made = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        made.update(b"%d:" % len(raw) + raw)
    return made.hexdigest()[:16]
