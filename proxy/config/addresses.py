"""Where an upstream is, and where agents reach it, as a file has it."""

import re
from ipaddress import IPv6Address
from urllib.parse import SplitResult, urlsplit

import msgspec

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_MOUNT = re.compile(r"/|(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")


class Origin(msgspec.Struct, frozen=True):
    """Where an upstream is."""

    tls: bool
    host: str  # a name or an address, IPv6 without its brackets
    port: int
    base: str  # put before every forwarded path; empty, or begins with / and does not end so
    authority: str  # for the Host header: the port only where it is not the scheme's own


class Url(str):
    """The URL of an upstream: scheme, host, port and an optional base path."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Url":
        """Raises ValueError, with what is wrong."""
        if not isinstance(text, str):
            raise ValueError("expected a URL such as https://example.org:8443/base")
        _origin(text)
        return cls(text)

    @property
    def origin(self) -> Origin:
        """Its parts."""
        return _origin(str(self))


def _origin(url: str) -> Origin:
    if not (url.isascii() and url.isprintable() and " " not in url):
        raise ValueError("expected a URL of printable ASCII without spaces")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("expected a URL that begins with http:// or https://")
    if "?" in url or "#" in url:
        raise ValueError("a query or fragment cannot be part of an upstream's URL")
    if "@" in parts.netloc:
        raise ValueError("a user or password cannot be part of an upstream's URL; use auth")
    tls = parts.scheme == "https"
    host, port = parts.hostname, _port(parts)
    if not (host and _is_host(host)):
        raise ValueError("the URL has no valid host")
    usual = 443 if tls else 80
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port in (None, usual) else f"{shown}:{port}"
    base = parts.path.rstrip("/")
    if {".", ".."} & set(base.split("/")):
        raise ValueError("dot segments cannot be part of an upstream's URL")
    return Origin(tls, host, usual if port is None else port, base, authority)


def _is_host(host: str) -> bool:
    """A name (RFC 1123 2.1, and `_`, which container networks use), IPv4, or bare IPv6."""
    if ":" in host:
        try:
            return IPv6Address(host).scope_id is None
        except ValueError:
            return False
    labels = host.removesuffix(".").split(".")
    return len(host.removesuffix(".")) <= 253 and all(map(_LABEL.fullmatch, labels))


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        # Its own words quote the port, which may be a secret that a variable put there.
        raise ValueError("the URL has no valid port") from None
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("the URL has no valid port")
    return port


class MountPath(str):
    """A path prefix on the agent side, in normal form: `/`, or `/a/b` with no slash at its end."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "MountPath":
        """Raises ValueError, with what is allowed. A slash at the end is dropped."""
        if not isinstance(text, str):
            raise ValueError("expected a path such as / or /billing")
        path = text.rstrip("/") or text[:1]
        if not _MOUNT.fullmatch(path) or {".", ".."} & set(path.split("/")) or "//" in text:
            raise ValueError(
                "expected a path such as / or /billing without //, dot segments, % or query, "
                f"found {text!r}"
            )
        return cls(path)
