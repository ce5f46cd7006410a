"""Stopping a call, and what it is asked for by. What else there is of it are records."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import (
    LATE,
    SIGNS,
    Call,
    Effect,
    InFlight,
    Message,
    RequestHead,
    Stop,
    Whole,
    latest_start,
    spends_of,
    tokens_of,
)
from proxy.clock import NEVER
from proxy.observe.traces.tracer import Tracer
from proxy.outbound import TraceHeaders
from proxy.protocols.clients import client_retries, patience
from proxy.protocols.identity import Identity, came_back, complete
from proxy.refusal import Refusal
from proxy.stage import Site
from proxy.stages.bulkhead import priority
from proxy.stages.loop import Loop, LoopGuard
from proxy.stages.retry import Repeat, Retry
from proxy.stages.timeout import Deadline, Timeout
from proxy.units import Seconds
from tests.fakes import (
    FakeBody,
    FakeClock,
    ScriptedUpstream,
    make_attempt,
    make_call,
    make_ground,
    make_reply,
    make_target,
    run,
)

PROXY = Path(__file__).parents[1] / "proxy"


class Watched:
    """A call, and how often it was cancelled."""

    def __init__(self, *sent: bool, finishes_alone: bool = False) -> None:
        self.cancelled = 0
        self.call: Call = make_call(cancel=self._cancel, finishes_alone=finishes_alone)
        self.call.attempts += [make_attempt(self.call, sent=was) for was in sent]

    def _cancel(self) -> None:
        self.cancelled += 1
        assert self.call.stopped is not None  # the reason is there before anybody looks for it


def test_stopping_cancels_and_says_why() -> None:
    """The reason is set first."""
    watched = Watched(True)
    watched.call.stop(Stop.DRAIN)
    assert (watched.cancelled, watched.call.stopped) == (1, Stop.DRAIN)


@pytest.mark.parametrize("first", Stop)
def test_the_first_reason_is_kept(first: Stop) -> None:
    """Whatever comes after it."""
    watched = Watched()
    for reason in (first, *Stop):
        watched.call.stop(reason)
    assert watched.call.stopped is first


def test_an_agent_leaves_once() -> None:
    """Nothing is cancelled twice for it."""
    watched = Watched()
    watched.call.stop(Stop.AGENT_GONE)
    watched.call.stop(Stop.AGENT_GONE)
    assert watched.cancelled == 1


@pytest.mark.parametrize(
    ("sent", "finishes_alone", "cancelled"),
    [
        ((), True, 1),
        ((False,), True, 1),
        ((True,), True, 0),
        ((False, True), True, 0),
        ((True,), False, 1),
    ],
)
def test_what_may_have_run_goes_on_without_its_agent(
    sent: tuple[bool, ...], finishes_alone: bool, cancelled: int
) -> None:
    """Only where its policy wants that, and only once something of it was sent."""
    watched = Watched(*sent, finishes_alone=finishes_alone)
    watched.call.stop(Stop.AGENT_GONE)
    assert (watched.cancelled, watched.call.stopped) == (cancelled, Stop.AGENT_GONE)


def test_a_drain_stops_also_what_goes_on_alone() -> None:
    """The process ends; why it was stopped first is still true."""
    watched = Watched(True, finishes_alone=True)
    watched.call.stop(Stop.AGENT_GONE)
    watched.call.stop(Stop.DRAIN)
    assert (watched.cancelled, watched.call.stopped) == (1, Stop.AGENT_GONE)


@pytest.mark.parametrize("gone", [False, True])
def test_a_kill_stops_whatever_runs_and_says_why(gone: bool) -> None:
    """Also what goes on alone; what was stopped already is left."""
    watched = Watched(True, finishes_alone=True)
    why = Refusal("killed", "why")
    if gone:
        watched.call.stop(Stop.AGENT_GONE)
    watched.call.stop(Stop.KILLED, why)
    assert (watched.cancelled, watched.call.stopped, watched.call.because) == (1, Stop.KILLED, why)
    watched.call.stop(Stop.DRAIN)
    assert (watched.cancelled, watched.call.stopped, watched.call.because) == (1, Stop.KILLED, why)


@pytest.mark.parametrize(
    ("sent", "ended", "answered", "under_way"),
    [
        (False, None, None, False),
        (True, None, None, True),
        (True, 2.0, None, False),
        (True, 2.0, 2.0, True),
    ],
)
def test_what_is_under_way(
    sent: bool, ended: float | None, answered: float | None, under_way: bool
) -> None:
    """Something of it is at an upstream, or comes back from there."""
    call = make_call(answered=answered)
    call.attempts = [make_attempt(call, sent=sent, ended=ended)]
    assert call.under_way is under_way


def test_a_call_that_is_over_holds_nothing() -> None:
    """What held each other is parted, so that it is freed at once."""
    watched = Watched(True)
    watched.call.forget()
    assert (watched.call.attempts, watched.call.cancel, watched.call.interim) == ([], None, None)


def test_a_call_that_nobody_can_cancel_only_notes_it() -> None:
    """It has no strand."""
    call = make_call()
    call.stop(Stop.DRAIN)
    assert call.stopped is Stop.DRAIN


@pytest.mark.parametrize(
    ("body", "length", "tokens"),
    [(b"", 0, 1), (b"x" * 7, 0, 1), (b"x" * 400, 0, 100), (None, 400, 100), (None, None, 1)],
)
def test_tokens_are_estimated_from_the_body(
    body: bytes | None, length: int | None, tokens: int
) -> None:
    """Four bytes each; as its head tells where it is not all here; at least one."""
    assert tokens_of(make_call(body=FakeBody(body), length=length)) == tokens


def test_tokens_are_estimated_once() -> None:
    """What a protocol knows better is believed, and a body that is gone changes nothing."""
    call = make_call(body=FakeBody(b"x" * 40))
    assert tokens_of(call) == 10
    call.body.whole = None
    assert (tokens_of(call), tokens_of(make_call(tokens=7))) == (10, 7)


def test_what_an_answer_may_have_is_spent_too() -> None:
    """As far as the call says it."""
    assert spends_of(make_call(tokens=7, output=100)) == 107
    assert spends_of(make_call(tokens=7)) == 7


def test_calls_do_not_share_their_attempts() -> None:
    """A list of its own for each."""
    make_call().attempts.append(make_attempt())
    assert make_call().attempts == []


def test_a_whole_body_is_all_there_ever_will_be() -> None:
    """It can be sent again without being kept; nobody needs to hear that it is not wanted."""
    body = Whole(b"x")
    body.keep(0)
    body.abandon()
    assert (body.whole, body.replayable, body.trailers) == (b"x", True, ())
    assert Whole(b"", [(b"a", b"A", b"1")]).trailers == [(b"a", b"A", b"1")]


def test_a_tool_without_calls_may_be_forgotten() -> None:
    """As long as one is on its way it is counted."""
    flight = InFlight()
    assert flight.idle
    flight.now += 1
    assert not flight.idle


# --- the signs by which clients tell a proxy something ---


class Looked(dict[bytes, bytes]):
    """No headers at all, and a note of each name that was looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[bytes] = set()

    def get(self, name: bytes, default: Any = None) -> Any:
        """Not there."""
        self.names.add(name)
        return default

    def __contains__(self, name: object) -> bool:
        assert isinstance(name, bytes)
        self.names.add(name)
        return False

    def __getitem__(self, name: bytes) -> bytes:
        self.names.add(name)
        raise KeyError(name)

    def __iter__(self) -> NoReturn:
        raise AssertionError("it cannot be seen which names are looked for")


class Compared(bytes):
    """The name of a header line, and a note in `names` of what it was compared with."""

    names: set[bytes]
    __hash__ = bytes.__hash__

    def __eq__(self, name: object) -> bool:
        assert isinstance(name, bytes)
        self.names.add(name)
        return False


def looked_for(asks: Callable[[Call], Any]) -> set[bytes]:
    """The names of headers that it looks for."""
    fields, line = Looked(), Compared(b"x")
    line.names = set()
    call = make_call()
    call.head = RequestHead("POST", b"/", 1, [(line, b"X", b"")], fields)
    asks(call)
    return fields.names | line.names


ASKED: dict[str, Callable[[Call], Any]] = {
    "gateway.py _mount": lambda call: came_back(call.head, b"holdfast-abcd"),
    "pipeline/mount.py identify": complete,
    "gateway.py _open": Identity("ann", "crew").name,
    "observe/traces/tracer.py _begun": lambda call: Tracer(FakeClock(), 1.0, print).of(call),
    "observe/traces/tracer.py lines": lambda call: Tracer(FakeClock(), 1.0, print).lines(
        make_attempt(call)
    ),
    "stages/bulkhead.py _rank_of": lambda call: priority(call.head.fields),
    "stages/loop.py _chain": lambda call: LoopGuard(
        Loop(), Site(make_target(), make_ground())
    )._chain(call),
    "stages/retry.py _limit": lambda call: client_retries(call.head.fields),
    "stages/timeout.py admit": lambda call: patience(call.head.fields),
    # What a sending that is traced has in the place of what the agent sent.
    "wire/compose.py head": lambda call: [
        call.head.fields.get(name) for name in TraceHeaders(lambda attempt: b"").replaced("gateway")
    ],
}
"""Where it is asked whether a head has signs, and what is looked for only then."""


@pytest.mark.parametrize("asks", ASKED.values(), ids=ASKED.keys())
def test_whatever_is_looked_for_is_a_sign(asks: Callable[[Call], Any]) -> None:
    """Or a head that has nothing else would be passed over."""
    assert looked_for(asks) - SIGNS == set()
    assert looked_for(asks)


def test_a_call_may_let_go_of_its_bytes() -> None:
    """What was read of them and sent in their place as well, by its attempts too."""
    call = make_call(content=b"{}", arguments={}, rewritten=Message(make_call().head, b"", "m"))
    call.attempts.append(make_attempt(call, sends=call.rewritten))
    call.forget_body()
    assert (call.content, call.arguments, call.rewritten) == (None, None, None)
    assert call.attempts[0].sends is None


def test_every_sign_is_looked_for_by_somebody() -> None:
    """One that nobody reads makes heads slow for nothing."""
    assert set().union(*map(looked_for, ASKED.values())) == SIGNS


def test_nobody_else_asks_for_signs() -> None:
    """Who does is listed above, with what he looks for."""
    asking = {
        f"{path.relative_to(PROXY).as_posix()} {function.name}"
        for path in PROXY.rglob("*.py")
        if "signs" in (text := path.read_text())
        for function in ast.walk(ast.parse(text))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(
            isinstance(node, ast.Attribute) and node.attr == "signs" for node in ast.walk(function)
        )
    }
    assert asking == ASKED.keys()


NO_SIGNS = st.dictionaries(
    st.binary(min_size=1).filter(lambda name: name not in SIGNS), st.binary()
)


@given(NO_SIGNS)
def test_a_head_without_signs_is_treated_as_if_they_were_looked_for(
    fields: dict[bytes, bytes],
) -> None:
    """Its identity, its time and its repetitions are the same; only the looking is saved."""
    target, ground = make_target(Effect.READ), make_ground()
    found = []
    for signs in (True, False):
        upstream = ScriptedUpstream(*(make_reply(503) for _ in range(3)))
        call = make_call(dict(fields))
        call.head.signs = signs
        Identity("ann", "crew").name(call)
        Deadline(Timeout(total=Seconds(30.0)), Effect.READ).admit(call)
        run(Repeat(Retry(), Site(target, ground, sender=upstream)).handle(call))
        found.append((call.agent, call.workflow, call.task, call.deadline, len(call.attempts)))
    assert found == [("ann", "", "", make_call().started + 30.0, 3)] * 2


def test_who_waits_leaves_time_for_an_attempt() -> None:
    """And for a timer that wakes him late; without a deadline he may wait for ever."""
    assert latest_start(make_call(deadline=10.0, min_attempt=1.0)) == 9.0 - LATE
    assert latest_start(make_call(deadline=NEVER)) == NEVER


def test_what_waits_for_a_person_may_go_on_without_its_agent() -> None:
    """Where its policy says so; a drain stops it all the same."""
    cancelled: list[None] = []
    call = make_call(stays=True, cancel=lambda: cancelled.append(None))
    call.stop(Stop.AGENT_GONE)
    assert (call.goes_on, cancelled) == (True, [])
    call.stop(Stop.DRAIN)
    assert cancelled == [None]
