"""A second sending beside a slow one."""

import asyncio
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.attempt import Attempt
from proxy.call import Call, Effect, Stop
from proxy.counts import HEDGES, Counts
from proxy.keys import LatencyKey
from proxy.refusal import Refusal
from proxy.reply import Failure, Reply, Result
from proxy.stage import Ground, Section, Site
from proxy.stages.hedge import Hedge, Race
from proxy.stages.retry import Once
from proxy.state.allowance import Allowance
from proxy.state.latency import LEAST, Latency
from proxy.strand import Signal, Strand
from proxy.units import Delay
from tests.fakes import (
    FakeBody,
    FakeClock,
    Ledger,
    make_attempt,
    make_call,
    make_ground,
    make_reply,
    make_target,
)

AFTER = 0.5
P95 = Delay.parse("p95")
NO = Refusal("bulkhead_full", "Too many calls")
Step = int | Failure | Refusal | Reply | BaseException


class Slow:
    """An upstream whose answers come when somebody says so; `sendings` waits for them."""

    def __init__(self, refuses: bool = False) -> None:
        self.sendings: list[tuple[Attempt, Signal[Step]]] = []
        self.cancelled: list[int] = []
        self._refuses_hedges = refuses

    async def __call__(self, attempt: Attempt) -> Reply:
        """Wait for its answer."""
        if attempt.hedge and self._refuses_hedges:
            return make_reply(NO)
        attempt.sent = True
        signal: Signal[Step] = Signal()
        self.sendings.append((attempt, signal))
        try:
            step = await signal
        except asyncio.CancelledError:
            self.cancelled.append(attempt.number)
            raise
        if isinstance(step, BaseException):
            raise step
        reply = step if isinstance(step, Reply) else make_reply(step)
        reply.attempt = attempt
        attempt.result = reply.result
        return reply

    def answer(self, number: int, step: Step = 200) -> None:
        """The answer to the attempt of that number is here."""
        next(signal for attempt, signal in self.sendings if attempt.number == number).set(step)


class Scene:
    """A call before a slow upstream."""

    def __init__(
        self,
        *,
        ground: Ground | None = None,
        like: "Scene | None" = None,
        call: Call | None = None,
        refuses: bool = False,
        **section: Any,
    ) -> None:
        fresh = ground or make_ground(FakeClock(asleep=False))
        self.ground: Ground = like.ground if like else fresh
        assert isinstance(self.ground.clock, FakeClock)
        self.clock = self.ground.clock
        self.upstream: Slow = like.upstream if like else Slow(refuses)
        target = make_target()
        section = {"after": Delay(AFTER)} | section
        once = Once(Section(), Site(target, self.ground, sender=self.upstream))
        site = Site(target, self.ground, inner=once.handle, sender=self.upstream)
        self.handle = Race(Hedge(**section), site).handle
        if like is not None:
            self.handle = like.handle  # the same stage, as calls of one tool have it
        self.call = call or make_call(effect=Effect.READ)
        self.call.started = self.clock.now()
        self.reply: Reply | None = None
        self.ends: list[BaseException | None] = []
        self.strand = Strand(self._run(), self.ends.append)
        self.call.cancel = self.strand.cancel
        self.strand.step()

    async def _run(self) -> None:
        self.reply = await self.handle(self.call)

    @property
    def sent(self) -> list[int]:
        """The numbers of what was sent of this call."""
        return [attempt.number for attempt in self.call.attempts if attempt.sent]

    @property
    def counted(self) -> dict[str, int]:
        """What became of hedges."""
        counts = dict(self.ground.keep.items()).get(HEDGES.key, Counts(()))
        return {result: number for (_, result), number in counts.rows.items()}

    def late(self) -> "Scene":
        """The time to hedge has come."""
        self.clock.advance(AFTER)
        return self


def test_a_quick_answer_is_sent_once() -> None:
    """Nothing comes due for a call that is over."""
    scene = Scene()
    scene.upstream.answer(1)
    scene.late()
    assert (scene.sent, scene.counted) == ([1], {})
    assert scene.reply is not None
    assert scene.reply.result is Result.SUCCESS


def test_a_slow_one_is_sent_again() -> None:
    """Not before its time, and as an attempt of its own."""
    scene = Scene()
    scene.clock.advance(AFTER - 0.01)
    assert scene.sent == [1]
    scene.clock.advance(0.01)
    assert scene.sent == [1, 2]
    hedge = scene.call.attempts[1]
    assert (hedge.hedge, hedge.number, hedge.deadline) == (True, 2, scene.call.deadline)


def test_the_hedges_answer_counts_if_it_is_first() -> None:
    """The first sending is cancelled, and the call ends without waiting for it."""
    scene = Scene().late()
    scene.upstream.answer(2)
    assert scene.reply is not None
    assert (scene.reply.attempt, scene.ends) == (scene.call.attempts[1], [None])
    assert (scene.upstream.cancelled, scene.counted) == ([1], {"won": 1})


def test_the_first_sendings_answer_counts_if_it_is_first() -> None:
    """The hedge is cancelled, and not awaited."""
    scene = Scene().late()
    scene.upstream.answer(1)
    assert scene.reply is not None
    assert scene.reply.attempt is scene.call.attempts[0]
    assert (scene.upstream.cancelled, scene.counted) == ([2], {"lost": 1})


def test_a_callers_error_ends_the_race_too() -> None:
    """Another sending would say the same."""
    scene = Scene().late()
    scene.upstream.answer(2, 404)
    assert scene.reply is not None
    assert scene.reply.status == 404


def test_a_hedge_that_fails_is_forgotten() -> None:
    """The call still waits for its own."""
    scene = Scene().late()
    scene.upstream.answer(2, 500)
    assert scene.reply is None
    scene.upstream.answer(1)
    assert scene.reply is not None
    assert (scene.reply.status, scene.counted) == (200, {"failed": 1})


def test_a_hedge_may_save_a_call_that_failed() -> None:
    """The failed reply is closed."""
    scene = Scene().late()
    failed = make_reply(500)
    scene.upstream.answer(1, failed)
    assert scene.reply is None
    scene.upstream.answer(2)
    assert scene.reply is not None
    assert (scene.reply.status, failed.finished, failed.closed) == (200, True, True)
    assert scene.counted == {"won": 1}


def test_the_last_hedge_may_save_a_call_that_failed() -> None:
    """As long as one is on its way there is hope."""
    scene = Scene(max=2).late().late()
    scene.upstream.answer(1, 500)
    scene.upstream.answer(2, 500)
    assert scene.reply is None
    scene.upstream.answer(3)
    assert scene.reply is not None
    assert scene.reply.attempt is scene.call.attempts[2]


def test_where_both_fail_the_calls_own_failure_is_told() -> None:
    """It settles when the call does, not before, and once."""
    scene = Scene().late()
    scene.upstream.answer(1, 500)
    scene.upstream.answer(2, 503)
    assert scene.reply is not None
    assert (scene.reply.status, scene.reply.finished) == (500, False)


def test_a_failure_that_is_still_coming_is_handed_on_at_once() -> None:
    """It holds a connection: it is not kept for the sake of a hedge."""
    scene = Scene().late()
    scene.upstream.answer(1, make_reply(500, body=FakeBody(None)))
    assert scene.reply is not None
    assert (scene.reply.status, scene.upstream.cancelled) == (500, [2])


def test_a_refused_hedge_costs_nothing() -> None:
    """A gate said no: its token goes back."""
    scene = Scene(refuses=True)
    for _ in range(30):
        scene = Scene(ground=scene.ground, refuses=True).late()
        scene.upstream.answer(1)
    assert scene.counted == {"refused": 31}


def test_hedges_live_on_the_budget_of_retries() -> None:
    """Ten tokens at the start, and a fifth for each call that was sent."""
    ground = make_ground(FakeClock(asleep=False))
    scenes = [Scene(ground=ground, after=Delay(0.001)) for _ in range(40)]
    scenes[0].clock.advance(0.002)
    sent = sum(len(scene.sent) == 2 for scene in scenes)
    assert sent == 10
    assert scenes[0].counted == {"retry_budget": 30}


def test_several_hedges_come_one_after_the_other() -> None:
    """`max: 2`: the second as much later as the first was."""
    scene = Scene(max=2).late()
    assert scene.sent == [1, 2]
    scene.late()
    assert scene.sent == [1, 2, 3]
    scene.late()
    assert scene.sent == [1, 2, 3]
    scene.upstream.answer(3)
    assert scene.upstream.cancelled == [1, 2] or scene.upstream.cancelled == [2, 1]
    assert scene.counted == {"won": 1, "lost": 1}


def test_standing_in_a_queue_is_not_being_slow() -> None:
    """The time counts from when it was let through."""
    scene = Scene()
    scene.call.attempts[0].started += 0.2
    scene.late()
    assert (scene.sent, scene.counted) == ([1], {})
    scene.clock.advance(0.2)
    assert scene.sent == [1, 2]


def test_waiting_to_be_repeated_is_not_being_slow() -> None:
    """A hedge then would be a repetition without its backoff; it may follow the repetition."""
    scene = Scene()
    scene.call.attempts[0].ended = scene.clock.now()
    for _ in range(3):
        scene.late()
    assert (scene.sent, scene.counted) == ([1], {})
    again = make_attempt(scene.call, number=2, started=scene.clock.now(), sent=True)
    scene.call.attempts.append(again)
    scene.late()
    assert scene.sent == [1, 2, 3]


def test_no_hedge_is_sent_that_could_not_last() -> None:
    """The call's time is nearly over."""
    call = make_call(effect=Effect.READ)
    call.deadline = 1000.0 + AFTER + 0.05
    scene = Scene(call=call).late()
    assert (scene.sent, scene.counted) == ([1], {"too_late": 1})


def test_a_body_that_is_not_here_is_sent_once() -> None:
    """It still flows into the first sending."""
    call = make_call(effect=Effect.READ, body=FakeBody(None))
    scene = Scene(call=call).late()
    assert (scene.sent, scene.counted) == ([1], {"not_replayable": 1})


def test_an_agent_that_leaves_ends_both() -> None:
    """What had won by then is dropped."""
    scene = Scene().late()
    scene.call.stop(Stop.AGENT_GONE)
    assert scene.reply is None
    assert sorted(scene.upstream.cancelled) == [1, 2]


def test_an_answer_that_comes_with_the_agents_end_is_dropped() -> None:
    """It is finished and closed, though nobody gets it."""
    scene = Scene()
    scene.clock.gathers = []
    scene.late()
    won = make_reply(200)
    scene.upstream.answer(2, won)
    scene.call.stop(Stop.AGENT_GONE)
    run_all(scene.clock)
    assert scene.reply is None
    assert (won.finished, won.closed) == (True, True)


def test_two_answers_in_one_turn_are_one_reply() -> None:
    """The hedge was first, but the call had its own before it could be told."""
    scene = Scene()
    scene.clock.gathers = []
    scene.late()
    won = make_reply(200)
    scene.upstream.answer(2, won)
    scene.upstream.answer(1)
    run_all(scene.clock)
    assert scene.reply is not None
    assert scene.reply.attempt is scene.call.attempts[0]
    assert (won.closed, scene.ends) == (True, [None])


def test_a_failure_after_the_hedge_had_won_does_not_count() -> None:
    """Both in one turn: the good one is taken, the other closed."""
    scene = Scene()
    scene.clock.gathers = []
    scene.late()
    failed = make_reply(500)
    scene.upstream.answer(2)
    scene.upstream.answer(1, failed)
    assert scene.reply is not None
    assert (scene.reply.status, failed.closed) == (200, True)
    run_all(scene.clock)
    assert scene.ends == [None]


def run_all(clock: FakeClock) -> None:
    """The loop's turn ends."""
    works, clock.gathers = clock.gathers or [], None
    for work in works:
        work()


def test_an_agent_that_leaves_a_failed_call_ends_its_hedge() -> None:
    """The failed reply, set aside for the hedge's sake, is closed."""
    scene = Scene().late()
    failed = make_reply(500)
    scene.upstream.answer(1, failed)
    scene.call.stop(Stop.AGENT_GONE)
    assert (scene.reply, scene.upstream.cancelled, failed.closed) == (None, [2], True)


def test_calls_that_end_in_another_order_are_let_go() -> None:
    """What came due for one that is over is passed over, wherever it stood in the queue."""
    first = Scene()
    scenes = [first, Scene(like=first), Scene(like=first)]
    first.upstream.sendings[1][1].set(200)
    first.late()
    assert [scene.sent for scene in scenes] == [[1, 2], [1], [1, 2]]


def test_an_interruption_that_comes_too_late_is_none() -> None:
    """The call has ended in the same turn of the loop."""
    scene = Scene()
    scene.clock.gathers = []
    scene.late()
    scene.upstream.answer(2)
    scene.upstream.answer(1)
    gathered = list(scene.clock.gathers)
    run_all(scene.clock)
    assert (len(gathered), scene.ends) == (1, [None])


def test_of_two_hedges_in_one_turn_the_first_counts() -> None:
    """The other is dropped."""
    scene = Scene(max=2)
    scene.clock.gathers = []
    scene.late().late()
    late = make_reply(200)
    scene.upstream.answer(2)
    scene.upstream.answer(3, late)
    run_all(scene.clock)
    assert scene.reply is not None
    assert scene.reply.attempt is scene.call.attempts[1]
    assert late.closed


def test_a_bug_of_a_hedge_is_told_and_harms_nobody() -> None:
    """The call goes on without it."""
    scene = Scene().late()
    scene.upstream.answer(2, ZeroDivisionError())
    assert scene.reply is None
    scene.upstream.answer(1)
    assert scene.reply is not None
    assert isinstance(scene.reply.bug, ZeroDivisionError)


def test_waiting_for_both_is_waiting_once() -> None:
    """What was waited for is not our own time, but it passed only once."""
    scene = Scene().late()
    scene.call.waited += 3 * AFTER  # each sending counts its own
    scene.upstream.answer(1)
    assert scene.call.waited == AFTER


def test_a_p95_must_be_learned() -> None:
    """Until twenty answers have come nobody is hedged; then those that take longer are."""
    ground = make_ground(FakeClock(asleep=False))
    for _ in range(LEAST):
        scene = Scene(ground=ground, after=P95)
        scene.clock.advance(0.2)
        assert scene.sent == [1]
        scene.call.attempts[0].first_byte = scene.clock.now()
        scene.upstream.answer(1)
    scene = Scene(ground=ground, after=P95)
    scene.clock.advance(0.19)
    assert scene.sent == [1]
    scene.clock.advance(0.02)
    assert scene.sent == [1, 2]


def test_it_says_when() -> None:
    """For people: the time, or why there is none yet."""
    ground = make_ground(FakeClock())
    target = make_target()

    def says(**section: Any) -> str:
        return Race(Hedge(**section), Site(target, ground)).says(make_call()).note

    assert says(after=Delay(0.8)) == "1 more after 800 ms"
    assert says() == "not before 20 answers have shown how long they take"
    latency = ground.kept(LatencyKey("", "gateway", "search"), Latency)
    for _ in range(LEAST):
        latency.note(0.1)
    assert says(max=2) == "2 more after 100 ms"


def test_a_wait_of_zero_is_refused() -> None:
    """It would send every call twice."""
    with pytest.raises(ValueError, match="after: must be longer"):
        Hedge(after=Delay(0.0))


def test_a_call_that_cannot_be_interrupted_waits_for_its_own() -> None:
    """Without an exchange nobody could resume it; the hedge's answer is dropped with the call."""
    scene = Scene()
    scene.call.cancel = None
    won = make_reply(200)
    scene.late().upstream.answer(2, won)
    assert scene.reply is None
    scene.upstream.answer(1)
    assert scene.reply is not None
    assert won.closed


Event = Callable[[Scene], None]


@given(
    st.lists(st.sampled_from([200, 404, 500, 429, "time", "gone", "bug"]), max_size=12),
    st.integers(1, 3),
    st.booleans(),
)
def test_whatever_happens_each_reply_settles_once(
    events: list[Any], most: int, refuses: bool
) -> None:
    """Answers in any order, time, a bug, an agent that leaves: the reply that is handed on is open,
    every other one is finished and closed, and nothing is left running."""
    scene = Scene(max=most, refuses=refuses)
    given_out: list[tuple[Reply, Ledger]] = []
    waiting: list[int] = []
    for event in events:
        waiting = [number for number in scene.sent if number not in waiting] or waiting
        if event == "time":
            scene.late()
        elif event == "gone":
            scene.call.stop(Stop.AGENT_GONE)
        else:
            number = scene.sent[len(given_out) % len(scene.sent)]
            if event == "bug":
                scene.upstream.answer(number, ZeroDivisionError())
                continue
            reply, ledger = make_reply(event), Ledger()
            reply.finishers.append((ledger.settle, None))
            before = [signal.is_set for _, signal in scene.upstream.sendings]
            scene.upstream.answer(number, reply)
            if [signal.is_set for _, signal in scene.upstream.sendings] != before:
                given_out.append((reply, ledger))
    scene.call.stop(Stop.DRAIN)
    for reply, ledger in given_out:
        taken = scene.reply is not None and scene.reply.attempt is reply.attempt
        heard = len(ledger.settled)
        assert heard <= 1
        if not taken and reply.attempt is not None:
            assert heard == 1
    assert scene.ends
    assert Allowance.of(scene.ground, make_target()).take(scene.clock.now())


def test_a_stage_that_nobody_needs_is_let_go_at_once() -> None:
    """An agent may make up names without end, and the collector of cycles looks seldom. An alarm
    that is still set rings for nobody."""
    clock = FakeClock(asleep=False)
    ground = make_ground(clock)
    race = Race(Hedge(), Site(make_target(), ground))
    stage = weakref.ref(race)
    del race
    assert stage() is None
    for alarm in clock.alarms:
        alarm.go_off()
