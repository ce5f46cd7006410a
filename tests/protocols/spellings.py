"""JSON as others may write it: the same names in many spellings, and what is almost JSON."""

import json

from hypothesis import strategies as st

NAMES = ["tool", "Tool", "TOOL", "tooL", "tool ", "too", "input", "x", "workflow_id", "", "töol"]
TOOLS = ["free", "blocked", "Blocked", "", "bl/ocked", "bl\nocked", "блок", "a" * 257]
NUMBERS = ["0", "-0", "7", "-12", "1.5", "1e3", "1.0E+2", "123456789012345678901234567890", "1e400"]
ALMOST = ["NaN", "Infinity", "01", "+1", ".5", "1.", "'a'", "undefined", "/**/1", "tool", "", "-"]
"""What some readers take for a value."""


@st.composite
def written(draw: st.DrawFn, text: str) -> str:
    """A string, each letter as itself where that is allowed, or escaped in one of two ways."""
    letters = []
    for letter in text:
        plain = [letter] if letter >= " " and letter not in '"\\' else []
        short = [json.dumps(letter)[1:-1]]
        long = ["".join(f"\\u{unit:04x}" for unit in _units(letter))]
        letters.append(draw(st.sampled_from(plain * 3 + short + long)))
    return '"' + "".join(letters) + '"'


def _units(letter: str) -> list[int]:
    """Its UTF-16 code units."""
    raw = letter.encode("utf-16-be")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


gaps = st.sampled_from(["", "", "", " ", "\n", "\t\r\n "])
names = st.one_of(st.sampled_from(NAMES), st.text(max_size=5)).flatmap(written)
strings = st.one_of(st.sampled_from(TOOLS), st.text(max_size=8)).flatmap(written)
scalars = st.one_of(strings, st.sampled_from([*NUMBERS, "true", "false", "null"]))


@st.composite
def objects(draw: st.DrawFn, members: st.SearchStrategy[str]) -> str:
    """An object in which names may come again and again."""
    pairs = draw(st.lists(st.tuples(gaps, names, gaps, gaps, members, gaps), max_size=4))
    return "{" + ",".join(f"{a}{n}{b}:{c}{v}{d}" for a, n, b, c, v, d in pairs) + "}"


def lists(members: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """An array."""
    return st.lists(members, max_size=3).map(lambda found: "[" + ",".join(found) + "]")


values = st.recursive(scalars, lambda inner: st.one_of(objects(inner), lists(inner)), max_leaves=8)
documents = st.one_of(objects(values), objects(values), values)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A document, often whole, sometimes with something before, behind or within it, recoded."""
    text = draw(gaps) + draw(documents) + draw(gaps)
    spoilt = draw(st.integers(0, 5))
    if spoilt == 0:
        text = draw(st.sampled_from(["", "\ufeff", "x", "\0", "[", "//\n"])) + text
    elif spoilt == 1:
        text += draw(st.sampled_from(["x", "\0", ",", "}", '{"tool":"blocked"}', "\n[]", "\ufeff"]))
    elif spoilt == 2:
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(ALMOST)) + text[at:]
    elif spoilt == 3:
        at = draw(st.integers(0, len(text)))
        text = text[:at] + text[at + 1 :]
    kinds = ["utf-8"] * 8 + ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "latin-1"]
    return text.encode(draw(st.sampled_from(kinds)), "replace")
