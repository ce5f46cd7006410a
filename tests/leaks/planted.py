"""Secrets in every place where one can come in, and every way to spell one that came out."""

import base64
import gzip
import json
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from random import Random
from urllib.parse import quote, quote_plus

LEAST = 8
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"


class Secrets:
    """`secrets("bearer")` is a secret of its own for each place; the same for the same name."""

    def __init__(self, seed: int = 17) -> None:
        self.planted: dict[str, str] = {}
        self._chance = Random(seed)

    def __call__(self, name: str) -> str:
        """Its middle needs an escape in a URL, so that forms differ."""
        if name not in self.planted:
            left, right = ("".join(self._chance.choices(_ALPHABET, k=12)) for _ in range(2))
            self.planted[name] = f"{left}+{right}"
        return self.planted[name]

    def add(self, name: str, secret: str) -> str:
        """One that was made elsewhere."""
        self.planted[name] = secret
        return secret

    def found_in(self, where: str, content: bytes) -> list[str]:
        """`name (form) in where`, for each that is there."""
        lower = content.lower()
        return [
            f"{name} ({form}) in {where}"
            for name, secret in self.planted.items()
            for form, spelled in forms(secret)
            if spelled.lower() in lower
        ]


def forms(secret: str) -> Iterable[tuple[str, bytes]]:
    """As it is, in a URL, in base64 wherever it begins, in hex, and in parts."""
    raw = secret.encode()
    yield "plain", raw
    yield "reversed", raw[::-1]
    yield "percent", quote(secret, safe="").encode()
    yield "percent twice", quote(quote(secret, safe=""), safe="").encode()
    yield "form", quote_plus(secret).encode()
    yield "JSON", json.dumps(secret)[1:-1].replace("+", "\\u002b").encode()
    yield "HTML", secret.replace("+", "&#43;").encode()
    yield "hex", raw.hex().encode()
    for before in range(3):
        packed = base64.b64encode(bytes(before) + raw)[4 * bool(before) : -4]
        yield "base64", packed
        yield "base64url", packed.replace(b"+", b"-").replace(b"/", b"_")
    for half in raw.split(b"+"):
        if len(half) >= LEAST:
            yield "half", half


def unpacked(content: bytes) -> bytes:
    """What is in it, and what is in that, where it is compressed."""
    try:
        return content + gzip.decompress(content)
    except (EOFError, OSError, zlib.error):
        return content


def files_below(folder: Path) -> dict[str, bytes]:
    """All that is written in a folder, with the names."""
    found = {
        str(path.relative_to(folder)): unpacked(path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return {**found, "the names of files": "\n".join(found).encode()}


def own_lines(head: bytes) -> bytes:
    """Of an answer's head, the lines that Holdfast wrote."""
    return b"\n".join(re.findall(rb"(?im)^(?:holdfast-|via:)[^\r\n]*", head))
