"""Who may stand in, and what speaks against it. How a chain asks them is in tests/stages."""

import pytest
from msgspec.structs import replace

from proxy.call import Call, Effect
from proxy.keys import SHELF
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure, Reply
from proxy.stage import Ground
from proxy.state.shelf import Shelf
from proxy.state.stand_ins import Fall, Kept, Other, Own, People, StandIn, Written
from tests.fakes import FakeBody, make_call, make_ground, make_reply
from tests.fakes import run as finish

NOW = 1000.0


async def good(call: Call) -> Reply:
    """An upstream that is well."""
    return make_reply(200)


def first() -> Own:
    """The upstream that was called."""
    return Own("gateway", good, lambda: NOW)


def falling(call: Call | None = None, what: int | Failure | Refusal = 500) -> Fall:
    """A call, and what its upstream came to."""
    reply = make_reply(what)
    fall = Fall(call or make_call(deadline=NOW + 45.0), "failure", reply)
    fall.note(first(), reply, NOW)
    return fall


@pytest.mark.parametrize(
    ("code", "after", "cooling"),
    [
        ("circuit_open", 5.0, True),
        ("rate_limited", 5.0, True),
        ("circuit_open", None, False),
        ("bulkhead_full", 5.0, False),
    ],
)
def test_who_only_wants_to_be_left_alone_is_waited_for(
    code: str, after: float | None, cooling: bool
) -> None:
    """If he says for how long; the first to be ready is remembered."""
    fall = falling(what=Refusal(code, "No", retry_after=after))
    assert fall.cooling is cooling
    assert (fall.earliest and fall.earliest[0]) == (NOW + 5.0 if cooling else None)
    later, sooner = (first() for _ in range(2))
    for who, seconds in ((later, 9.0), (sooner, 2.0)):
        fall.note(who, make_reply(Refusal("circuit_open", "No", retry_after=seconds)), NOW)
    assert fall.earliest == (NOW + 2.0, sooner)


@pytest.mark.parametrize(
    ("what", "executed"),
    [(Failure.CONNECT, Executed.NO), (500, Executed.UNKNOWN), (Failure.TIMEOUT, Executed.UNKNOWN)],
)
def test_what_may_have_run_is_not_forgotten(what: int | Failure, executed: Executed) -> None:
    """Whoever answers in the end."""
    fall = falling(what=what)
    fall.note(first(), make_reply(Failure.CONNECT), NOW)
    assert fall.executed is executed
    assert finish(Written(lambda _: (200, b"", b"{}")).answer(fall)).executed is executed


@pytest.mark.parametrize(
    ("effect", "what", "left", "replayable", "objection"),
    [
        (Effect.READ, Failure.TIMEOUT, 45.0, True, ""),
        (Effect.WRITE, Failure.CONNECT, 45.0, True, ""),
        (Effect.WRITE, Failure.TIMEOUT, 45.0, True, "may_have_run"),
        (Effect.READ, 500, 0.05, True, "too_late"),
        (Effect.READ, 500, 45.0, False, "not_replayable"),
    ],
)
def test_what_speaks_against_another_sending(
    effect: Effect, what: int | Failure, left: float, replayable: bool, objection: str
) -> None:
    """A write that may have run, too little time, a body that is gone."""
    body = FakeBody(None, replayable=replayable)
    call = make_call(effect=effect, deadline=NOW + left, body=body)
    assert first().objection(falling(call, what)) == objection


@pytest.mark.parametrize(
    ("upstream", "model", "objection"),
    [
        ("gateway", "", "itself"),
        ("spare", "", "itself"),
        ("third", "", ""),
        ("gateway", "small", ""),
        ("", "small", ""),
    ],
)
def test_another_upstream_is_not_the_one_that_failed(
    upstream: str, model: str, objection: str
) -> None:
    """Nor the backup that failover has asked; as another model it is another."""
    fall = falling(make_call(deadline=NOW + 45.0, effect=Effect.READ))
    fall.first.served_by = "spare"
    other = Other("its name", upstream, model, make_ground())
    assert (other.name, other.served_by, other.tier) == ("its name", "its name", 1)
    assert other.objection(fall) == objection


def shelved(ground: Ground) -> Fall:
    """A call of which the shelf knows an answer that is 10 s old."""
    shelf: Shelf = ground.kept(SHELF, Shelf)
    fall = falling()
    fall.key = ("key",)
    assert shelf.keep(("key",), fall.call, make_reply(200), NOW - 10.0)
    return fall


@pytest.mark.parametrize(("max_age", "objection"), [(10.0, ""), (9.0, "nothing")])
def test_what_was_kept_may_be_too_old(max_age: float, objection: str) -> None:
    """And says how old it is."""
    ground = make_ground()
    fall, kept = shelved(ground), Kept(max_age, ground, lambda _, entry: entry)
    assert kept.objection(fall) == objection
    assert b"Age: 10\r\n" in finish(kept.answer(fall)).lines


def test_what_was_kept_may_be_no_answer_to_this_call() -> None:
    """Or one only when it is made so."""
    ground = make_ground()
    fall = shelved(ground)
    assert Kept(60.0, ground, lambda _call, _entry: None).objection(fall) == "not_understood"
    kept = Kept(60.0, ground, lambda _, entry: replace(entry, lines=b"HTTP/1.1 200 Ours\r\n"))
    assert kept.objection(fall) == ""
    assert finish(kept.answer(fall)).lines == b"HTTP/1.1 200 Ours\r\nAge: 10\r\n"


def test_what_is_at_hand_is_given_whatever_happened() -> None:
    """It takes no time and runs nothing."""
    ready: list[StandIn] = [
        Written(lambda _: (200, b"", b"{}")),
        People("ops", "money", make_ground()),
    ]
    fall = falling(make_call(deadline=NOW))
    assert [who.objection(fall) for who in ready] == ["", ""]
    assert [who.name for who in ready] == ["static", "human"]


def test_what_an_agent_would_not_understand_is_not_said() -> None:
    """Another may be asked, or the failure is told."""
    assert Written(lambda _: None).objection(falling()) == "not_understood"


def test_people_are_named_and_told_why() -> None:
    """The agent must wait for them; nothing else was done."""
    reply = finish(People("ops", "money", make_ground()).answer(falling(what=Failure.CONNECT)))
    assert reply.refusal is not None
    assert (reply.refusal.code, reply.refusal.scope) == ("approval_pending", "ops")
    assert (reply.refusal.policy, reply.executed) == ("money", Executed.NO)
    assert "(failure)" in reply.refusal.detail
