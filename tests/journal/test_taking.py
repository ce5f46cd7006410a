"""proxy/journal/taking.py"""

import asyncio
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Stop, Whole
from proxy.journal.redaction import rules_of
from proxy.journal.sealing import Who
from proxy.journal.taking import BodyTap, CallTaking, Parcel, Space, Taken, Wish
from proxy.refusal import Refusal
from proxy.reply import Reply
from tests.fakes import FakeBody, make_call
from tests.observe.records import record

FULL = Wish("full", rules_of(()), 10)
REDACTED = Wish("redacted", rules_of(()), 10)


@given(st.lists(st.binary(max_size=6)), st.sampled_from([FULL, REDACTED]), st.data())
def test_a_body_is_taken_the_same_however_it_comes(pieces, wish, data):
    """In any pieces, and sent again from its beginning at any moment; space is never lost."""
    whole = b"".join(pieces)
    space = Space(100)
    tap = BodyTap(space, wish)
    at = 0
    for piece in pieces:
        if data.draw(st.booleans()):
            again = data.draw(st.integers(0, at))
            tap.saw(again, whole[again:at])
        tap.saw(at, piece)
        at += len(piece)
    tap.ended()
    taken = tap.taken(b"gzip")
    assert taken is not None
    large = len(whole) > 10
    held = b"" if large and not wish.cuts else whole[:10]
    assert (b"".join(taken.pieces), taken.size, taken.coding) == (held, len(whole), b"gzip")
    assert (taken.whole, bool(taken.why)) == (not large, large and not wish.cuts)
    assert space.free == 100 - len(held) == 100 - taken.held


def test_where_there_is_no_room_nothing_is_held():
    """What was is given back; it is counted once, and its length still known."""
    space = Space(5)
    tap = BodyTap(space, FULL)
    for at in (0, 3, 6):
        tap.saw(at, b"abc")
    taken = tap.taken(b"")
    assert taken == Taken((), 9, False, "there was no room to hold it")
    assert (space.free, space.lost) == (5, {"memory": 1})


def test_crumbs_take_no_more_room_than_was_drawn_for_them():
    """A body in chunks of two bytes is as large as any other."""
    space, size = Space(1 << 20), 400_000
    tap = BodyTap(space, Wish("full", rules_of(()), 1 << 20))
    tracemalloc.start()
    try:
        for at in range(0, size, 2):
            tap.saw(at, b"%02d" % (at % 100))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1.5 * size
    assert space.free == (1 << 20) - size


def test_a_body_that_never_came_is_none():
    """An empty one is."""
    tap = BodyTap(Space(), FULL)
    assert tap.taken(b"") is None
    tap.all(b"")
    assert tap.taken(b"") == Taken(whole=True)


def taking(call: Any) -> CallTaking:
    """Of a call."""
    return CallTaking(call, FULL, Space(), lambda: 5.0)


def test_a_parcel_has_both_bodies_and_whose_they_are():
    """What is here as a whole need not have flowed."""
    call = make_call({b"content-encoding": b"br"}, body=FakeBody(b"asked"), task="t", agent="a")
    reply = Reply(200, fields={b"content-encoding": b"gzip"}, body=Whole(b"told"))
    parcel = taking(call).parcel(call, reply, record())
    assert (parcel.who, parcel.at, parcel.held, parcel.wish) == (Who("t", "a"), 5.0, 9, FULL)
    assert parcel.request == Taken((b"asked",), 5, True, "", b"br")
    assert parcel.response == Taken((b"told",), 4, True, "", b"gzip")
    told = parcel.told("cc")
    assert told.request is not None
    assert told.response is not None
    assert (told.request.bytes, told.request.commitment) == (5, "cc")
    assert (told.response.bytes, told.response.commitment) == (4, "")


def test_a_request_that_comes_whole_later_is_taken_at_the_end():
    """It was read to be looked at, and then went nowhere."""
    body = FakeBody(None)
    call = make_call(body=body)
    taken = taking(call)
    body.whole = b"read"
    parcel = taken.parcel(call, Reply(0), record())
    assert parcel.request == Taken((b"read",), 4, True)
    assert parcel.response is None
    assert parcel.told().response is None


class Streams(FakeBody):
    """Notes who watches."""

    tap: Any = None

    def watch(self, tap: Any) -> None:
        self.tap = tap


@pytest.mark.parametrize("tunnel", [None, object()])
def test_an_answer_that_streams_is_watched_unless_it_is_a_tunnel(tunnel: Any):
    """What two programs say to each other there is no answer."""
    call, body = make_call(), Streams(None)
    taken = taking(call)
    reply = Reply(200, body=body, tunnel=tunnel)
    taken.answers(reply)
    assert (body.tap is taken.response) is (tunnel is None)
    body.whole = b"all of it"
    assert (taken.parcel(call, reply, record()).response is None) is (tunnel is not None)


def test_an_answer_without_a_body_is_nothing_to_watch():
    """Nor to keep."""
    call = make_call()
    taken = taking(call)
    taken.answers(Reply(204))
    assert taken.parcel(call, Reply(204), record()).response is None


def test_what_nobody_heard_is_no_answer():
    """Our own words to an agent that has left. The upstream's are one, whoever heard them."""
    call = make_call()
    call.stopped = Stop.AGENT_GONE
    for refusal in (Refusal("deny", "no"), None):
        reply = Reply(200, body=Whole(b"x"), refusal=refusal)
        found = taking(call).parcel(call, reply, record()).response
        assert (found is None) is (refusal is not None)


async def test_whoever_waits_hears_when_the_record_is_noted():
    """From another thread; one that has left is not in the way, nor a loop that is closed."""
    parcel = Parcel(record(), Who(), FULL, None, None, 0.0)
    parcel.is_noted()  # nobody waits
    noted = parcel.announced()
    await asyncio.to_thread(parcel.is_noted)
    await noted
    gone = parcel.announced()
    gone.cancel()
    parcel.is_noted()
    await asyncio.to_thread(lambda: None)
    assert gone.cancelled()


def test_a_loop_that_is_closed_is_nobody_who_waits():
    """The process stops."""
    parcel = Parcel(record(), Who(), FULL, None, None, 0.0)

    async def announces() -> "asyncio.Future[None]":
        return parcel.announced()

    noted = asyncio.run(announces())
    parcel.is_noted()
    assert not noted.done()
