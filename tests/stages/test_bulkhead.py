"""So many at once. What holds in every order: test_bulkhead_leaks.py; who is served: state/."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from proxy.call import LATE
from proxy.keep import Keep
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure
from proxy.stage import Ground, NothingTaken
from proxy.stages.bulkhead import (
    Adaptive,
    AdaptivePermit,
    Bulkhead,
    Permit,
    PermitPerCall,
    priority,
)
from proxy.state.permits import Rank
from tests.fakes import FakeClock, Turn, make_attempt, make_ground, make_reply
from tests.pipeline.scene import settle_down
from tests.stages.harbour import Harbour, Visit, ended, one, states

AGENT = {b"holdfast-priority": b"agent"}
BACKGROUND = {b"holdfast-priority": b"background"}
INTERACTIVE = {b"holdfast-priority": b"interactive"}


async def refused(visit: Visit) -> Refusal:
    """What it was told."""
    await settle_down()
    assert visit.refusal is not None
    return visit.refusal


# --- permits, and waiting for them ---


async def test_a_permit_is_held_until_the_attempt_settles() -> None:
    """Not only until its answer began; then the next one has it."""
    harbour = Harbour(one())
    first, second = await harbour.visits("a", "b")
    assert states(first, second) == ["under way", "waits"]
    await ended(first)
    assert states(first, second) == ["gone", "under way"]
    await ended(second)
    assert harbour.permits().held == 0


async def test_standing_in_the_queue_is_known() -> None:
    """It is no time of ours, nor the attempt's own; metrics see who stands there now."""
    harbour = Harbour(one())
    first, second = await harbour.visits("a", "b")
    assert harbour.queued == 1
    await harbour.passes(0.4)
    await ended(first)
    call = second.attempt.call
    assert [call.queued, call.waited] == pytest.approx([0.4, 0.4])
    assert second.attempt.started == harbour.clock.now()
    assert first.attempt.call.queued == 0.0
    assert harbour.queued == 0


async def test_who_waited_in_vain_is_refused() -> None:
    """After `max_wait`, with when to come back; nothing was sent."""
    harbour = Harbour(one(max_wait=2.0))
    _, second = await harbour.visits("a", "b")
    await harbour.passes(1.9)
    assert second.state == "waits"
    await harbour.passes(0.2)
    refusal = await refused(second)
    assert (refusal.code, refusal.policy, refusal.scope) == ("bulkhead_full", "p", "tool")
    assert (refusal.retry_after, refusal.retryable) == (2.0, True)
    assert refusal.executed is Executed.NO
    assert "tool search has 1 calls under way" in refusal.detail
    assert "in time" in refusal.detail
    assert second.attempt.call.queued == pytest.approx(2.1)
    assert (harbour.queued, harbour.shed) == (0, {("agent",): 1})


@pytest.mark.parametrize(
    "section", [one(queue=0), one(max_wait=0.0), one(queue=1)], ids=["no queue", "no wait", "full"]
)
async def test_where_there_is_no_place_to_wait_it_is_refused_at_once(section: Bulkhead) -> None:
    """Nobody is told to wait for nothing."""
    harbour = Harbour(section)
    visits = await harbour.visits("a", "b", "c")
    refusal = await refused(visits[-1])
    assert refusal.code == "bulkhead_full"
    assert harbour.permits().held == 1


@pytest.mark.parametrize(("max_wait", "retry_after"), [(0.1, 1.0), (3.0, 3.0), (30.0, 5.0)])
async def test_who_is_refused_comes_back_when_the_queue_has_gone(
    max_wait: float, retry_after: float
) -> None:
    """Neither at once nor in half a minute."""
    harbour = Harbour(one(queue=0, max_wait=max_wait))
    visits = await harbour.visits("a", "b")
    assert (await refused(visits[1])).retry_after == retry_after


@pytest.mark.parametrize(
    ("left", "hurried", "waits"),
    [
        (float("inf"), False, 1.0),
        (float("inf"), True, 1.0),
        (45.0, False, 1.0),
        (0.5, False, 0.4 - LATE),
        (8.0, True, 1.0),
        (2.0, True, 0.5),
        (0.12, True, 0.02 - LATE),
        (0.1, False, 0.0),
        (-1.0, True, 0.0),
    ],
)
async def test_nobody_waits_longer_than_his_deadline_has_room(
    left: float, hurried: bool, waits: float
) -> None:
    """An attempt must still fit; and the time that its client gave it is not spent here."""
    harbour = Harbour(one())
    harbour.visit()
    visit = harbour.visit(deadline=harbour.clock.now() + left, hurried=hurried)
    await settle_down()
    if waits:
        await harbour.passes(waits - 0.001)
        assert visit.state == "waits"
    await harbour.passes(0.002)
    assert visit.state == "refused"


async def test_the_end_of_a_call_does_not_run_another_one() -> None:
    """Who waits is woken by the loop, not in the stack of the one that ended."""
    harbour = Harbour(one())
    first, second = await harbour.visits("a", "b")
    first.end()
    assert states(second) == ["waits"]
    assert harbour.permits().held == 1  # it is his already: nobody comes between
    third = harbour.visit()
    await settle_down()
    assert states(second, third) == ["under way", "waits"]


async def test_who_leaves_the_queue_takes_nothing() -> None:
    """The next one is served; the time that it stood there is known at once."""
    harbour = Harbour(one())
    first, second, third = await harbour.visits("a", "b", "c")
    harbour.clock.advance(0.3)
    second.cancel()
    assert second.attempt.call.queued == pytest.approx(0.3)
    await settle_down()
    assert harbour.queued == 1
    await ended(first)
    assert states(second, third) == ["gone", "under way"]


@pytest.mark.parametrize("turns", range(6))
async def test_a_permit_that_was_given_and_not_taken_goes_on(turns: int) -> None:
    """Its call was cancelled between the two, at whichever turn of the loop."""
    harbour = Harbour(one())
    first, second, third = await harbour.visits("a", "b", "c")
    first.end()
    for _ in range(turns):
        await Turn()
    if second.reply is None:
        second.cancel()
    else:
        second.end()
    await settle_down()
    await settle_down()
    assert states(second, third) == ["gone", "under way"]
    await ended(third)
    assert (harbour.permits().held, harbour.permits().waiting) == (0, 0)


async def test_after_an_attempt_that_may_have_run_nothing_else_is_said() -> None:
    """The refusal of a repetition does not deny what was sent before."""
    harbour = Harbour(one(queue=0))
    harbour.visit()
    visit = harbour.visit(attempts=[make_attempt(sent=True)], retry=True)
    assert (await refused(visit)).executed is Executed.UNKNOWN


# --- who is urgent ---


@pytest.mark.parametrize(
    ("fields", "more", "rank"),
    [
        ({}, {}, "AGENT"),
        (INTERACTIVE, {}, "INTERACTIVE"),
        (BACKGROUND, {}, "BACKGROUND"),
        (INTERACTIVE, {"retry": True}, "RETRY"),
        (INTERACTIVE, {"retry": True, "hedge": True}, "HEDGE"),
    ],
)
def test_the_class_of_an_attempt(
    fields: dict[bytes, bytes], more: dict[str, bool], rank: str
) -> None:
    """What its call says; a repetition comes after all first attempts, a hedge after those."""
    visit = Harbour(one()).visit(fields, **more)
    gate = Harbour(one()).gates[0]
    assert gate._rank(visit.attempt) is Rank[rank]


@pytest.mark.parametrize(
    ("given", "fields", "rank"),
    [
        (None, {}, "AGENT"),
        (None, INTERACTIVE, "INTERACTIVE"),
        ("interactive", {}, "INTERACTIVE"),
        ("interactive", BACKGROUND, "BACKGROUND"),
        ("agent", INTERACTIVE, "AGENT"),
        ("background", {}, "BACKGROUND"),
        ("background", AGENT, "BACKGROUND"),
    ],
)
def test_a_call_may_ask_for_less_than_its_policy_gives(
    given: Any, fields: dict[bytes, bytes], rank: str
) -> None:
    """For more only where the policy gives nothing."""
    harbour = Harbour(one(priority=given))
    assert harbour.gates[0]._rank(harbour.visit(fields).attempt) is Rank[rank]


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        (b"", None),
        (b"urgent", None),
        (b" Interactive ", Rank.INTERACTIVE),
        (b"interactive, background", Rank.BACKGROUND),
        (b"agent, urgent", Rank.AGENT),
        (b"retry", None),
    ],
)
def test_what_a_head_may_ask_for(value: bytes, asked: Rank | None) -> None:
    """One of three words; of several the least; anything else is nothing."""
    assert priority({b"holdfast-priority": value}) is asked


def test_a_head_without_signs_is_not_searched() -> None:
    """It costs nothing where nobody asks for it."""
    harbour = Harbour(one())
    visit = harbour.visit(INTERACTIVE)
    visit.attempt.call.head.signs = False
    assert harbour.gates[0]._rank(visit.attempt) is Rank.AGENT


async def test_the_least_urgent_is_shed() -> None:
    """When the queue is full its newest makes place, is told so, and counted."""
    harbour = Harbour(one(queue=2))
    harbour.visit()
    background, retry = harbour.visit(BACKGROUND), harbour.visit(INTERACTIVE, retry=True)
    urgent = harbour.visit(INTERACTIVE)
    refusal = await refused(retry)
    assert "more urgent" in refusal.detail
    assert states(background, urgent) == ["waits", "waits"]
    assert (harbour.shed, harbour.queued) == ({("retry",): 1}, 2)


async def test_a_hedge_never_waits() -> None:
    """It goes at once or not at all."""
    harbour = Harbour(one(limit=2))
    assert harbour.visit(hedge=True).state == "under way"
    harbour.visit()
    refusal = await refused(harbour.visit(hedge=True))
    assert "does not wait" in refusal.detail
    assert harbour.shed == {("hedge",): 1}


# --- whose permits ---


@pytest.mark.parametrize(
    ("per", "shared", "apart"),
    [
        ("rule", {"tool": "other", "upstream": "spare", "model": "m"}, {"policy": "q"}),
        ("tool", {"model": "m"}, {"tool": "other"}),
        ("tool", {}, {"upstream": "spare"}),
        ("upstream", {"tool": "other"}, {"upstream": "spare"}),
        ("model", {"tool": "other"}, {"sent_as": "m"}),
        ("model", {}, {"upstream": "spare"}),
        ("tool", {}, {"domain": "core"}),
    ],
)
async def test_permits_are_counted_per_what_the_policy_says(
    per: Any, shared: dict[str, Any], apart: dict[str, Any]
) -> None:
    """Those of the same share them, others have their own."""
    ground = make_ground(FakeClock(asleep=False))
    section = one(per=(per,), queue=0)
    first = Harbour(section, ground=ground).visit()
    same = Harbour(section, ground=ground, **shared).visit()
    other = moved(section, ground, apart).visit()
    assert states(first, same, other) == ["under way", "refused", "under way"]


def moved(section: Bulkhead, ground: Any, changes: dict[str, Any]) -> Harbour:
    """A harbour of another policy, tool, … or bulkhead."""
    if "domain" not in changes:
        return Harbour(section, ground=ground, **changes)
    return Harbour(section, ground=ground, shared=one(limit=9, per=("rule",)))


@pytest.mark.parametrize(
    ("per", "refusals"),
    [
        (("agent",), [False, True, False, True]),
        (("workflow",), [False, False, True, True]),
        (("agent", "workflow"), [False, False, False, True]),
        (("model",), [False, False, True, True]),
    ],
)
async def test_agents_workflows_and_models_may_have_permits_of_their_own(
    per: Any, refusals: list[bool]
) -> None:
    """Known only when they call; what ends gives back its own."""
    harbour = Harbour(one(per=per, queue=0))
    pairs = [("ann", "x"), ("ann", "y"), ("bob", "x"), ("ann", "x")]
    visits = [harbour.visit(agent=one, workflow=other, model=other) for one, other in pairs]
    assert [visit.state == "refused" for visit in visits] == refusals
    visits[0].end()
    assert harbour.visit(agent="ann", workflow="x", model="x").state == "under way"


@pytest.mark.parametrize(
    ("per", "name"),
    [
        (("rule",), "rule p"),
        (("tool", "agent"), "tool search for agent ann"),
        (("model",), "model large"),
        (("agent",), "agent ann"),
        (("workflow",), "workflow w"),
        (("upstream",), "upstream gateway"),
    ],
)
async def test_a_refusal_names_whose_permits_they_are(per: Any, name: str) -> None:
    """In its words, and as its scope."""
    harbour = Harbour(one(per=per, queue=0))
    harbour.visit(workflow="w", model="large")
    refusal = await refused(harbour.visit(workflow="w", model="large"))
    assert f"The {name} has" in refusal.detail
    assert refusal.scope == ",".join(per)


async def test_permits_in_use_outlive_a_reload() -> None:
    """What an old pipeline gave counts in the new one; a new limit holds at once."""
    ground = make_ground(FakeClock(asleep=False))
    old = Harbour(one(limit=2), ground=ground)
    first, second, third = await old.visits("a", "b", "c")
    ground.clock.advance(0.1)  # type: ignore[attr-defined]  # it is a fake one
    new = Harbour(one(limit=4), ground=ground)
    fourth = new.visit()
    await settle_down()
    assert states(first, second, third, fourth) == ["under way"] * 4
    assert new.visit().state == "waits"


@pytest.mark.parametrize("per", [("tool",), ("agent",)])
async def test_the_old_rules_do_not_come_back_with_an_old_call(per: Any) -> None:
    """One that began before the reload compiles its pipeline after it, or asks once more; its
    permits are those of now."""
    ground = make_ground(FakeClock(asleep=False))
    old, new = (msgspec.structs.replace(ground, generation=number) for number in (1, 2))
    first = Harbour(one(limit=2, per=per), ground=old)
    now = Harbour(one(limit=1, per=per), ground=new)
    late = Harbour(one(limit=2, per=per), ground=old)
    visits = [harbour.visit() for harbour in (now, first, late, now)]
    assert states(*visits) == ["under way", "waits", "waits", "waits"]


async def test_names_that_are_made_up_do_not_fill_the_memory() -> None:
    """Permits nobody has make room; those in use are found again, kept or not."""
    ground = Ground(FakeClock(asleep=False), Keep(limit=20))
    harbour = Harbour(one(per=("agent",), queue=0), ground=ground)
    busy = harbour.visit(agent="busy")
    for number in range(100):
        harbour.visit(agent=f"made up {number}").end()
    assert len(ground.keep._entries) <= 20
    assert harbour.visit(agent="busy").state == "refused"
    busy.end()
    assert harbour.visit(agent="busy").state == "under way"


# --- a limit that is felt out ---


def felt(**fields: Any) -> Harbour:
    """Ten permits, between two and twenty."""
    return Harbour(Bulkhead(limit=10, adaptive=Adaptive(min=2, max=20), **fields))


def limit(harbour: Harbour) -> int:
    """What was felt out."""
    found: int = harbour.gates[0]._pinned.limit
    return found


@pytest.mark.parametrize(
    ("what", "after"),
    [
        (200, 10),
        (400, 10),
        (500, 10),
        (402, 10),
        (429, 7),
        (503, 7),
        (529, 7),
        (Failure.TIMEOUT, 7),
        (Failure.CONNECT, 10),
        (Failure.DISCONNECT, 10),
        (Failure.CANCELLED, 10),
        (make_reply(503, {b"retry-after": b"1"}), 7),
    ],
)
def test_what_says_that_it_was_too_much(what: Any, after: int) -> None:
    """Throttling, 503, and no answer in time. A used-up quota, an error, a hang-up say nothing."""
    harbour = felt()
    harbour.visit(what=what)
    assert limit(harbour) == after


def test_a_round_of_losses_is_one_loss() -> None:
    """Those that were under way together; a later one counts again."""
    harbour = felt()
    together = [harbour.visit(what=429) for _ in range(3)]
    assert limit(harbour) == 7
    harbour.clock.advance(1.0)
    harbour.visit(what=429)
    assert limit(harbour) == 4
    for visit in together:
        visit.end()


@pytest.mark.parametrize(
    ("hurried", "left", "after"), [(True, 0.0, 10), (False, 0.0, 7), (True, 5.0, 7)]
)
def test_a_client_in_a_hurry_does_not_lower_it(hurried: bool, left: float, after: int) -> None:
    """What it cut short itself is no timeout of the upstream."""
    harbour = felt()
    deadline = harbour.clock.now() + left
    harbour.visit(what=Failure.TIMEOUT, deadline=deadline, hurried=hurried)
    assert limit(harbour) == after


async def test_it_grows_while_it_is_used_and_all_goes_well() -> None:
    """One more for each round; nothing while it is idle."""
    harbour = felt()
    for _ in range(50):
        harbour.visit().end()
    assert limit(harbour) == 10
    visits = [harbour.visit() for _ in range(17)]  # the eighth is the first that says something
    await settle_down()
    assert limit(harbour) == 10
    visits[0].end()
    await settle_down()
    for _ in range(7):
        harbour.clock.advance(0.1)
        next(visit for visit in visits if visit.state == "under way").end()
        await settle_down()
    assert limit(harbour) == 11


def test_true_stands_for_the_usual_bounds() -> None:
    """From one to 64."""
    rules = Harbour(Bulkhead(adaptive=True)).gates[0]._rules
    assert (rules.limit, rules.least, rules.most) == (16, 1, 64)


def test_agents_may_have_a_felt_limit_each() -> None:
    """What one of them learned is not the other's."""
    harbour = Harbour(Bulkhead(limit=10, adaptive=True, per=("agent",)))
    harbour.visit(what=429)
    gate = harbour.gates[0]
    found = [gate._of(harbour.visit(agent=name).attempt.call).limit for name in ("ann", "bob")]
    assert found == [7, 10]


def test_bounds_must_leave_something_between_them() -> None:
    """An error at load."""
    with pytest.raises(ValueError, match=r"min: expected at most max \(3\), found 4"):
        Adaptive(min=4, max=3)


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        (Bulkhead(), Permit),
        (Bulkhead(per=("tool", "agent")), PermitPerCall),
        (Bulkhead(adaptive=True), AdaptivePermit),
        (Bulkhead(adaptive=Adaptive(), per=("workflow",)), AdaptivePermit),
    ],
)
def test_only_what_feels_out_hears_of_commits(section: Bulkhead, kind: type) -> None:
    """The others would pay for it on every call."""
    gate = Harbour(section).gates[0]
    deaf: Callable[..., None] = NothingTaken.committed
    assert type(gate) is kind
    assert (type(gate).committed is deaf) is (kind is not AdaptivePermit)


# --- two of them ---


async def test_agents_of_a_bulkhead_share_its_permits() -> None:
    """Whatever they call; a refusal names it."""
    ground = make_ground(FakeClock(asleep=False))
    shared = one(per=("rule",), queue=0)
    harbours = [Harbour(shared=shared, ground=ground, tool=tool) for tool in ("a", "b")]
    assert harbours[0].visit().state == "under way"
    refusal = await refused(harbours[1].visit())
    assert (refusal.policy, refusal.scope) == ("core", "bulkhead")
    assert "The bulkhead core has 1 calls under way" in refusal.detail


async def test_who_waits_for_a_slow_tool_holds_nothing_that_others_need() -> None:
    """The permit of the bulkhead is taken last; where it is refused, the tool's goes back."""
    ground = make_ground(FakeClock(asleep=False))
    shared = one(limit=2, per=("rule",), queue=0)
    slow = Harbour(one(), ground=ground, shared=shared, tool="slow")
    quick = Harbour(one(limit=9), ground=ground, shared=shared, tool="quick")
    visits = [slow.visit(), slow.visit()]
    await settle_down()
    assert states(*visits, quick.visit(), quick.visit()) == [
        *("under way", "waits", "under way", "refused")
    ]
    assert (quick.permits().held, quick.permits(1).held) == (1, 2)


# --- in shadow ---


async def test_a_shadow_makes_nobody_wait() -> None:
    """As many more as would wait are let through; what would be refused is counted, and goes."""
    clock = FakeClock(asleep=False)
    enforced = make_ground(clock)
    harbour = Harbour(one(queue=2), ground=Ground(clock, enforced.keep, shadow=True))
    visits = [harbour.visit() for _ in range(5)]
    assert states(*visits) == ["under way"] * 5
    assert (harbour.permits().held, harbour.shed) == (3, {("agent",): 2})
    for visit in visits:
        visit.end()
    assert harbour.permits().held == 0
    assert Harbour(one(queue=0), ground=enforced).visit().state == "under way"


async def test_a_shadow_of_a_hedge_is_refused_where_none_is_free() -> None:
    """It would not have waited."""
    harbour = Harbour(one(queue=2), ground=make_ground(FakeClock(), shadow=True))
    harbour.visit()
    harbour.visit(hedge=True)
    assert (harbour.permits().held, harbour.shed) == (1, {("hedge",): 1})


# --- what it says ---


async def test_it_says_what_a_call_would_come_to() -> None:
    """A permit, a place in the queue, or a refusal; and changes nothing."""
    harbour = Harbour(one(queue=1))
    call = harbour.visit().attempt.call
    gate = harbour.gates[0]
    said = gate.says(call)
    assert (said.note, said.refusal) == ("1 of 1 permits are taken, 0 wait", None)
    harbour.visit()
    said = gate.says(call)
    assert said.note == "1 of 1 permits are taken, 1 wait"
    assert said.refusal is not None
    assert said.refusal.code == "bulkhead_full"
    call.head.fields.update(INTERACTIVE)
    assert gate.says(call).refusal is None
    assert harbour.shed == {}


def test_what_nobody_has_called_is_not_made_by_asking() -> None:
    """An agent that never called has all its permits."""
    harbour = Harbour(one(per=("agent",), limit=3))
    call = harbour.visit().attempt.call
    assert harbour.gates[0].says(call).note == "1 of 3 permits are taken, 0 wait"
    call.agent = "bob"
    before = len(harbour.ground.keep.items())
    assert harbour.gates[0].says(call).note == "0 of 3 permits are taken"
    assert len(harbour.ground.keep.items()) == before


def test_a_shadow_says_what_it_would_refuse() -> None:
    """By its own permits."""
    harbour = Harbour(one(queue=1), ground=make_ground(FakeClock(), shadow=True))
    call = harbour.visit().attempt.call
    assert harbour.gates[0].says(call).refusal is None
    harbour.visit()
    assert harbour.gates[0].says(call).refusal is not None
