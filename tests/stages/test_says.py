"""What stages say when they are asked and not passed: `explain` shows it."""

from typing import Any

import pytest

from proxy.attempt import Attempt
from proxy.call import Call, Effect, Risk
from proxy.pipeline.asked import Asked
from proxy.pipeline.explain import explain, fresh
from proxy.protocols.identity import Identity
from proxy.stage import Ground, Said, Section, Site
from proxy.stages import BACKUPS, BUDGETS, ORDER, SECTIONS, TYPES
from proxy.stages.breaker import Breaker, CircuitCheck, Open, ProbeLease
from proxy.stages.budget import Budgets
from proxy.stages.cooldown import CoolDown
from proxy.stages.failover import Backups
from proxy.stages.retry import Backoff, Once, Repeat, Retry
from proxy.stages.timeout import AttemptTime, Deadline, Timeout
from proxy.state.price import Price
from proxy.units import Seconds
from tests.fakes import (
    FakeClock,
    ScriptedUpstream,
    make_attempt,
    make_call,
    make_ground,
    make_reply,
    make_target,
    run,
)
from tests.tables import load

LEAST = {
    "audit": "{payload: full}",
    "cache": "{max_age: 5m}",
    "cost": "0.05",
    "rate_limit": "{rate: 2/s, tokens: 100/s}",
    "fallback": "[{static: {status: 200, body: {}}}]",
}
"""What a file must say of a section that an empty mapping leaves nothing to do."""
UPSTREAM = "upstreams: {a: {url: 'http://h'}}"


def written(*names: str) -> str:
    """A policy with these sections."""
    sections = "".join(f", {name}: {LEAST.get(name, '{}')}" for name in names)
    return f"{UPSTREAM}\npolicies: [{{name: p, effect: read{sections}}}]"


def section_of(name: str) -> Section:
    """With what it must be given."""
    if not name:
        return Section()
    if name == BACKUPS:
        return Backups(names=("b",))
    if name == BUDGETS:
        return Budgets(price=Price(1))
    if name not in LEAST:
        return TYPES[name]()
    return TYPES[name](**load(written(name)).policies[0].sections[name].fields)


def first_of(entry: Any) -> str:
    """The section that a stage is built from; empty: it is always on."""
    return next(iter(entry.sections), "")


@pytest.mark.parametrize("entry", ORDER, ids=lambda entry: f"{entry.phase}-{first_of(entry)}")
def test_every_stage_can_be_asked(entry: Any) -> None:
    """Whatever ORDER builds has `says`; gates have `admit`, what acts has `handle`."""
    built: list[Any] = []
    for shadow in (False, True):
        site = Site(make_target(risk=Risk.HIGH), make_ground(shadow=shadow), "p")
        if shadow and (built or entry.kind != "gate"):
            break
        built.append(entry.build(section_of(first_of(entry)), site))
        if entry.otherwise is not None:
            built.append(entry.otherwise(Section(), site))
        built = [stage for stage in built if stage is not None]  # some stand in shadow alone
    assert built
    for stage in built:
        assert isinstance(stage.says(make_call()), Said)
        assert hasattr(stage, "admit" if entry.kind == "gate" else "handle")


@pytest.mark.parametrize("mode", ["enforce", "shadow"])
def test_all_sections_at_once_can_be_explained(mode: str) -> None:
    """In force and in shadow, where only what would judge has anything to say."""
    policies = written(*SECTIONS).replace("name: p", f"name: p, mode: {mode}")
    told = explain(fresh(load(policies), FakeClock()), Asked(), Identity("ann", "crew"))

    assert (told.sections or told.shadow).keys() == SECTIONS.keys()
    assert {step.shadow for step in told.stages if step.section} == {mode == "shadow"}


def test_once_repeats_nothing() -> None:
    """What a call without `retry` has."""
    once = Once(Section(), Site(make_target(), make_ground()))
    assert once.says(make_call()).note == "one attempt, nothing is repeated"


# --- timeout ---


def deadline(fields: dict[bytes, bytes] | None = None, **limits: float) -> str:
    """What it says to a read."""
    seconds: Any = {name: Seconds(value) for name, value in limits.items()}
    gate = Deadline.build(Timeout(**seconds), Site(make_target(), make_ground()))
    return gate.says(make_call(fields)).note


def test_a_deadline_says_what_it_gives() -> None:
    """And what the client gives, where that is less."""
    assert deadline(total=45.0) == "45 s for all of it; if the agent hangs up, it is stopped"
    assert deadline().startswith("no limit of its own; ")
    assert "the client gives it only 2 s" in deadline({b"holdfast-timeout-ms": b"2000"}, total=45.0)
    assert "only" not in deadline({b"holdfast-timeout-ms": b"90000"}, total=45.0)


def test_a_deadline_says_that_writes_are_seen_through() -> None:
    """Unless a policy says otherwise."""
    gate = Deadline.build(Timeout(), Site(make_target(Effect.WRITE), make_ground()))
    assert gate.says(make_call()).note.endswith("it is seen through")


@pytest.mark.parametrize("shadow", [False, True])
def test_an_attempts_limits(shadow: bool) -> None:
    """As far as there are any; it refuses where none could last. A shadow says the same."""
    limits = Timeout(total=Seconds(20.0), attempt=Seconds(15.0), connect=Seconds(3.0))
    site = Site(make_target(), make_ground(shadow=shadow), "p")
    gate = AttemptTime.build(limits, site)
    said = gate.says(make_call(fields={b"holdfast-timeout-ms": b"50"}, deadline=1000.05))

    assert said.note == "15 s an attempt, 3 s to connect"
    assert said.refusal is not None
    assert said.refusal.code == "deadline_exceeded"
    plain = AttemptTime.build(Timeout(), site)
    assert plain.says(make_call()) == Said("an attempt may take what is left")


# --- retry ---


def repeat(
    call: Call | None = None,
    effect: Effect = Effect.READ,
    ground: Ground | None = None,
    **fields: Any,
) -> str:
    """What it says."""
    built = Repeat(Retry(**fields), Site(make_target(effect), ground or make_ground()))
    return built.says(call or make_call()).note


def test_repeat_says_how_often_and_when() -> None:
    """For a write only where nothing ran."""
    assert repeat() == (
        "up to 3 attempts on whatever may pass; waits up to 0.1 s, then longer, at most 5 s; "
        "10.0 of 10 repetitions left for this upstream"
    )
    assert "where it is proven that nothing ran" in repeat(effect=Effect.WRITE)
    assert "waits 0.1 s" in repeat(backoff=Backoff(jitter="none"))


@pytest.mark.parametrize(
    ("call", "fields", "said"),
    [
        (make_call(), {"attempts": 1}, "one attempt, nothing is repeated"),
        (
            make_call({b"x-stainless-retry-count": b"1"}),
            {},
            "one attempt: this client repeats by itself",
        ),
        (make_call(length=2 << 20), {}, "one attempt: the body is too large to be kept"),
    ],
)
def test_repeat_says_why_it_would_not(call: Call, fields: dict[str, Any], said: str) -> None:
    """What the head of the call tells already."""
    assert repeat(call, **fields) == said


# --- breaker ---


class Pair:
    """Both gates of a breaker, and what they say."""

    def __init__(self, shadow: bool = False, **fields: Any) -> None:
        self.clock = FakeClock()
        usual: dict[str, Any] = {
            "consecutive": 2,
            "open": Open(jitter=0.0),
            "keys": ("tool",),
        }
        section = Breaker(**(usual | fields))
        site = Site(make_target(), make_ground(self.clock, shadow=shadow), "careful")
        self.check: Any = CircuitCheck.build(section, site)
        self.lease: Any = ProbeLease.build(section, site)

    def fail(self) -> None:
        """One attempt that fails."""
        self.tell(make_attempt(started=self.clock.now()), 500)

    def tell(self, attempt: Attempt, status: int) -> None:
        """What came of an attempt."""
        self.clock.advance(0.01)
        reply = make_reply(status)
        attempt.ended, attempt.result = self.clock.now(), reply.result
        self.lease.committed(attempt, reply)

    def say(self) -> tuple[Said, Said]:
        """Both."""
        return self.check.says(make_call()), self.lease.says(make_call())


def test_a_closed_circuit_says_what_it_has_counted() -> None:
    """The other gate only listens then."""
    pair = Pair()
    pair.fail()
    assert pair.say() == (Said("tool closed, 1 of 1 failed"), Said("hears how each attempt ends"))


def test_an_open_circuit_refuses() -> None:
    """With what is left, and why; asking does not make it half-open."""
    pair = Pair()
    pair.fail()
    pair.fail()
    said, _ = pair.say()
    assert said.note == "tool open for another 5.0 s (consecutive)"
    assert said.refusal is not None
    assert (said.refusal.code, said.refusal.policy, said.refusal.retry_after) == (
        "circuit_open",
        "careful",
        5.0,
    )
    pair.clock.advance(5.0)
    assert pair.say() == (
        Said("tool half-open, 0 of 2 probes passed"),
        Said("this call would be the probe; tool half-open, 0 of 2 probes passed"),
    )


def test_a_probe_under_way_refuses() -> None:
    """One at a time."""
    pair = Pair()
    pair.fail()
    pair.fail()
    pair.clock.advance(5.0)
    probe = make_attempt(started=pair.clock.now())
    assert pair.lease.admit(probe) is None
    said, _ = pair.say()
    assert said.note == "tool half-open, 0 of 2 probes passed, a probe is under way"
    assert said.refusal is not None
    pair.tell(probe, 200)
    assert pair.say()[0].note == "tool half-open, 1 of 2 probes passed"


def test_both_circuits_speak() -> None:
    """The one that is left alone longest refuses."""
    pair = Pair(keys=("upstream", "tool"))
    pair.fail()
    pair.fail()
    said, _ = pair.say()
    assert said.note.startswith("upstream closed, 2 of 2 failed; tool open")
    assert said.refusal is not None
    assert said.refusal.scope == "tool"


def test_what_a_policy_keeps_open_is_told() -> None:
    """Whatever has happened."""
    said = Pair(state="forced_open").check.says(make_call())
    assert said.note == "kept open by a policy"
    assert said.refusal is not None
    assert said.refusal.code == "circuit_open"


def test_what_is_only_observed_refuses_nothing() -> None:
    """Its state is told all the same."""
    pair = Pair(state="observe")
    pair.fail()
    pair.fail()
    assert pair.lease.says(make_call()) == Said("only observed: tool open")


def test_in_shadow_one_gate_speaks_for_both() -> None:
    """As it counts for both."""
    pair = Pair(shadow=True)
    pair.fail()
    check, lease = pair.say()
    assert (check.note, check.refusal) == ("", None)
    assert lease.note == "tool closed, 1 of 1 failed"


# --- cool-down ---


def cooled(seconds: int, left: float = 45.0, status: int = 429) -> Said:
    """What it says to a call with so many seconds left, once the upstream has asked for some."""
    clock = FakeClock()
    gate = CoolDown(Retry(), Site(make_target(), make_ground(clock), "polite"))
    reply = make_reply(status, {b"retry-after": b"%d" % seconds} if seconds else {})
    gate.committed(make_attempt(), reply)
    said = gate.says(make_call(deadline=clock.now() + left))
    assert clock.slept == []
    return said


def test_a_cool_down_says_whether_the_call_would_wait() -> None:
    """Or be refused, with what is left; a used-up quota is not waited for."""
    assert cooled(0, status=200) == Said("the upstream does not ask to be left alone")
    assert cooled(5) == Said("left alone for another 5.0 s: the call would wait for that")
    refused = cooled(50)
    assert refused.note == "left alone for another 50.0 s"
    assert refused.refusal is not None
    assert refused.refusal.code == "rate_limited"
    assert cooled(0, status=402).refusal is not None


def test_asking_takes_nothing() -> None:
    """A call that is made afterwards finds all as it was."""
    site = Site(make_target(), make_ground(), sender=ScriptedUpstream(500, 200))
    built = Repeat(Retry(), site)
    before = built.says(make_call()).note
    assert before == built.says(make_call()).note
    assert run(built.handle(make_call())).status == 200
