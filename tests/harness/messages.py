"""HTTP messages as bytes: making them, and taking them apart without any library."""

from dataclasses import dataclass, field

CRLF = b"\r\n"


@dataclass(frozen=True)
class Message:
    """One request or answer, as it was read from a socket."""

    start: bytes
    lines: tuple[bytes, ...]
    """The header lines, byte for byte, without their ends."""
    body: bytes = b""
    """With its chunks put together."""
    trailers: tuple[bytes, ...] = ()
    chunks: tuple[bytes, ...] = ()
    interim: tuple["Message", ...] = field(default=())
    """The 1xx answers that came before this one."""
    raw: bytes = b""

    @property
    def method(self) -> bytes:
        return self.start.split(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.start.split(b" ")[1]

    @property
    def status(self) -> int:
        return int(self.start.split(b" ", 2)[1])

    @property
    def reason(self) -> bytes:
        return self.start.split(b" ", 2)[2]

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """(name as written, value without the white space around it)"""
        return [split_line(line) for line in self.lines]

    def values(self, name: str) -> list[bytes]:
        """All values under a name, in their order."""
        wanted = name.lower().encode()
        return [value for found, value in self.headers if found.lower() == wanted]

    def value(self, name: str) -> bytes | None:
        """The only value under a name."""
        values = self.values(name)
        assert len(values) <= 1, f"{name} stands {len(values)} times"
        return values[0] if values else None

    def without(self, *prefixes: str) -> list[tuple[bytes, bytes]]:
        """The headers whose names begin with none of these."""
        dropped = tuple(prefix.lower().encode() for prefix in prefixes)
        return [pair for pair in self.headers if not pair[0].lower().startswith(dropped)]


def split_line(line: bytes) -> tuple[bytes, bytes]:
    """A header line as (name, value)."""
    name, _, value = line.partition(b":")
    return name, value.strip(b" \t")


def split_head(head: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """A head that ends with its empty line, as (start line, header lines)."""
    start, *lines = head.removesuffix(CRLF + CRLF).split(CRLF)
    return start, tuple(lines)


def request(
    target: str | bytes = "/",
    *lines: str | bytes,
    method: str = "GET",
    body: bytes = b"",
    host: str | None = "agent.test",
    version: str = "1.1",
) -> bytes:
    """A request. With a body and no framing of its own it gets a Content-Length."""
    target = target.encode("latin-1") if isinstance(target, str) else target
    written = [method.encode() + b" " + target + b" HTTP/" + version.encode()]
    if host is not None:
        written.append(b"Host: " + host.encode())
    return _message(written, lines, body)


def answer(status: int | bytes = 200, *lines: str | bytes, body: bytes | None = b"") -> bytes:
    """An answer. `body=None` writes a head alone; else it is framed as a request is."""
    line = status if isinstance(status, bytes) else b"%d Said" % status
    return _message([b"HTTP/1.1 " + line], lines, body, always=body is not None)


def _message(
    written: list[bytes], lines: tuple[str | bytes, ...], body: bytes | None, always: bool = False
) -> bytes:
    written += [line.encode("latin-1") if isinstance(line, str) else line for line in lines]
    names = {split_line(line)[0].lower() for line in written[1:]}
    framed = bool(names & {b"content-length", b"transfer-encoding"})
    if not framed and (body or always):
        written.append(b"Content-Length: %d" % len(body or b""))
    return CRLF.join(written) + CRLF + CRLF + (body or b"")


def chunked(*parts: bytes, trailers: tuple[bytes, ...] = ()) -> bytes:
    """A chunked body, one chunk a part."""
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return framed + b"0\r\n" + b"".join(line + CRLF for line in trailers) + CRLF
