"""For which calls a policy is: globs over the facts of a call, and a condition."""

import re
from collections.abc import Mapping
from functools import cache
from urllib.parse import quote

import msgspec

from proxy.expression import Expression
from proxy.globs import holds

KEYS = (
    "upstream",
    "protocol",
    "layer",
    "tool",
    "agent",
    "fleet",
    "workflow",
    "model",
    "method",
    "path",
    "stream",
)
"""The facts that a match may ask for."""


def truth(value: bool) -> str:
    """A yes or no as the text that it is among the facts, and in a glob."""
    return "true" if value else "false"


_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")  # RFC 3986 2.3


def path_as_sent(path: str) -> str:
    """A path, or a glob of one, as it stands in a request (RFC 3986 6.2.2).

    Its letters beyond ASCII are escapes of their UTF-8, escapes are written in capitals, and
    letters and digits are none.
    """
    return _ESCAPE.sub(_escape, quote(path, safe=_VISIBLE, errors="surrogateescape"))


def _escape(match: re.Match[str]) -> str:
    plain = chr(int(match[0][1:], 16))
    return plain if _UNRESERVED.fullmatch(plain) else match[0].upper()


class Globs(msgspec.Struct, frozen=True):
    """Patterns for one fact: one that is wanted must hold, and none that is excluded."""

    wanted: tuple[str, ...]  # ("*",) where only exclusions were written
    excluded: tuple[str, ...] = ()

    @classmethod
    def of(cls, written: tuple[str, ...]) -> "Globs":
        """From what a file says; a leading `!` excludes."""
        excluded = tuple(glob[1:] for glob in written if glob.startswith("!"))
        wanted = tuple(glob for glob in written if not glob.startswith("!"))
        return cls(wanted or ("*",), excluded)

    def hold(self, value: str) -> bool:
        """Does the value match?"""
        return _any(self.wanted, value) and not _any(self.excluded, value)

    def cover(self, other: "Globs") -> bool:
        """Does every value that `other` matches match here too? False where it is not certain.

        A glob that matches another's text, star and all, matches whatever that star stands for:
        only a star of its own can have taken it.
        """
        return all(_any(self.wanted, glob) for glob in other.wanted) and not any(
            _meet(out, glob) and not _any(other.excluded, out)
            for out in self.excluded
            for glob in other.wanted
        )

    def meet(self, other: "Globs") -> bool:
        """May a value match both? True where it is not certain that none does."""
        return any(_meet(glob, theirs) for glob in self.wanted for theirs in other.wanted)

    @property
    def impossible(self) -> bool:
        """Can no value match, because all that is wanted is excluded?"""
        return all(_any(self.excluded, glob) for glob in self.wanted)


class Match(msgspec.Struct, frozen=True):
    """All keys must hold, and the condition where there is one; no key matches every call."""

    globs: dict[str, Globs] = {}
    when: Expression | None = None

    def holds(self, facts: Mapping[str, str]) -> bool:
        """Is the policy for this call, its condition left aside?

        A fact that a call does not have is the empty text.
        """
        return all(globs.hold(facts.get(key, "")) for key, globs in self.globs.items())

    def covers(self, other: "Match") -> bool:
        """Does it hold for every call that `other` holds for? False where it is not certain."""
        return self.when is None and all(
            globs.cover(other.globs.get(key, _ANY)) for key, globs in self.globs.items()
        )

    def meets(self, other: "Match") -> bool:
        """May there be a call that both hold for? True where it is not certain."""
        return all(globs.meet(other.globs.get(key, _ANY)) for key, globs in self.globs.items())

    @property
    def keys(self) -> frozenset[str]:
        """The facts that it asks for."""
        return frozenset(self.globs)


_ANY = Globs(("*",))


def _any(globs: tuple[str, ...], text: str) -> bool:
    return any(holds(glob, text) for glob in globs)


def _meet(one: str, other: str) -> bool:
    """Is there a text that both globs match?"""

    @cache
    def meet(i: int, j: int) -> bool:
        if i == len(one) or j == len(other):
            return not (one[i:] + other[j:]).strip("*")
        if one[i] != "*" and other[j] != "*":
            return one[i] == other[j] and meet(i + 1, j + 1)
        # A star ends here, or takes what the other has here along; either way one of them goes on.
        return meet(i + 1, j) or meet(i, j + 1)

    return meet(0, 0)
