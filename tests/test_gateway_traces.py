"""Calls that must leave a trace, on their way through the gateway: what waits for what.

A write has two waits: for its intent before it is sent, for its record before its answer ends.
"""

import json
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from proxy.call import Stop, Whole
from proxy.counts import UNRECORDED
from proxy.journal.journal import Journal
from proxy.journal.segments import Terms
from proxy.journal.verify import verify
from proxy.reply import Failure
from proxy.strand import Strand
from tests.exchanges import FakeExchange
from tests.fakes import FakeClock, FakeTrail, Step, settled
from tests.test_gateway import Path, events

ALLOW = "policies: [{name: p, effect: write}]"
DENY = "policies: [{name: p, effect: write, on_journal_failure: deny}]"
AGAIN = "policies: [{name: p, effect: %s, risk: high, retry: {attempts: 3, backoff: {base: 1ms}}}]"
LATE = 100.0


class Traced:
    """A call before a gateway with a trail."""

    def __init__(self, text: str, *script: Step, trail: FakeTrail | None = None) -> None:
        self.trail = trail or FakeTrail()
        self.path = Path(*script, text=text, trail=self.trail)
        self.exchange = FakeExchange(body=Whole(b"{}"))
        self.strand: Strand | None = None

    async def starts(self) -> "Traced":
        """On its way, up to its first wait."""
        self.strand = self.path.start(self.exchange)
        await settled()
        return self

    def leaves(self) -> None:
        """The agent hangs up."""
        assert self.exchange.call is not None
        self.exchange.call.stop(Stop.AGENT_GONE)

    @property
    def sent(self) -> int:
        """How often it was."""
        return len(self.path.desk.upstream.attempts)

    @property
    def missed(self) -> dict[tuple[str, ...], int]:
        """What was counted of entries that were not durable in time."""
        return self.path.desk.rows(UNRECORDED)


async def test_the_intent_is_durable_before_the_upstream_sees_a_byte() -> None:
    """And the record before the agent sees the last one."""
    call = await Traced(ALLOW, 200).starts()
    assert (call.trail.types, call.sent) == (["call.intent"], 0)
    await call.trail.says(True)
    assert (call.trail.types, call.sent) == (["call.intent", "call.finished"], 1)
    assert call.exchange.answered == []
    await call.trail.says(True)
    assert call.path.answer(call.exchange).status == 200
    assert {entry.id for entry in call.trail.entries} == {"abcd-1"}
    assert call.missed == {}


async def test_the_end_of_a_stream_waits_for_its_record() -> None:
    """Its beginning does not."""
    call = await Traced(ALLOW, events()).starts()
    await call.trail.says(True)
    assert len(call.exchange.streamed) == 1
    call.exchange.over.set(None)
    assert (call.trail.types[-1], call.path.ends) == ("call.finished", [])
    await call.trail.says(True)
    assert call.path.ends == [None]


async def test_a_read_waits_for_nothing() -> None:
    """Its record is noted, that is all."""
    call = await Traced("policies: [{name: p, effect: read}]", 200).starts()
    assert call.path.answer(call.exchange).status == 200
    assert (call.trail.types, call.trail.waiting) == (["call.finished"], [])


@pytest.mark.parametrize("text", [ALLOW, DENY])
async def test_a_policy_decides_about_a_call_whose_intent_cannot_be_made_durable(text: str) -> None:
    """Refused: nothing was sent, and the refusal waits for nothing. Else it goes, and an alarm is
    counted."""
    call = await Traced(text, 200).starts()
    await call.trail.says(False)
    if text == DENY:
        answer = call.path.answer(call.exchange)
        assert (call.sent, answer.status) == (0, 503)
        problem = answer.problem
        assert (problem["code"], problem["executed"]) == ("journal_unavailable", "no")
        assert problem["retryable"] is True
        assert (call.path.record.decision, call.missed) == ("refuse", {})
    else:
        assert (call.sent, call.missed) == (1, {("intent",): 1})
        await call.trail.says(True)
        assert call.path.answer(call.exchange).status == 200


@pytest.mark.parametrize("kind", ["full", "stuck", "failed"])
@pytest.mark.parametrize("text", [ALLOW, DENY])
async def test_nobody_waits_for_a_journal_that_is_known_not_to_be_well(
    text: str, kind: str
) -> None:
    """Neither of its two waits is entered; each end that nobody waited for is counted."""
    call = await Traced(text, 200, trail=FakeTrail(kind)).starts()
    assert call.path.answer(call.exchange).status == (503 if text == DENY else 200)
    assert call.trail.waiting == []
    assert call.missed == ({} if text == DENY else {("intent",): 1, ("record",): 1})


async def test_an_answer_whose_record_cannot_be_made_durable_goes_out() -> None:
    """The call has run, whatever a policy thinks of that."""
    call = await Traced(DENY, 200).starts()
    await call.trail.says(True)
    await call.trail.says(False)
    assert call.path.answer(call.exchange).status == 200
    assert call.missed == {("record",): 1}


async def test_an_agent_that_leaves_before_its_call_is_sent_has_its_record() -> None:
    """Nothing is sent, and the intent does not stay open."""
    call = await Traced(ALLOW).starts()
    call.leaves()
    await settled()
    await call.trail.says(True)
    assert (call.sent, call.trail.types) == (0, ["call.intent", "call.finished"])
    record = call.path.record
    assert (record.outcome, record.executed, record.code) == ("cancelled", "no", "agent_gone")
    assert call.path.flying == 0


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_agent_that_leaves_before_its_record_is_durable_has_it(streamed: bool) -> None:
    """Nothing is settled twice."""
    call = await Traced(ALLOW, events() if streamed else 200).starts()
    await call.trail.says(True)
    if streamed:
        call.exchange.over.set(None)
    call.leaves()
    await settled()
    await call.trail.says(True)
    assert call.path.ends == [None]
    assert (call.path.record.outcome, call.path.record.executed) == ("ok", "yes")
    assert call.path.flying == 0


async def test_retries_have_one_intent() -> None:
    """It says that the call is about to be sent, however often that is."""
    call = await Traced(AGAIN % "idempotent", 503, 503, 200).starts()
    await call.trail.says(True)
    assert call.sent == 3
    assert call.trail.types == ["call.intent", "call.finished"]


async def test_hedges_have_one_intent() -> None:
    """One that begins while it is not durable waits for the same one."""
    hedged = "policies: [{name: p, effect: read, risk: high, hedge: {after: 1s}}]"
    call = await Traced(hedged, 200, 200).starts()
    call.path.clock.advance(1.5)
    await settled()
    assert (call.trail.types, call.sent) == (["call.intent"], 0)
    await call.trail.says(True)
    assert call.sent >= 1
    await call.trail.says(True)
    assert call.path.answer(call.exchange).status == 200
    assert call.trail.types == ["call.intent", "call.finished"]


@pytest.mark.parametrize(
    "section", ["deny: true", "rate_limit: {rate: 1/h, burst: 1}", "breaker: {state: forced_open}"]
)
async def test_what_is_refused_has_no_intent(section: str) -> None:
    """It is not about to be sent; its answer waits for nothing."""
    text = f"policies: [{{name: p, effect: write, {section}}}]"
    call = await Traced(text, 200).starts()
    if section.startswith("rate"):
        await call.trail.says(True)
        await call.trail.says(True)
        call.exchange = FakeExchange(body=Whole(b"{}"))
        await call.starts()
    call.path.answer(call.exchange)
    assert call.path.watching.records[-1].decision == "refuse"
    assert call.trail.types[-1] == "call.finished"
    assert call.trail.types.count("call.intent") == call.sent


@pytest.mark.parametrize(
    ("policies", "policy", "says"),
    [
        ("{name: a, effect: write, on_journal_failure: deny}, {name: b, audit: {}}", "a", "on_jo"),
        ("{name: a, risk: high}, {name: b, audit: {intent: always}}", "a", "risk: high"),
        ("{name: a, risk: critical}, {name: b, on_journal_failure: deny}", "b", "on_journal"),
        ("{name: a, risk: high}, {name: b, risk: critical, effect: read}", "b", "risk: critical"),
    ],
)
async def test_a_refusal_names_who_says_so(policies: str, policy: str, says: str) -> None:
    """The policy that gave risk or on_journal_failure, and not the one that gave the section."""
    call = await Traced(f"policies: [{policies}]", 200, trail=FakeTrail("full")).starts()
    problem = call.path.answer(call.exchange).problem

    assert (problem["code"], problem["policy"]) == ("journal_unavailable", policy)
    assert f"(policy {policy}: {says}" in problem["detail"]


async def test_a_shadow_waits_for_nothing() -> None:
    """It would have kept a read waiting; it counts whom it would have refused."""
    text = (
        "policies: [{name: p, effect: read, on_journal_failure: deny, "
        "audit: {mode: shadow, intent: always}}]"
    )
    call = await Traced(text, 200, trail=FakeTrail("stuck")).starts()
    assert call.path.answer(call.exchange).status == 200
    assert call.trail.types == ["call.finished"]
    assert call.path.desk.shadowed == {("journal_unavailable", "p", "false"): 1}
    (record,) = call.path.watching.records
    assert (record.decision, record.policy, record.code) == ("shadow", "p", "")
    assert record.detail == "shadow: journal_unavailable"


async def test_a_kept_answer_of_high_risk_waits_for_its_record() -> None:
    """Nothing is sent, so there is no intent; what was told must be known."""
    text = "policies: [{name: p, effect: read, risk: high, cache: {max_age: 5m}}]"
    call = await Traced(text, 200).starts()
    await call.trail.says(True)
    await call.trail.says(True)
    call.exchange = FakeExchange(body=Whole(b"{}"))
    await call.starts()
    assert (call.exchange.answered, call.sent) == ([], 1)
    await call.trail.says(True)
    call.path.answer(call.exchange)
    assert call.trail.types == ["call.intent", "call.finished", "call.finished"]


class Alone(Journal):
    """A journal beside which nothing is kept."""

    def taking(self, call: Any, wish: Any) -> None:
        """Part of Trail."""


async def test_the_journal_is_such_a_trail(tmp_path: Any) -> None:
    """On a real disk: intent and record of a write, and all of it verifies."""
    journal = Alone(tmp_path, Terms(), FakeClock())
    journal.open()
    assert await journal.start()
    path, exchange = Path(200, text=DENY, trail=journal), FakeExchange()
    path.start(exchange)
    while not path.ends:
        assert await journal.durable()
        await settled()
    assert path.answer(exchange).status == 200
    assert await journal.stop()
    (segment,) = (tmp_path / "journal").glob("*.jsonl")
    lines = [json.loads(line) for line in segment.read_bytes().splitlines()]
    traced = [line["type"] for line in lines if line["id"] == path.record.id]
    assert traced == ["call.intent", "call.finished"]
    assert verify(tmp_path).exit == 0


STEPS = st.lists(
    st.sampled_from(
        [
            "durable",
            "durable",
            "durable",
            "not durable",
            "ends",
            "breaks",
            "time",
            "leaves",
            "drain",
        ]
    ),
    max_size=12,
)
TEXTS = st.sampled_from([ALLOW, DENY, AGAIN % "idempotent", AGAIN % "write"])
SCRIPTS = st.lists(st.sampled_from(["200", "503", "stream", "connect"]), min_size=3, max_size=3)
ANSWERS: dict[str, Any] = {"200": 200, "503": 503, "connect": Failure.CONNECT}


async def happens(call: Traced, step: str) -> None:
    """One thing more; what cannot be just now does not."""
    if step.endswith("durable"):
        await call.trail.says(step == "durable")
    elif step in ("ends", "breaks"):
        if call.exchange.streamed and not call.exchange.over.is_set:
            call.exchange.over.set(None if step == "ends" else Failure.TRUNCATED)
    elif step == "time":
        call.path.clock.advance(LATE)
    elif call.exchange.call is not None:
        call.exchange.call.stop(Stop.DRAIN if step == "drain" else Stop.AGENT_GONE)
    await settled()


@given(TEXTS, SCRIPTS, STEPS, st.sampled_from(["ok", "ok", "ok", "full"]))
@settings(max_examples=300)
async def test_each_call_is_settled_once_and_recorded_once(
    text: str, script: list[str], steps: list[str], kind: str
) -> None:
    """Whatever is durable when, fails, breaks off or leaves. What was sent has an intent before its
    record, unless a policy let it go without one that is durable."""
    replies = [events() if step == "stream" else ANSWERS[step] for step in script]
    call = await Traced(text, *replies, trail=FakeTrail(kind)).starts()
    for step in [*steps, *(["ends", "durable", "time"] * 4)]:
        await happens(call, step)
    assert call.path.ends == [None]
    assert call.path.flying == 0
    assert call.path.watching.bugs == []
    assert len(call.path.watching.records) == 1
    types = call.trail.types
    assert types[-1:] == ["call.finished"]
    assert types.count("call.finished") == 1
    assert types.count("call.intent") <= 1
    assert ("call.intent" in types) or call.sent == 0
    replied = (*call.exchange.answered, *call.exchange.streamed)
    assert all(reply.finished and reply.closed for reply, _ in replied)
    assert all(future.done() for future in call.trail.waiting)
    event(f"sent {call.sent}, {kind}, {call.path.record.outcome}")
