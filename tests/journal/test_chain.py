"""The line format and the chain."""

import json
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.journal.chain import (
    BEGINNING,
    ZERO,
    Place,
    chained,
    claims,
    digest_of,
    follow,
    raw,
    type_of,
)
from proxy.journal.entries import Recovery
from tests.journal.noted import Note

OPENING = b',"ts":"2026-11-28T00:00:00.000000000Z","type":"call.finished","v":1,"writer":"w"'


def line(entry, after: Place) -> tuple[bytes, Place]:
    """Its line, and the place that it has then."""
    (text,), (digest,) = chained([(entry, OPENING)], after)
    return text, Place(after.seq + 1, digest)


def written(*texts: str) -> list[bytes]:
    """Lines without newlines."""
    place, found = BEGINNING, []
    for number, text in enumerate(texts):
        entry = Note(f"id-{number}", text)
        whole, place = line(entry, place)
        found.append(whole[:-1])
    return found


def test_the_hash_is_that_of_prev_and_the_line_without_it():
    """By the words of the specification, with nothing of ours: json, slices, SHA-256."""
    first, second = written("a", "b")

    for text, prev in ((first, "0" * 64), (second, json.loads(first)["hash"])):
        record = json.loads(text)
        cut = text.decode().replace(f',"hash":"{record["hash"]}"', "")
        assert record["prev"] == prev
        assert sha256(bytes.fromhex(prev) + cut.encode()).hexdigest() == record["hash"]


def test_the_members_stand_in_their_order():
    """seq, id, ts, type, v, writer, what is told, prev, and hash last of all."""
    (text,) = written("a")

    assert list(json.loads(text)) == [
        *("seq", "id", "ts", "type", "v", "writer", "text", "prev", "hash")
    ]
    assert text.startswith(b'{"seq":1,"id":"id-0","ts":"2026-')


def test_what_is_not_known_is_absent():
    """No null, and no member that is empty."""
    entry = Recovery("an id", "torn")
    whole, _ = line(entry, BEGINNING)

    assert b"null" not in whole
    assert b'"detail"' not in whole


@given(st.lists(st.text(max_size=60), min_size=1, max_size=8))
def test_any_text_keeps_the_format(texts):
    """One line each, valid JSON, and it chains: also with quotes, newlines and other alphabets."""
    lines = written(*texts)

    assert [len(text.splitlines()) for text in lines] == [1] * len(texts)
    assert [json.loads(text).get("text", "") for text in lines] == texts
    assert len(follow(lines, BEGINNING)) == len(texts)


@given(st.text(max_size=40))
def test_an_id_cannot_forge_a_type(name):
    """An agent may have chosen it: the type is found behind it, whatever it says."""
    entry = Note(f'{name}","type":"prune')
    whole, _ = line(entry, BEGINNING)

    assert type_of(whole) == b"call.finished"
    told = claims(whole[:-1])
    assert told is not None
    assert told.id == entry.id


@given(st.data())
def test_no_change_of_a_byte_goes_unseen(data):
    """In any line, at any place: up to that line all holds, and it does not."""
    lines = written("a", "b", "c")
    number = data.draw(st.integers(0, 2))
    at = data.draw(st.integers(0, len(lines[number]) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != lines[number][at]))
    changed = bytearray(lines[number])
    changed[at] = other
    lines[number] = bytes(changed)

    assert len(follow(lines, BEGINNING)) == number


@pytest.mark.parametrize(
    ("order", "holds"), [([1, 2], 0), ([0, 2], 1), ([0, 2, 1], 1), ([0, 0, 1, 2], 1), ([0, 1], 2)]
)
def test_no_line_can_be_left_out_moved_or_doubled(order, holds):
    """It holds up to there. That the end is missing, the chain cannot see."""
    lines = written("a", "b", "c")

    assert len(follow([lines[number] for number in order], BEGINNING)) == holds


def test_seq_is_checked_apart_from_the_chain():
    """A chain made anew with other numbers does not hold."""
    entry = Note("x")
    whole, _ = line(entry, Place(4, ZERO))

    assert follow([whole[:-1]], BEGINNING) == []
    assert len(follow([whole[:-1]], Place(4, ZERO))) == 1


def test_a_digest_is_that_of_the_line():
    """`digest_of` is the same sum, for one line."""
    first, second = written("a", "b")

    assert digest_of(first, ZERO).hex() == json.loads(first)["hash"]
    assert [digest_of(first, ZERO), digest_of(second, digest_of(first, ZERO))] == follow(
        [first, second], BEGINNING
    )


NO_HASH = "0" * 63


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{}", b"[1]", b"nonsense", b"\xff\xfe"),
        b'{"x":' + b"[" * 100_000,
        json.dumps({"seq": 0, "prev": "0" * 64, "hash": "0" * 64}).encode(),
        json.dumps({"seq": 1, "prev": NO_HASH, "hash": "0" * 64}).encode(),
        json.dumps({"seq": 1, "prev": "0" * 64, "hash": NO_HASH}).encode(),
    ],
)
def test_what_is_no_record_claims_nothing(text):
    """Neither what is not JSON, nor what has no place in a chain."""
    assert claims(text) is None


def test_a_hash_is_64_digits():
    """Nothing else is one."""
    assert raw("0" * 64) == ZERO
    assert [raw(text) for text in ("0" * 62, "0" * 63, "x" * 64, "é" * 64, "")] == [None] * 5


def test_an_entry_that_cannot_be_written_is_refused():
    """It raises, and the chain is where it was."""

    class Wrong(msgspec.Struct):
        id: str
        what: object

    entry = Wrong("1", object())
    with pytest.raises(TypeError):
        line(entry, BEGINNING)
