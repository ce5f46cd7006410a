"""Walks: on behind what is wrong, with what the lines claim."""

from proxy.journal.chain import BEGINNING, Place
from proxy.journal.lines import Encoder, Tip
from proxy.journal.walk import Fault, Walk
from tests.journal.noted import Note


def written(count: int = 6) -> tuple[list[bytes], list[bytes]]:
    """Lines, and the roots of their trees."""
    tip, encoder, found, roots = Tip(), Encoder("w"), [], []
    for number in range(count):
        found += encoder.lines([(number, Note(f"n{number}"))], tip)
        roots.append(tip.tree.root())
    return [line[:-1] for line in found], roots


def walked(lines: list[bytes], *wanted: int) -> Walk:
    walk = Walk()
    walk.want(wanted)
    walk.enter("file")
    walk.go(lines)
    return walk


def test_all_roots_that_are_wanted_are_found():
    """However the lines come."""
    lines, roots = written()
    for cut in range(7):
        walk = Walk()
        walk.want([0, 2, 3, 6, 9])
        walk.enter("file")
        walk.go(lines[:cut])
        walk.go(lines[cut:])

        assert walk.faults == []
        assert [walk.roots[size] for size in (2, 3, 6)] == [roots[1], roots[2], roots[5]]
        assert set(walk.roots) == {0, 2, 3, 6}


def test_a_changed_record_leaves_the_tree_as_it_was():
    """Its hash is still known, from itself or from the one behind it."""
    lines, roots = written()
    lines[2] = lines[2].replace(b'"id":"n2"', b'"id":"xx"')
    lines[4] = lines[4][:-10] + b"0123456" + lines[4][-3:]

    walk = walked(lines, 6)

    assert [(fault.line, fault.seq, fault.id) for fault in walk.faults] == [
        (3, 3, "xx"),
        (5, 5, "n4"),
    ]
    assert walk.roots[6] == roots[5]
    assert walk.good == 4


def test_a_line_that_is_no_record_is_bridged():
    """The one behind it says what its hash was."""
    lines, roots = written()
    lines[2] = b"nonsense"

    walk = walked(lines, 6)

    assert [str(fault) for fault in walk.faults] == ["file line 3: not a record"]
    assert walk.roots[6] == roots[5]


def test_where_hashes_are_missing_the_tree_is_not_known():
    """It is not made up; the chain goes on."""
    lines, _ = written()
    gone = walked([lines[0], *lines[3:]], 2, 6)
    ends = walked([*lines[:5], b"nonsense"], 6)
    two = walked([lines[0], b"x", b"y", *lines[3:]], 6)

    assert gone.faults[0].why == "seq 4 stands where 2 belongs"
    assert (gone.tree, gone.roots, gone.place.seq, len(gone.faults)) == (None, {}, 6, 1)
    assert (ends.tree, ends.place.seq) == (None, 5)
    assert (two.tree, two.place.seq) == (None, 6)


def test_what_is_wrong_is_said_of_each_kind():
    """A prev of another record; members that stand elsewhere."""
    lines, _ = written()
    other = lines[1].replace(b'"prev":"', b'"prev":"0')[:-1]
    moved = (
        Encoder("w")
        .lines([(0, Note("z"))], Tip(BEGINNING))[0][:-1]
        .replace(b'{"seq":1,', b'{ "seq":1,')
    )

    assert (
        "prev" in walked([lines[0], lines[1].replace(lines[1][-140:-130], b"0" * 10)]).faults[0].why
    )
    assert walked([lines[0], other]).faults[0].why == "not a record"
    assert "was changed" in walked([moved]).faults[0].why


def test_a_member_in_another_place_is_told():
    """The hash is right for its bytes, but seq does not stand in front."""
    line = Encoder("w").lines([(0, Note("z"))], Tip())[0][:-1]
    body = line[: -len(',"hash":""}') - 64].replace(b'{"seq":1,', b'{"SEQ":1,"seq":1,') + b"}"
    from hashlib import sha256

    whole = body[:-1] + b',"hash":"' + sha256(bytes(32) + body).hexdigest().encode() + b'"}'

    assert walked([whole]).faults[0].why.startswith("not written as a record is")


def test_only_lines_that_hold_are_handed_on():
    """For those who believe them."""
    lines, _ = written(4)
    lines[1] = b"nonsense"
    seen: list[bytes] = []
    walk = Walk(Place(0, bytes(32)))
    walk.held = seen.extend
    walk.go(lines)

    assert seen == [lines[0], lines[2], lines[3]]


def test_a_fault_is_told_with_all_that_is_known():
    """And without what is not."""
    assert str(Fault("f", 2, 3, "x", "why")) == "f line 2, seq 3, id x: why"
    assert str(Fault("f", 0, 0, "", "why")) == "f: why"
