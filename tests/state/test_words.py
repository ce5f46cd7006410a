"""The forms of what pods say to each other about requests."""

import msgspec
import pytest

from proxy.state.sealed import Envelope
from proxy.state.words import Answer, Word, closed, opened

ENVELOPE = Envelope(b"a key of the fleet")
WORD = Word("r1", "deny", "alice", ("treasury",), False, "no", False, "b", 1.5, 2.5)


def test_a_word_comes_as_it_was_said():
    """For that pod, under that number."""
    raw = closed(ENVELOPE, WORD, "a", "w1")
    assert opened(ENVELOPE, Word, raw, "a", "w1") == WORD
    assert opened(ENVELOPE, Word, raw, "c", "w1") is None
    assert opened(ENVELOPE, Word, raw, "a", "w2") is None


def test_one_form_is_not_taken_for_another():
    """Though its parts be the same."""
    raw = closed(ENVELOPE, WORD, "a", "w1")
    assert opened(ENVELOPE, Answer, raw, "a", "w1") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode({"request": "r1"}),
        msgspec.msgpack.encode(msgspec.structs.replace(WORD, by="x" * 1_001)),
        msgspec.msgpack.encode(msgspec.structs.replace(WORD, decision="perhaps")),
        b"\x81" + b"\xa1\xff" + b"\xc0",
        b"\x91" * 100_000,
    ],
)
def test_what_is_no_such_form_is_nothing(content):
    """Without a key anybody can say anything."""
    plain = Envelope(b"")
    assert opened(plain, Word, plain.close(content)) is None
