"""Lines: what stands in front of every entry."""

import json
from typing import ClassVar

import msgspec
import pytest

from proxy.journal.chain import BEGINNING, follow
from proxy.journal.lines import Encoder, Tip, rfc3339, stamps
from proxy.journal.merkle import Frontier
from tests.journal.noted import Note

AT = 1_764_312_592_098_709_760


def test_a_moment_is_told_with_its_nanoseconds():
    """RFC 3339, UTC; also where a second begins."""
    assert rfc3339(AT) == "2025-11-28T06:49:52.098709760Z"
    assert rfc3339(5) == "1970-01-01T00:00:00.000000005Z"
    assert stamps(lambda: 1_795_847_012.25)() == 1_795_847_012_250_000_000


def test_every_entry_has_its_own_time():
    """Within a second and over its end."""
    times = [AT, AT + 1, AT + 1_000_000_000]
    lines = Encoder("w").lines([(at, Note("x")) for at in times], Tip())

    assert [json.loads(line)["ts"] for line in lines] == [rfc3339(at) for at in times]


def test_a_writers_name_may_hold_anything():
    """It is quoted."""
    (line,) = Encoder('a"b').lines([(AT, Note("x"))], Tip())

    assert json.loads(line)["writer"] == 'a"b'


def test_the_tip_goes_on_with_the_lines():
    """Chain and tree; a copy of it does not."""
    tip = Tip()
    before = tip.copy()
    lines = Encoder("w").lines([(AT, Note("x")), (AT, Note("y"))], tip)

    hashes = follow([line[:-1] for line in lines], BEGINNING)
    tree = Frontier()
    tree.extend(hashes)
    assert (tip.place.seq, tip.place.hash, tip.tree.root()) == (2, hashes[1], tree.root())
    assert (before.place, before.tree.size) == (BEGINNING, 0)


def test_an_entry_without_an_id_in_front_is_refused():
    """Its line would not be what the format says."""

    class Behind(msgspec.Struct):
        text: str
        id: str
        type: ClassVar[str] = "start"

    with pytest.raises(TypeError, match="Behind is no entry"):
        Encoder("w").lines([(AT, Behind("x", "y"))], Tip())


def test_in_a_drill_each_line_says_so():
    """So nobody takes a rehearsal for real."""
    (line,) = Encoder("w", 60).lines([(AT, Note("x"))], Tip())
    assert b'"v":1,"writer":"w","drill":60,' in line
