"""Permits and their queue, without anybody who really waits. With them: see the stage's tests."""

import asyncio
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state.permits import End, PermitRules, Permits, Rank, Waiting


@cache
def loop() -> asyncio.AbstractEventLoop:
    """Futures must belong to one; it never runs."""
    return asyncio.new_event_loop()


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    loop().close()
    loop.cache_clear()


class Queue:
    """Permits, a clock, and those who wait."""

    def __init__(self, limit: int = 1, least: int = 0, most: int = 0) -> None:
        self.time = 0.0
        self.permits = Permits(rules(limit, least, most), lambda: self.time)
        self.entries: dict[str, Waiting] = {}

    def come(
        self, name: str, rank: Rank = Rank.AGENT, line: str = "", last: float = 9.0, most: int = 8
    ) -> bool:
        """Somebody stands in the queue; False: there was no place."""
        entry = Waiting(rank, line, last, loop().create_future())
        stands = self.permits.wait(entry, most)
        if stands:
            self.entries[name] = entry
        return stands

    def served(self, times: int = 1) -> list[str]:
        """Who gets a permit when so many come back, one after the other."""
        before = {name for name, entry in self.entries.items() if entry.end}
        order: list[str] = []
        for _ in range(times):
            self.permits.release()
            now = [
                name
                for name, entry in self.entries.items()
                if entry.end is End.GRANTED and name not in before
            ]
            order += now
            before |= set(now)
        return order

    def end(self, name: str) -> End | None:
        """How somebody's wait ended, as he was told."""
        told = self.entries[name].told
        return told.result() if told.done() and not told.cancelled() else None


def rules(limit: int, least: int = 0, most: int = 0) -> PermitRules:
    """Of a limit that is not felt out, unless said otherwise."""
    return PermitRules(limit, least or limit, most or limit)


def taken(limit: int = 1, **more: int) -> Queue:
    """All permits are taken."""
    queue = Queue(limit, **more)
    while queue.permits.take():
        pass
    return queue


def test_so_many_are_held_at_once() -> None:
    """One that came back is free again."""
    permits = Queue(2).permits
    assert [permits.take() for _ in range(3)] == [True, True, False]
    permits.release()
    assert [permits.take() for _ in range(2)] == [True, False]


def test_a_workflow_is_served_first_come_first_served() -> None:
    """In the order of arrival."""
    queue = taken()
    for name in "abc":
        queue.come(name)
    assert queue.served(3) == ["a", "b", "c"]


def test_workflows_take_turns() -> None:
    """One with many calls does not hold up one with a single one."""
    queue = taken()
    for name in ("x1", "x2", "x3", "y1", "y2", "z1"):
        queue.come(name, line=name[0])
    assert queue.served(6) == ["x1", "y1", "z1", "x2", "y2", "x3"]


def test_the_more_urgent_is_served_first() -> None:
    """However late it came, and whatever its workflow."""
    queue = taken()
    for rank in (Rank.RETRY, Rank.BACKGROUND, Rank.AGENT, Rank.INTERACTIVE):
        queue.come(rank.name, rank)
    assert queue.served(4) == ["INTERACTIVE", "AGENT", "BACKGROUND", "RETRY"]


def test_a_full_queue_takes_no_more() -> None:
    """Of what is as urgent or less; one without places takes nobody."""
    queue = taken()
    assert queue.come("a", most=2)
    assert queue.come("b", most=2)
    assert not queue.come("c", most=2)
    assert not queue.come("d", Rank.RETRY, most=2)
    assert not taken().come("e", most=0)
    assert not queue.permits.has_place(Rank.AGENT, 2)
    assert queue.permits.has_place(Rank.INTERACTIVE, 2)
    assert queue.permits.has_place(Rank.AGENT, 3)


def test_the_newest_of_the_least_urgent_makes_place() -> None:
    """Retries before background calls; of any workflow."""
    queue = taken()
    queue.come("background", Rank.BACKGROUND, most=4)
    for name in ("first", "second", "third"):
        queue.come(name, Rank.RETRY, line=name[0], most=4)
    for number, gone in enumerate(("third", "second", "first", "background")):
        assert queue.come(f"urgent {number}", Rank.INTERACTIVE, most=4)
        assert queue.end(gone) is End.PUSHED_OUT
    assert not queue.come("one more", Rank.INTERACTIVE, most=4)
    assert queue.permits.waiting == 4


def test_who_waited_past_his_last_moment_is_passed_over() -> None:
    """Before anything is given to him; the next one gets it."""
    queue = taken()
    queue.come("late", last=1.0)
    queue.come("in time", last=2.0)
    queue.time = 1.5
    assert queue.served() == ["in time"]
    assert queue.end("late") is End.LATE


def test_whose_time_is_over_leaves_the_queue() -> None:
    """He is told, once; one that has a permit by then keeps it."""
    queue = taken(2)
    queue.come("a", line="x")
    queue.come("b", line="x")
    queue.come("c", line="y")
    queue.permits.expire(queue.entries["b"])
    queue.permits.expire(queue.entries["b"])
    assert (queue.end("b"), queue.permits.waiting) == (End.LATE, 2)
    assert queue.served(2) == ["a", "c"]
    queue.permits.expire(queue.entries["a"])
    assert queue.end("a") is End.GRANTED


def test_who_leaves_before_he_was_served_takes_nothing() -> None:
    """Also when it was found out at the moment of serving."""
    queue = taken()
    for name in "abc":
        queue.come(name)
    queue.permits.leave(queue.entries["a"])
    queue.entries["b"].told.cancel()
    assert queue.served() == ["c"]
    queue.permits.leave(queue.entries["b"])
    assert (queue.permits.held, queue.permits.waiting) == (1, 0)


def test_who_leaves_with_a_permit_gives_it_back() -> None:
    """It was given, and he never saw it; the next one has it."""
    queue = taken()
    for name in "ab":
        queue.come(name)
    assert queue.served() == ["a"]
    queue.permits.leave(queue.entries["a"])
    assert queue.end("b") is End.GRANTED
    assert queue.permits.held == 1


def test_a_higher_limit_serves_who_waits() -> None:
    """At once, as many as it allows."""
    queue = taken()
    for name in "abc":
        queue.come(name)
    queue.permits.follow(rules(3))
    assert (queue.permits.held, queue.permits.waiting) == (3, 1)


def test_a_lower_limit_waits_until_enough_came_back() -> None:
    """Nobody loses what he has."""
    queue = taken(3)
    queue.permits.follow(rules(1))
    queue.come("a")
    assert queue.served(2) == []
    assert queue.served() == ["a"]
    assert queue.permits.held == 1


def test_what_was_felt_out_outlives_the_same_rules() -> None:
    """A reload that changes the limit begins there; other bounds hold at once."""
    permits = taken(10, least=2, most=20).permits
    permits.lost(began=1.0)
    assert permits.limit == 7
    same = rules(10, 2, 20)
    for _ in range(2):
        permits.follow(same)
        assert permits.limit == 7
    permits.follow(rules(10, 8, 20))
    assert permits.limit == 8
    permits.follow(rules(12, 8, 20))
    assert permits.limit == 12


def test_it_is_felt_out_between_its_bounds() -> None:
    """It starts between them as well; what it gains serves who waits."""
    queue = taken(9, least=2, most=3)
    queue.come("a")
    assert queue.permits.limit == 3
    for moment in range(1, 9):
        queue.time = float(moment)
        queue.permits.lost(began=queue.time)
    assert queue.permits.limit == 2
    queue.permits.release()
    for _ in range(2):
        queue.permits.good(began=10.0)
    assert (queue.permits.limit, queue.end("a")) == (3, End.GRANTED)


def test_it_may_be_forgotten_when_nobody_has_or_wants_one() -> None:
    """Not before."""
    queue = taken()
    assert not queue.permits.idle
    queue.come("a")
    queue.permits.held = 0  # nobody waits then, but if somebody did, he must be found
    assert not queue.permits.idle
    queue.permits.leave(queue.entries["a"])
    assert queue.permits.idle


EVENTS = st.lists(
    st.one_of(
        st.tuples(
            st.just("arrive"), st.sampled_from(list(Rank)[:4]), st.sampled_from("xyz"),
            st.integers(1, 6),
        ),
        st.tuples(st.sampled_from(["release", "leave", "expire", "cancel"]), st.integers(0, 30)),
        st.tuples(st.sampled_from(["limit", "pass"]), st.integers(1, 4)),
        st.tuples(st.sampled_from(["good", "lost"])),
    ),
    max_size=60,
)  # fmt: skip


class Model:
    """Whoever has or wants a permit, by what he was told; compared with what the permits say."""

    def __init__(self) -> None:
        self.queue = Queue(2, 1, 4)
        self.holders = 0  # that took one at once
        self.gone: set[int] = set()  # those that waited, and want nothing any more
        self.entries: list[Waiting] = []
        self.lowered = False

    def arrive(self, rank: Rank, line: str, patience: int) -> None:
        """Take one, or wait."""
        permits = self.queue.permits
        if permits.take():
            self.holders += 1
            return
        entry = Waiting(rank, line, self.queue.time + patience, loop().create_future())
        if permits.wait(entry, 3):
            self.entries.append(entry)

    def release(self, which: int) -> None:
        """One of those who have one gives it back."""
        having = [i for i, entry in enumerate(self.entries) if self.has(i)]
        if having and which % 2:
            self.gone.add(having[which % len(having)])
        elif self.holders:
            self.holders -= 1
        else:
            return
        self.queue.permits.release()

    def leave(self, which: int) -> None:
        """One that waited is cancelled, whatever he was told, if he has not heard it."""
        if self.entries and (i := which % len(self.entries)) not in self.gone:
            self.gone.add(i)
            self.queue.permits.leave(self.entries[i])

    def cancel(self, which: int) -> None:
        """The same, but something else happens before he leaves."""
        if self.entries and (i := which % len(self.entries)) not in self.gone:
            self.entries[i].told.cancel()
            self.release(which)
            self.leave(which)

    def expire(self, which: int) -> None:
        """Somebody's time is over."""
        if self.entries:
            self.queue.permits.expire(self.entries[which % len(self.entries)])

    def limit(self, limit: int) -> None:
        """A reload."""
        self.queue.permits.follow(rules(limit, 1, 4))

    def pass_(self, seconds: int) -> None:
        """Time goes by."""
        self.queue.time += seconds

    def good(self) -> None:
        """The upstream bears it."""
        self.queue.permits.good(self.queue.time)

    def lost(self) -> None:
        """It does not."""
        self.queue.permits.lost(self.queue.time)

    def has(self, i: int) -> bool:
        """Has he a permit?"""
        return self.entries[i].end is End.GRANTED and i not in self.gone

    def check(self) -> None:
        """What holds at any time."""
        permits = self.queue.permits
        assert permits.held == self.holders + sum(map(self.has, range(len(self.entries))))
        assert permits.waiting == sum(
            entry.end is None and i not in self.gone for i, entry in enumerate(self.entries)
        )
        assert permits.waiting <= 3
        assert not permits.waiting or permits.held >= permits.limit
        assert 1 <= permits.limit <= 4


@given(EVENTS)
def test_permits_are_never_lost_nor_doubled(events: list[tuple]) -> None:
    """After everything that can happen: what is held is what was given and not given back, nobody
    waits while one is free, and no more are held than may be, unless the limit was lowered."""
    model = Model()
    permits = model.queue.permits
    for name, *how in events:
        before, limit = permits.held, permits.limit
        getattr(model, "pass_" if name == "pass" else name)(*how)
        model.check()
        assert permits.held <= max(permits.limit, before)
        assert permits.limit >= limit or name in {"limit", "lost"}
    for i in range(len(model.entries)):
        model.leave(i)
    for _ in range(model.holders):
        model.release(0)
    model.check()
    assert (permits.held, permits.waiting) == (0, 0)
