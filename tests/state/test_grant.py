"""A grant: what was reserved for one sending, and what it comes to."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Whole
from proxy.reply import Reply
from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.grant import LONGEST_READ, Grant, passed, size_of, step
from proxy.state.price import Price
from tests.fakes import FakeBody, make_call, make_reply

SIZED = Price(10, per_kb=2)
TELLS = Price(10, from_reply="cost")


class Flow:
    """A body that is still coming; `watch` is the one who sees it."""

    whole = None
    replayable = False
    tap: Any = None

    def watch(self, tap: Any) -> None:
        """From now on."""
        self.tap = tap


def plainly(content: bytes) -> bytes | None:
    """There is no coding."""
    return content


def account(limit: int) -> Account:
    """With a limit for the day."""
    made = Account(Cap("cap", "agent", (Limit("day", limit),)), "k", 0.0)
    made.enter(0.0)
    made.promise(1 << 60)
    return made


def answered(grant: Grant, content: bytes) -> int:
    """What it comes to with this answer."""
    reply = make_reply(200)
    reply.body = Whole(content)  # type: ignore[assignment]  # what a reply's body has beside is not asked
    grant.watch_answer(reply, lambda _: None)
    return grant.cost(plainly)


def test_a_fixed_price_watches_nothing() -> None:
    """It is what it is."""
    grant = Grant((), 7, Price(7))
    assert (grant.cost(plainly), grant.estimated, passed(grant)) == (7, False, 0)


def test_bodies_that_are_here_count_at_once() -> None:
    """Both of them, in KiB begun."""
    grant = Grant((), 12, SIZED)
    asked: list[int] = []
    grant.watch_request(make_call(body=FakeBody(b"x" * 1_025)), asked.append)
    assert asked == [2]  # two KiB were begun: 14, of which 12 are reserved
    assert answered(grant, b"y" * 1_023) == 14
    assert passed(grant) == 2_048
    assert not grant.estimated


def test_a_body_on_its_way_counts_as_it_flows() -> None:
    """Once, also where it is sent once more; it asks for more as soon as more is missing."""
    grant = Grant((), 12, SIZED)
    asked: list[int] = []
    flow: Any = Flow()
    grant.watch_request(make_call(body=flow), asked.append)
    flow.tap.saw(0, b"x" * 1_000)
    flow.tap.saw(0, b"x" * 1_000)
    flow.tap.saw(500, b"x" * 524)
    assert (passed(grant), asked) == (1_024, [])
    flow.tap.saw(1_000, b"x" * 100)
    assert (passed(grant), asked) == (1_100, [2])


def test_an_answer_without_a_body_tells_nothing() -> None:
    """What was thought stands, and is marked."""
    grant = Grant((), 10, TELLS)
    grant.watch_answer(Reply(204), lambda _: None)
    assert (grant.cost(plainly), grant.estimated) == (10, True)
    assert (Grant((), 10, TELLS).cost(plainly)) == 10  # none came


@pytest.mark.parametrize(
    ("content", "cost", "estimated"),
    [(b'{"cost": 0.5}', 500_000, False), (b'{"cost": 0}', 0, False), (b"{}", 10, True)],
)
def test_an_answer_may_tell_the_price(content: bytes, cost: int, estimated: bool) -> None:
    """An explicit zero stays zero."""
    grant = Grant((), 10, TELLS)
    assert (answered(grant, content), grant.estimated) == (cost, estimated)


def test_what_cannot_be_decoded_tells_nothing() -> None:
    """A coding that nobody knows."""
    grant = Grant((), 10, TELLS)
    answered(grant, b'{"cost": 1}')
    assert (grant.cost(lambda _: None), grant.estimated) == (10, True)


@given(st.lists(st.integers(0, 40), max_size=6))
def test_a_price_is_read_however_it_is_cut(cuts: list[int]) -> None:
    """At any byte; and seen twice is read once."""
    content = json.dumps({"cost": "0.25", "more": "é" * 5}).encode()
    grant, flow = Grant((), 10, TELLS), Flow()
    reply = make_reply(200)
    reply.body = flow  # type: ignore[assignment]  # as above
    grant.watch_answer(reply, lambda _: None)
    edges = sorted({0, len(content), *(min(cut, len(content)) for cut in cuts)})
    for start, end in pairwise(edges):
        flow.tap.saw(start, content[start:end])
        flow.tap.saw(0, content[:end])
    assert grant.cost(plainly) == 10  # it may not have ended
    flow.tap.ended()
    assert (grant.cost(plainly), grant.estimated) == (250_000, False)


def test_a_long_answer_is_not_read() -> None:
    """Nobody keeps a gigabyte for a price."""
    grant = Grant((), 10, TELLS)
    assert answered(grant, b'{"cost": 1, "x": "' + b"x" * LONGEST_READ + b'"}') == 10
    assert grant.estimated


def test_more_is_taken_of_all_accounts() -> None:
    """Where one has no room, that is overrun."""
    roomy, tight = account(1_000), account(150)
    grant = Grant((roomy, tight), 100, SIZED)
    for one in grant.accounts:
        one.reserve(100)
    grant.more(60)
    assert (grant.amount, roomy.reserved, tight.reserved) == (160, 160, 160)
    assert (roomy.overrun, tight.overrun) == (0, 10)


def test_what_is_over_asks_for_no_more() -> None:
    """The request of a sending that failed flows once more for the next one."""
    grant = Grant((), 12, SIZED)
    asked: list[int] = []
    flow: Any = Flow()
    grant.watch_request(make_call(body=flow), asked.append)
    grant.settled = 12
    flow.tap.saw(0, b"x" * 9_000)
    assert asked == []


def test_more_is_asked_for_in_steps() -> None:
    """So that it need not be asked for with each piece."""
    assert step(SIZED, 1) == 128
    assert step(SIZED, 500) == 500


def test_the_size_of_a_request() -> None:
    """Of its body, where it is here; else what its head says, if it does."""
    assert size_of(make_call(body=FakeBody(b"123"), length=9)) == 3
    assert size_of(make_call(body=FakeBody(None), length=9)) == 9
    assert size_of(make_call(body=FakeBody(None), length=None)) == 0
