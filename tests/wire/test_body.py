"""A body on its way: whatever comes in which order, what flows is what was fed, once."""

import tracemalloc
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Header
from proxy.reply import Failure
from proxy.strand import Strand
from proxy.wire.body import AHEAD, Body, Memory, Read
from tests.fakes import FakeSource

pieces_of = st.lists(st.binary(min_size=1, max_size=100), max_size=8)


class Glass:
    """A sink that remembers what it was given."""

    def __init__(self) -> None:
        self.held = b""
        self.trailers: Sequence[Header] | None = None
        self.failure: Failure | None = None

    def write(self, piece: bytes) -> None:
        assert piece
        assert self.trailers is None
        assert self.failure is None
        self.held += piece

    def end(self, last: bytes, trailers: Sequence[Header]) -> None:
        assert self.trailers is None
        assert self.failure is None
        self.held += last
        self.trailers = trailers

    def broken(self, failure: Failure) -> None:
        assert self.trailers is None
        assert self.failure is None
        self.failure = failure


def read(body: Body, limit: int) -> list[Read]:
    """Begin to read all of it; the result stands in the list when it is there."""
    results: list[Read] = []
    ends: list[BaseException | None] = []

    async def run() -> None:
        results.append(await body.read(limit))

    Strand(run(), ends.append).step()
    assert ends in ([], [None])
    return results


@given(pieces_of, st.binary(max_size=100), st.integers(0, 8), st.booleans())
def test_what_flows_is_what_was_fed(pieces: list[bytes], last: bytes, at: int, fails: bool) -> None:
    """Whenever the sink comes: before, between or after the pieces; and one end."""
    body, glass = Body(FakeSource()), Glass()
    for number, piece in enumerate(pieces):
        if number == at:
            body.flow(glass)
        body.feed(piece)
    if at >= len(pieces):
        body.flow(glass)
    if fails:
        body.fail(Failure.TRUNCATED)
        body.fail(Failure.TIMEOUT)
        body.finish(b"late", [])
        assert (glass.held, glass.failure) == (b"".join(pieces), Failure.TRUNCATED)
        assert glass.trailers is None
    else:
        body.finish(last, [(b"x", b"X", b"1")])
        body.fail(Failure.TRUNCATED)
        assert (glass.held, glass.failure) == (b"".join(pieces) + last, None)
        assert glass.trailers == [(b"x", b"X", b"1")]


@given(pieces_of, st.binary(max_size=100))
def test_a_body_that_ended_before_its_sink_came(pieces: list[bytes], last: bytes) -> None:
    """It was held, and flows whole."""
    body, glass = Body(FakeSource()), Glass()
    for piece in pieces:
        body.feed(piece)
    body.finish(last, [])
    body.flow(glass)
    assert (glass.held, glass.trailers) == (b"".join(pieces) + last, [])


@given(pieces_of, st.binary(max_size=100), st.integers(0, 1000), st.integers(1, 8))
def test_a_body_that_was_kept_flows_again(
    pieces: list[bytes], last: bytes, keep: int, at: int
) -> None:
    """From its beginning, whatever had passed, as long as all of it was kept."""
    body, first, second = Body(FakeSource()), Glass(), Glass()
    body.keep(keep)
    body.flow(first)
    for piece in pieces[:at]:
        body.feed(piece)
    body.detach()
    fed = b"".join(pieces[:at])
    assert first.held == fed
    if len(fed) > keep:
        assert not body.replayable
        return
    if not body.replayable:
        assert keep == 0  # nothing was to be kept, though nothing came yet
        return
    body.flow(second)
    for piece in pieces[at:]:
        body.feed(piece)
    body.finish(last, [])
    assert (second.held, second.trailers) == (b"".join(pieces) + last, [])


@given(pieces_of, st.binary(max_size=100), st.integers(0, 500))
def test_reading_all_of_a_body(pieces: list[bytes], last: bytes, limit: int) -> None:
    """WHOLE up to the limit, TOO_LARGE over it, never both, and never before it is known."""
    body = Body(FakeSource())
    result = read(body, limit)
    for piece in pieces:
        body.feed(piece)
    body.finish(last, [])
    total = b"".join(pieces) + last
    if len(total) > limit:
        assert result == [Read.TOO_LARGE]
    else:
        assert result == [Read.WHOLE]
        assert body.whole == total


def test_crumbs_take_no_more_room_than_was_drawn_for_them() -> None:
    """A body that comes two bytes at a time is held as cheaply as any other."""
    size = 400_000
    body = Body(FakeSource(), Memory(size))
    body.keep(size)
    body.flow(Glass())
    tracemalloc.start()
    try:
        for at in range(0, size, 2):
            body.feed(b"%02d" % (at // 2 % 100))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert body.replayable
    assert held < 3 * size  # the glass has them as well


def test_reading_a_body_that_breaks() -> None:
    """BROKEN."""
    body = Body(FakeSource())
    result = read(body, 100)
    body.feed(b"x")
    body.fail(Failure.DISCONNECT)
    assert result == [Read.BROKEN]


def test_a_source_is_stopped_when_nobody_takes_it() -> None:
    """At most `AHEAD` bytes and one piece are held for a consumer that has not come."""
    tap = FakeSource()
    body = Body(tap)
    body.feed(b"x" * AHEAD)
    assert not tap.paused
    body.feed(b"x")
    assert tap.paused
    body.flow(Glass())
    assert not tap.paused


def test_a_sink_that_is_full_stops_the_source() -> None:
    """`pause` and `resume` go through."""
    tap = FakeSource()
    body = Body(tap)
    body.flow(Glass())
    body.pause()
    assert tap.paused
    body.resume()
    assert not tap.paused


def test_a_body_nobody_wants_tells_its_source() -> None:
    """Only while something may still come."""
    tap, done = FakeSource(), FakeSource()
    Body(tap).abandon()
    assert tap.abandoned
    body = Body(done)
    body.finish(b"", [])
    body.abandon()
    assert not done.abandoned


@given(st.lists(st.integers(1, 100_000), max_size=10), st.integers(0, 300_000), st.booleans())
def test_memory_that_was_drawn_is_given_back(sizes: list[int], room: int, released: bool) -> None:
    """The pool is never overdrawn, and full again at the end."""
    pool = Memory(room)
    body = Body(FakeSource(), pool)
    result = read(body, 1 << 20)
    for size in sizes:
        body.feed(b"x" * size)
        assert 0 <= pool.free <= room
    body.finish(b"", [])
    if result == [Read.DRY]:
        assert sum(sizes) > room
    body.abandon()
    body.release()
    assert pool.free == room


def test_a_body_that_was_sent_for_good_holds_nothing() -> None:
    """What was kept for a repetition goes back, also while the rest still flows."""
    memory = Memory(100)
    body, glass = Body(FakeSource(), memory), Glass()
    body.keep(100)
    body.flow(glass)
    body.feed(b"x" * 60)
    assert memory.free == 40
    body.forget()
    assert (memory.free, body.replayable) == (100, False)
    body.finish(b"y", [])
    assert (glass.held, body.whole) == (b"x" * 60 + b"y", None)


def test_a_whole_body_that_was_sent_for_good_goes() -> None:
    """It was read whole to find its tool."""
    memory = Memory(100)
    body = Body(FakeSource(), memory)
    read(body, 100)
    body.finish(b"x" * 60, [])
    assert memory.free == 40
    body.forget()
    assert (memory.free, body.whole, body.replayable) == (100, None, False)


def test_a_body_of_known_length_draws_all_of_it_or_nothing() -> None:
    """Two that had a half each would wait for each other."""
    memory = Memory(100)
    first, second = Body(FakeSource(), memory), Body(tap := FakeSource(), memory)
    assert first.reserve(80)
    assert not second.reserve(80)
    assert (memory.free, tap.paused) == (20, True)
    result = read(first, 100)
    first.feed(b"x" * 50)
    first.finish(b"y" * 30, [])
    assert (result, memory.free) == ([Read.WHOLE], 20)
    first.release()
    assert second.reserve(80)
    assert second.reserve(80)
    assert memory.free == 20
    second.forget()
    assert memory.free == 100


def test_what_came_before_there_was_room_is_reserved_as_well() -> None:
    """Its first piece is held at once; without room for that too, nothing is taken."""
    memory = Memory(100)
    assert memory.take(60)
    body = Body(FakeSource(), memory)
    body.feed(b"x" * 50)
    assert not body.reserve(80)
    assert memory.free == 40
    memory.give(60)
    assert body.reserve(80)
    assert memory.free == 20
    result = read(body, 100)
    body.finish(b"y" * 30, [])
    assert (result, memory.free) == ([Read.WHOLE], 20)
    body.release()
    assert memory.free == 100


class Seen:
    """A tap that checks that pieces fit, and remembers what passed each time."""

    def __init__(self) -> None:
        self.flows: list[bytes] = []
        self.ends = 0

    def saw(self, at: int, piece: bytes) -> None:
        if not at and (not self.flows or self.flows[-1]):
            self.flows.append(b"")
        assert at == len(self.flows[-1])
        self.flows[-1] += piece

    def ended(self) -> None:
        self.ends += 1


@given(pieces_of, st.integers(0, 8))
def test_who_watches_sees_what_flows(pieces: list[bytes], before: int) -> None:
    """All of it, each time that it flows; the sink gets it as ever."""
    body, seen, glass = Body(), Seen(), Glass()
    body.keep(1 << 20)
    body.watch(seen)
    for piece in pieces[:before]:
        body.feed(piece)
    body.flow(glass)
    for piece in pieces[before:]:
        body.feed(piece)
    body.finish(b"last", [])
    body.flow(Glass())
    whole = b"".join(pieces) + b"last"
    assert (glass.held, seen.flows, seen.ends) == (whole, [whole, whole], 2)


def test_several_may_watch() -> None:
    """Each sees all of it, and the sink gets it once."""
    body, glass = Body(), Glass()
    watching = [Seen(), Seen(), Seen()]
    for seen in watching:
        body.watch(seen)
    body.flow(glass)
    body.feed(b"first ")
    body.finish(b"last", [])
    assert glass.held == b"first last"
    assert [(seen.flows, seen.ends) for seen in watching] == [([b"first last"], 1)] * 3


def test_who_watches_is_not_told_an_end_that_never_came() -> None:
    """It broke off: what passed is all there is."""
    body, seen, glass = Body(), Seen(), Glass()
    body.watch(seen)
    body.flow(glass)
    body.feed(b"half")
    body.fail(Failure.TRUNCATED)
    assert (seen.flows, seen.ends, glass.failure) == ([b"half"], 0, Failure.TRUNCATED)
