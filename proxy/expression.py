"""Conditions in policies, written in CEL: `double(input.amount) > 100.0` (spec 1.4).

The library behind them, cel-expr-python, is an extra and is imported by the first expression that
is read: it costs 52 MB of disk, 6 ms and 6 MB. It bounds what an evaluation may do: 10,000
iterations, 32 levels, regular expressions that take linear time.
"""

import functools
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

LONGEST = 2_000
"""Characters of an expression."""

VARIABLES = {
    **dict.fromkeys(
        ("tool", "agent", "fleet", "workflow", "upstream", "model", "layer", "method", "path"),
        "STRING",
    ),
    "input": "DYN",
    "headers": "MAP",  # of strings
    "tokens": "INT",
    "now": "TIMESTAMP",
    "cost": "DOUBLE",  # of one sending, as far as it is known before, in US dollars
    "budget.remaining": "DOUBLE",  # 1: nothing is spent of its budgets; 0: one has nothing left
}
"""What an expression may ask for, and its type."""
MONEY = frozenset({"cost", "budget.remaining"})
"""Of these, what hangs on the policies in force: not known where those are still looked for."""


class Expression(str):
    """A condition in CEL, compiled.

    `uses` are the variables that it asks for. `names` are the members that it reads of something,
    wherever they stand in it; `members` maps the variables `input` and `headers` to those that it
    reads of them, or to None where it may read them all.
    """

    __slots__ = ("_compiled", "members", "names", "uses")

    uses: frozenset[str]
    names: frozenset[str]
    members: dict[str, frozenset[str] | None]
    _compiled: Any

    @classmethod
    def parse(cls, text: object) -> "Expression":
        """Raises ValueError for what is no condition over `VARIABLES`, and what is wrong."""
        if not isinstance(text, str):
            raise ValueError(f"expected a condition, found {text!r}")
        if len(text) > LONGEST:
            raise ValueError(f"expected a condition of at most {LONGEST:,} characters")
        compiled = _compiled(text)
        self = cls(text)
        self._compiled = compiled
        words = set(_WORD.findall(text))
        self.uses = frozenset(
            name
            for name in VARIABLES
            if name.partition(".")[0] in words and not _compiles(text, without=name)
        )
        self.names = _names(text)
        self.members = {name: _members(text, name) for name in ("input", "headers")}
        return self

    def early(self, where: str) -> None:
        """It is asked before it is known which policies are in force. Raises ValueError where it
        asks for what hangs on them."""
        asked = sorted(MONEY & self.uses)
        if asked:
            raise ValueError(
                f"{where}: {' and '.join(asked)} cannot be known here, where it is still asked "
                "which policies hold; deny.when, approval.when and route.when may ask for it"
            )

    def holds(self, values: Mapping[str, Any]) -> bool | None:
        """Does it hold for these values of what it uses? None: it failed, however it did."""
        try:
            found = self._compiled.eval(data=values).plain_value()
        except Exception:  # the library's own, of many kinds; a call must not fall over it
            return None
        return found if found is True or found is False else None  # an error is a value as well


_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_TEXT = r"""(?:"([^"\\]*)"|'([^'\\]*)')"""
_MEMBER = re.compile(  # `.name` but no `.call()`, `["name"]`
    rf"\s*(?:\.\s*([A-Za-z_]\w*)(?!\w|\s*\()|\[\s*{_TEXT}\s*\])", re.ASCII
)
_ASKED = re.compile(rf"{_TEXT}\s*in\b", re.ASCII)


def _members(text: str, variable: str) -> frozenset[str] | None:
    """What it reads of a variable; None: all of it, perhaps."""
    found: set[str] = set()
    for use in re.finditer(rf"\b{variable}\b", text):
        member = _MEMBER.match(text, use.end())
        if member is None:
            return None
        found.add("".join(name or "" for name in member.groups()))
    return frozenset(found)


def _names(text: str) -> frozenset[str]:
    found = (*_MEMBER.findall(text), *_ASKED.findall(text))
    return frozenset("".join(groups) for groups in found)


def _compiled(text: str) -> Any:
    try:
        compiled = _environment("").compile(text)
    except ImportError:
        raise ValueError("needs the extra cel: pip install 'holdfast[cel]'") from None
    except RuntimeError as error:
        raise ValueError(f"expected a condition, found {_said(str(error))}") from None
    kind = compiled.return_type().name()
    if kind != "BOOL":
        hint = "; compare it: … == true" if kind == "DYN" else ""
        raise ValueError(f"expected a condition, found one whose value is {kind.lower()}{hint}")
    return compiled


def _compiles(text: str, without: str) -> bool:
    try:
        _environment(without).compile(text)
    except RuntimeError:
        return False
    return True


@functools.cache
def _environment(without: str) -> Any:
    """What expressions are compiled in. Raises ImportError where the library is missing."""
    cel = import_module("cel_expr_python.cel")
    strings = cel.Type.Map(cel.Type.STRING, cel.Type.STRING)
    kinds = {name: getattr(cel.Type, kind) for name, kind in VARIABLES.items() if name != without}
    return cel.NewEnv(variables={**kinds, **({"headers": strings} if "headers" in kinds else {})})


_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")


def _said(error: str) -> str:
    """The library's first complaint, without the text that it repeats."""
    found = _ERROR.search(error)
    if found is None or found[1] == "-1":
        return "one that is nested too deep" if "recursion" in error else "none"
    line, column, said = found.groups()
    said = said.partition(" (in container")[0].partition(" expecting {")[0]
    where = f"line {line}, column {column}" if line != "1" else f"column {column}"
    return f"at its {where}: {said.removeprefix('Syntax error: ').removeprefix('found ')}"
