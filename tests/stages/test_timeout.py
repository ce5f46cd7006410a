"""Deadlines, of calls and of attempts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Call, Effect
from proxy.clock import NEVER
from proxy.counts import REFUSALS
from proxy.keys import shadowed
from proxy.reply import Executed
from proxy.stage import Site
from proxy.stages.timeout import AttemptTime, Deadline, Timeout, finishes_alone
from proxy.units import Seconds
from tests.fakes import make_attempt, make_call, make_ground, make_reply, make_target

STARTED = 1000.0


def section(**seconds: float) -> Timeout:
    """A section with these limits."""
    limits: dict[str, Any] = {name: Seconds(value) for name, value in seconds.items()}
    return Timeout(**limits)


def admitted(limits: Timeout, effect: Effect = Effect.READ, fields: Any = None) -> Call:
    """A call that got its deadline."""
    call = make_call(fields, started=STARTED)
    Deadline.build(limits, Site(make_target(effect), make_ground())).admit(call)
    return call


def gate(limits: Timeout, effect: Effect = Effect.READ, shadow: bool = False) -> AttemptTime:
    """The gate of attempts."""
    site = Site(make_target(effect), make_ground(shadow=shadow), "money")
    return AttemptTime.build(limits, site)


# --- the call ---


def test_without_limits_there_is_no_deadline() -> None:
    """An empty section limits nothing."""
    assert admitted(Timeout()).deadline == NEVER


def test_the_deadline_counts_from_the_head() -> None:
    """It is the start of the call and the policy's total."""
    assert admitted(section(total=45.0)).deadline == STARTED + 45.0


@given(st.floats(0.001, 1e6), st.floats(0, 1e6))
def test_a_client_shortens_and_never_extends(total: float, wish: float) -> None:
    """The deadline is the smaller of the two, whichever that is."""
    fields = {b"holdfast-timeout-ms": b"%.6f" % (wish * 1000)}
    deadline = admitted(section(total=total), fields=fields).deadline
    assert deadline == pytest.approx(STARTED + min(total, wish), abs=1e-6)


def test_the_call_knows_how_short_an_attempt_may_be() -> None:
    """Whoever waits on behalf of the call leaves room for an attempt."""
    assert admitted(section(min_attempt=2.0)).min_attempt == 2.0


@pytest.mark.parametrize(
    ("wish", "hurried"), [(b"100", True), (b"13400", True), (b"13600", False), (b"600000", False)]
)
def test_a_client_is_in_a_hurry_if_it_gives_much_less_than_the_policy(
    wish: bytes, hurried: bool
) -> None:
    """Of the attempt's time or the total, whichever is shorter; SDKs always say something."""
    limits = section(total=45.0, attempt=15.0)
    assert admitted(limits, fields={b"holdfast-timeout-ms": wish}).hurried is hurried


def test_who_says_nothing_is_in_no_hurry() -> None:
    """The policy's time is the upstream's."""
    assert not admitted(section(total=45.0)).hurried


@pytest.mark.parametrize(
    ("wish", "effect", "alone"),
    [
        (None, Effect.WRITE, True),
        (None, Effect.READ, False),
        (None, Effect.IDEMPOTENT, False),
        ("finish", Effect.READ, True),
        ("cancel", Effect.WRITE, False),
    ],
)
def test_who_is_seen_through_without_its_agent(wish: Any, effect: Effect, alone: bool) -> None:
    """Writes are, unless the policy says otherwise."""
    assert finishes_alone(wish, effect) is alone
    assert admitted(Timeout(on_disconnect=wish), effect).finishes_alone is alone


def test_a_limit_of_zero_is_refused() -> None:
    """Nothing could ever run under it."""
    with pytest.raises(ValueError, match="first_byte: must be longer than 0"):
        section(first_byte=0.0)


# --- its attempts ---


def test_an_attempt_has_its_share() -> None:
    """All but the last attempt end by the attempt's own limit, or the call's if that is earlier."""
    call = make_call(started=STARTED, deadline=STARTED + 45.0)
    early = make_attempt(call, number=1, of=3)
    late = make_attempt(call, number=2, of=3, started=STARTED + 40.0)
    assert gate(section(attempt=15.0)).admit(early) is None
    assert gate(section(attempt=15.0)).admit(late) is None
    assert (early.deadline, late.deadline) == (STARTED + 15.0, STARTED + 45.0)


def test_the_last_attempt_may_use_what_is_left() -> None:
    """There is nothing to save the time for."""
    attempt = make_attempt(make_call(started=STARTED, deadline=STARTED + 45.0), number=3, of=3)
    gate(section(attempt=15.0)).admit(attempt)
    assert attempt.deadline == STARTED + 45.0


def test_without_a_total_the_last_attempt_keeps_its_limit() -> None:
    """What is left of for ever is too long."""
    attempt = make_attempt(make_call(started=STARTED), number=1, of=1)
    gate(section(attempt=15.0)).admit(attempt)
    assert attempt.deadline == STARTED + 15.0


def test_connect_and_first_byte_end_with_the_attempt() -> None:
    """Their moments lie in the attempt's time; the idle limit of a stream is passed on."""
    attempt = make_attempt(make_call(started=STARTED, deadline=STARTED + 5.0), number=1, of=1)
    gate(section(connect=3.0, first_byte=60.0, stream_idle=7.0)).admit(attempt)
    assert attempt.connect_by == STARTED + 3.0
    assert attempt.first_byte_by == STARTED + 5.0
    assert attempt.stream_idle == 7.0


def test_the_limits_of_streams_are_passed_on() -> None:
    """All three, to who sends."""
    attempt = make_attempt(make_call(started=STARTED))
    gate(section(stream_idle=1.0, stream_progress=2.0, stream_max=3.0)).admit(attempt)
    limits = (attempt.stream_idle, attempt.stream_progress, attempt.stream_max)
    assert limits == (1.0, 2.0, 3.0)


def test_a_long_get_may_have_nothing_to_say() -> None:
    """It is a subscription: only silence on the wire ends it."""
    attempt = make_attempt(make_call(started=STARTED))
    attempt.call.head.method = "GET"
    gate(section(stream_idle=1.0, stream_progress=2.0, stream_max=3.0)).admit(attempt)
    limits = (attempt.stream_idle, attempt.stream_progress, attempt.stream_max)
    assert limits == (1.0, None, None)


def test_without_limits_an_attempt_has_none() -> None:
    """What is not configured is not set."""
    attempt = make_attempt(make_call(started=STARTED))
    gate(Timeout()).admit(attempt)
    assert (attempt.deadline, attempt.connect_by, attempt.first_byte_by) == (NEVER, NEVER, NEVER)


def test_no_attempt_starts_that_cannot_last() -> None:
    """With less than `min_attempt` left: `deadline_exceeded`, by this policy; it did not run."""
    call = make_call(started=STARTED, deadline=STARTED + 1.0)
    attempt = make_attempt(call, started=STARTED + 0.95)
    refusal = gate(Timeout(), Effect.WRITE).admit(attempt)
    assert refusal is not None
    assert (refusal.code, refusal.policy, refusal.executed) == (
        "deadline_exceeded",
        "money",
        Executed.NO,
    )
    assert not refusal.harmless


# --- in shadow ---


def test_a_shadow_limits_nothing() -> None:
    """Neither the call nor its attempts get a limit from it."""
    limits = section(total=5.0, attempt=2.0, connect=1.0)
    call = make_call(started=STARTED)
    Deadline.build(limits, Site(make_target(), make_ground(shadow=True))).admit(call)
    attempt = make_attempt(call)
    assert gate(limits, shadow=True).admit(attempt) is None
    assert (call.deadline, attempt.deadline, attempt.connect_by) == (NEVER, NEVER, NEVER)


@pytest.mark.parametrize(
    ("limits", "of", "took", "code"),
    [
        ({"total": 5.0}, 1, 5.1, "deadline_exceeded"),
        ({"total": 5.0}, 1, 4.9, ""),
        ({"attempt": 2.0}, 2, 2.1, "upstream_timeout"),
        ({"attempt": 2.0}, 1, 2.1, ""),  # the last one may use what is left
        ({"first_byte": 2.0}, 1, 2.1, "upstream_timeout"),
    ],
)
def test_a_shadow_counts_what_it_would_have_ended(
    limits: dict[str, float], of: int, took: float, code: str
) -> None:
    """When its answer begins at last; it began in time as far as the enforced limits go."""
    ground = make_ground(shadow=True)
    shadow = AttemptTime.build(section(**limits), Site(make_target(), ground, "money"))
    attempt = make_attempt(make_call(started=STARTED), of=of, started=STARTED)
    attempt.ended = STARTED + took
    shadow.committed(attempt, make_reply(200))
    rows = dict(ground.keep.items())[shadowed(REFUSALS.key)].rows
    assert rows == ({(code, "money", "false"): 1} if code else {})


@pytest.mark.parametrize("others", [False, True])
def test_the_last_attempt_keeps_its_limit_where_another_upstream_may_answer(others: bool) -> None:
    """Else an upstream that hangs would use up all the time there is, and nobody else be asked."""
    call = make_call(started=STARTED, deadline=STARTED + 10.0, others=others)
    attempt = make_attempt(call, started=STARTED)
    assert gate(section(attempt=2.0)).admit(attempt) is None
    assert attempt.deadline == STARTED + (2.0 if others else 10.0)


def test_a_shadow_says_what_would_have_come_too_late() -> None:
    """It gives the verdict that the enforced one would give."""
    attempt = make_attempt(make_call(started=STARTED), started=STARTED + 4.95)
    refusal = gate(section(total=5.0), shadow=True).admit(attempt)
    assert refusal is not None
    assert refusal.code == "deadline_exceeded"
    assert gate(Timeout(), shadow=True).admit(attempt) is None


@pytest.mark.parametrize(("total", "least"), [(1.0, 0.1), (0.1, 0.05), (0.08, 0.04)])
def test_a_total_leaves_room_for_an_attempt(total: float, least: float) -> None:
    """An overlap of policies may cut it below `min_attempt`; something is sent all the same."""
    call = make_call()
    section = Timeout(total=Seconds(total))
    Deadline.build(section, Site(make_target(), make_ground())).admit(call)
    assert call.min_attempt == pytest.approx(least)


def test_what_a_person_took_is_not_the_calls_time() -> None:
    """But it is its client's."""
    limits = Timeout(total=Seconds(10.0))
    for fields, deadline in (({}, 1040.0), ({b"holdfast-timeout-ms": b"35000"}, 1035.0)):
        call = make_call(fields, held=30.0)
        Deadline(limits, Effect.READ).admit(call)
        assert call.deadline == deadline
        assert gate(limits, shadow=True).admit(make_attempt(call, started=1034.0)) is None
