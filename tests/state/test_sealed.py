"""What goes from pod to pod: closed, and bound to what it is about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state.sealed import LARGEST, Envelope

KEY, OTHER = b"k" * 16, b"o" * 16


@given(st.binary(max_size=200), st.lists(st.text(max_size=20), max_size=3))
def test_what_is_closed_is_opened_by_the_fleet(content, about):
    """With the same key, at another pod."""
    raw = Envelope(KEY).close(content, *about)
    assert Envelope(KEY).open(raw, *about) == content
    assert Envelope(OTHER).open(raw, *about) is None
    assert Envelope(b"").open(raw, *about) is None


@given(st.data())
def test_what_was_changed_is_not_opened(data):
    """At any byte, or cut anywhere."""
    raw = Envelope(KEY).close(b"the content", "a")
    at = data.draw(st.integers(0, len(raw) - 1))
    changed = bytes([raw[at] ^ data.draw(st.integers(1, 255))])
    assert Envelope(KEY).open(raw[:at] + changed + raw[at + 1 :], "a") is None
    assert Envelope(KEY).open(raw[:at], "a") is None


@pytest.mark.parametrize("about", [(), ("ab",), ("a", "c"), ("b", "a"), ("a", "b", "")])
def test_nothing_stands_in_the_place_of_another(about):
    """It is bound to every word of what it is about, and to where each ends."""
    raw = Envelope(KEY).close(b"x", "a", "b")
    assert Envelope(KEY).open(raw, *about) is None


def test_nothing_of_it_can_be_read():
    """Nor do two that are the same look alike."""
    envelope = Envelope(KEY)
    one, two = envelope.close(b"amount: 5", "a"), envelope.close(b"amount: 5", "a")
    assert one != two
    assert b"amount" not in one
    assert envelope.sealed


def test_without_a_key_it_is_in_plain():
    """And who has one takes nothing that is."""
    plain = Envelope(b"")
    assert not plain.sealed
    assert plain.open(plain.close(b"x", "a"), "b") == b"x"
    assert Envelope(KEY).open(plain.close(b"x", "a"), "a") is None


def test_what_is_too_long_is_not_looked_at():
    """Whoever put it there."""
    assert Envelope(b"").open(b"p" + b"x" * LARGEST, "a") is None
