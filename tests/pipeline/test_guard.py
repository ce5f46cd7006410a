"""Asking gates, and giving back what they gave. All orders at once: test_settled_once.py."""

import asyncio
from typing import Any

import pytest

from proxy.attempt import Attempt
from proxy.call import Call
from proxy.counts import Counts
from proxy.pipeline.guard import AttemptGuard, CallGuard
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure, Reply, Result
from proxy.stage import Verdict, Withdraws
from proxy.strand import Strand
from tests.fakes import FakeClock, make_attempt, make_call, make_reply, run
from tests.pipeline.scene import NO, Clumsy, Free, Gate, Hearing, Scene, guarded, settle_down


def test_gates_are_asked_in_order_and_settled_from_the_inside() -> None:
    """They hear of the commit at once, and settle when the reply is finished, not before."""
    scene = Scene(None, None)
    reply = scene()
    assert scene.diary == [
        "a asked", "b asked", "200 decided", "a heard success", "b heard success",
    ]  # fmt: skip
    reply.finish()
    assert scene.diary[5:] == ["b settled", "a settled"]
    assert scene.gates[0].settled == [reply]


def test_a_refusal_stops_the_asking() -> None:
    """Nothing is sent; who let it through gets back what it gave, the refuser does not."""
    scene = Scene(None, None, NO, None)
    reply = scene()
    assert scene.diary == ["a asked", "b asked", "c asked", "b settled", "a settled"]
    assert scene.upstream.attempts == []
    assert (reply.refusal, reply.executed, reply.result) == (NO, Executed.NO, None)
    assert scene.gates[0].settled == [reply]
    reply.close()
    assert scene.diary.count("a settled") == 1


@pytest.mark.parametrize("answer", [None, NO])
def test_who_takes_nothing_is_not_settled(answer: Verdict) -> None:
    """Its refusal counts as any other's."""
    free = Free(answer)
    reply = run(guarded([free])(make_attempt()))
    assert (reply.refusal, reply.finishers) == (answer, [])
    reply.finish()
    assert free.settled == 0


@pytest.mark.parametrize("shadow", [False, True])
def test_who_takes_nothing_may_hear_of_commits(shadow: bool) -> None:
    """It is told, in shadow as in force, and never settled."""
    hearing = Hearing()
    guard = guarded([], [hearing]) if shadow else guarded([hearing])
    reply = run(guard(make_attempt()))
    reply.finish()
    assert (hearing.heard, hearing.settled, reply.finishers) == ([reply], 0, [])


@pytest.mark.parametrize("shadow", [False, True])
def test_who_refused_does_not_hear_of_commits(shadow: bool) -> None:
    """Enforced there is none; a shadow would have seen none."""
    hearing = Hearing(NO)
    guard = guarded([], [hearing]) if shadow else guarded([hearing])
    run(guard(make_attempt())).finish()
    assert (hearing.heard, hearing.settled) == ([], 0)


def test_who_takes_nothing_is_not_given_anything_back() -> None:
    """Neither when a later gate refuses, nor when something breaks."""
    hearing, free, diary = Hearing(), Free(), list[str]()
    gates = [hearing, Gate("a", diary), free, Gate("b", diary, NO)]
    run(guarded(gates)(make_attempt()))
    with pytest.raises(ZeroDivisionError):
        run(guarded(gates[:3], step=ZeroDivisionError())(make_attempt()))
    assert diary == ["a asked", "b asked", "a settled", "a asked", "a settled"]
    assert (hearing.settled, free.settled, hearing.heard) == (0, 0, [])


@pytest.mark.parametrize("answer", [None, NO])
async def test_a_gate_may_have_to_ask_somebody(answer: Verdict) -> None:
    """Its verdict is waited for, and holds like any other."""
    future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    scene = Scene(None, future)
    passing = scene.start()
    await settle_down()
    assert scene.upstream.attempts == []
    future.set_result(answer)
    reply = await passing
    assert reply.refusal is answer
    assert len(scene.upstream.attempts) == (0 if answer else 1)
    reply.finish()
    assert [len(gate.settled) for gate in scene.gates] == [1, 0 if answer else 1]


async def test_a_commit_may_have_to_be_waited_for() -> None:
    """The answer is held until then: nobody hears of it before, and it is not handed on."""
    scene = Scene(None, shadows=(None,))
    scene.holds = future = asyncio.get_running_loop().create_future()
    passing = scene.start()
    await settle_down()
    assert not passing.done()
    assert scene.diary == ["a asked", "A asked", "200 decided"]
    future.set_result(None)
    assert (await passing).status == 200
    assert scene.diary[3:] == ["a heard success", "A heard success"]


async def test_a_cancellation_while_it_is_held_gives_back_what_was_taken() -> None:
    """There is no commit, and nobody hears of one."""
    scene = Scene(None, shadows=(None,))
    scene.holds = asyncio.get_running_loop().create_future()
    passing = scene.start()
    await settle_down()
    passing.cancel()
    await settle_down()
    assert passing.cancelled()
    assert scene.diary[3:] == ["A settled", "a settled"]
    assert scene.gates[0].settled[0].result is Result.CANCELLED


def test_a_bug_of_the_commit_gives_back_what_was_taken() -> None:
    """It comes out."""
    scene = Scene(None)
    scene.holds = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        scene()
    assert scene.diary == ["a asked", "200 decided", "a settled"]


async def test_a_grant_that_comes_too_late_is_given_back() -> None:
    """The call was cancelled while its gate was asking; whoever was before is settled at once."""
    future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    scene = Scene(None, future)
    passing = scene.start()
    await settle_down()
    passing.cancel()
    await settle_down()
    assert passing.cancelled()
    assert scene.diary == ["a asked", "b asked", "a settled"]
    future.set_result(None)
    await settle_down()
    assert scene.diary[3:] == ["b settled"]
    assert scene.gates[1].settled[0].result is Result.CANCELLED


@pytest.mark.parametrize("answer", [NO, ValueError("the store is gone")])
async def test_what_comes_too_late_and_is_no_grant_is_nothing(answer: Any) -> None:
    """A refusal or an error took nothing; nobody needs to hear of either."""
    future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    scene = Scene(future)
    passing = scene.start()
    await settle_down()
    passing.cancel()
    await settle_down()
    if isinstance(answer, Refusal):
        future.set_result(answer)
    else:
        future.set_exception(answer)
    await settle_down()
    assert scene.gates[0].settled == []


async def test_an_asking_that_the_stop_of_the_process_ends_is_nothing() -> None:
    """The clock cancels what it spawned."""
    future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    scene = Scene(future)
    passing = scene.start()
    await settle_down()
    passing.cancel()
    await settle_down()
    await scene.clock.stop()
    await settle_down()
    assert scene.gates[0].settled == []


async def test_a_gate_that_breaks_while_asking_is_a_bug() -> None:
    """It comes out, and who let it through before is settled."""
    future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    future.set_exception(ZeroDivisionError())
    scene = Scene(None, future)
    with pytest.raises(ZeroDivisionError):
        await scene.start()
    assert scene.diary == ["a asked", "b asked", "a settled"]


class Slow(Gate):
    """A gate that takes two seconds to ask somebody."""

    async def _asks(self, clock: FakeClock) -> Verdict:
        clock.advance(2.0)
        return None

    def of(self, clock: FakeClock) -> "Slow":
        """On this clock."""
        self.answer = self._asks(clock)
        return self


async def test_the_wait_for_a_gate_is_not_the_attempts_own_time() -> None:
    """The attempt begins when it may go; until then the call waited for others."""
    scene = Scene()
    scene.clock = clock = FakeClock(at=1000.0)
    scene.gates = [Slow("a", scene.diary).of(clock), Slow("b", scene.diary).of(clock)]
    attempt = make_attempt(started=1000.0)
    await scene.guard()(attempt)
    assert (attempt.started, attempt.call.waited) == (1004.0, 4.0)


async def test_the_wait_for_a_gate_of_calls_is_not_our_own_time() -> None:
    """The call has begun when it came."""

    async def handles(call: Call) -> Reply:
        return make_reply(200)

    clock, call = FakeClock(at=1000.0), make_call()
    guard = CallGuard([Slow("a", []).of(clock)], [], handles, clock, Counts(()))
    await guard(call)
    assert (call.started, call.waited) == (1000.0, 2.0)


@pytest.mark.parametrize("how", ["cancelled", "broken"])
async def test_a_wait_for_a_gate_that_comes_to_nothing_is_known(how: str) -> None:
    """Until then others were waited for, however it ended."""
    future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    scene = Scene(future)
    scene.clock = clock = FakeClock(at=1000.0)
    attempt = make_attempt(started=1000.0)
    passing = asyncio.ensure_future(scene.guard()(attempt))
    await settle_down()
    clock.advance(2.0)
    if how == "cancelled":
        passing.cancel()
    else:
        future.set_exception(ZeroDivisionError())
    await settle_down()
    assert passing.done()
    assert passing.cancelled() or isinstance(passing.exception(), ZeroDivisionError)
    assert attempt.call.waited == 2.0


async def test_the_wait_of_a_gate_that_takes_nothing_ends_with_the_call() -> None:
    """There will be nothing to give back; one that takes something is heard to its end."""
    futures = [asyncio.get_running_loop().create_future() for _ in range(2)]
    for gate, future in zip((Free(futures[0]), Gate("a", [], futures[1])), futures, strict=True):
        passing = asyncio.ensure_future(guarded([gate])(make_attempt()))
        await settle_down()
        passing.cancel()
        await settle_down()
        assert (passing.cancelled(), future.cancelled()) == (True, isinstance(gate, Free))
    futures[1].set_result(NO)
    await settle_down()


class Leaving(Gate, Withdraws):
    """A gate that lets go of his place who does not wait any longer."""


@pytest.mark.parametrize("turns", [None, 0, 1, 2])
async def test_who_is_let_through_in_the_moment_he_leaves_is_settled(turns: int | None) -> None:
    """Whatever comes first in one turn of the loop; who leaves before (None) is not."""
    future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    scene, ends = Scene(), list[BaseException | None]()
    scene.gates = [Leaving("a", scene.diary, future)]

    async def passes() -> None:
        await scene.guard()(make_attempt())

    strand = Strand(passes(), ends.append)
    strand.step()
    await settle_down()
    if turns is not None:
        future.set_result(None)
        for _ in range(turns):
            await asyncio.sleep(0)
    strand.cancel()
    await settle_down()
    assert ends == [None]
    assert scene.diary == ["a asked"] + ["a settled"] * (turns is not None)
    assert future.cancelled() is (turns is None)


async def test_a_wait_that_ends_before_its_first_step_leaves_nothing() -> None:
    """Python warns of a coroutine that never began, and a warning is an error."""
    ends: list[BaseException | None] = []
    begun: list[str] = []

    async def asks() -> Verdict:
        begun.append("asked")
        await asyncio.get_running_loop().create_future()
        return None

    async def passes() -> None:
        await guarded([Free(asks())])(make_attempt())

    strand = Strand(passes(), ends.append)
    strand.step()
    strand.cancel()
    assert (ends, begun) == ([None], [])
    await settle_down()
    assert begun == ["asked"]


@pytest.mark.parametrize(
    "scene",
    [
        Scene(None, None, upstream=ZeroDivisionError()),
        Scene(None, None, ZeroDivisionError()),
    ],
)
def test_a_bug_further_in_gives_back_what_was_taken(scene: Scene) -> None:
    """Whether a gate or the sending broke; it comes out."""
    with pytest.raises(ZeroDivisionError):
        scene()
    assert scene.diary[-2:] == ["b settled", "a settled"]
    assert scene.gates[0].settled[0].failure is Failure.CANCELLED


async def test_a_cancellation_while_it_is_sent_gives_back_what_was_taken() -> None:
    """Nobody hears of a commit that never was."""
    scene = Scene(None, shadows=(None,))
    never: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    async def sends(attempt: Attempt) -> Reply:
        return await never

    scene.upstream = sends
    guard = scene.guard()
    passing = asyncio.get_running_loop().create_task(_passes(guard))
    await settle_down()
    passing.cancel()
    await settle_down()
    assert scene.diary == ["a asked", "A asked", "A settled", "a settled"]


async def _passes(guard: AttemptGuard) -> Reply:
    return await guard(make_attempt())


def test_a_gate_that_breaks_while_it_settles_does_not_stop_the_others() -> None:
    """All get back what they gave; the bug costs nothing, and is kept for who reports it."""
    scene = Scene(None, None)
    scene.gates.append(Clumsy("c", scene.diary, "settle"))
    reply = scene()
    reply.finish()
    assert scene.diary[-3:] == ["c settled", "b settled", "a settled"]
    assert (reply.result, type(reply.bug)) == (Result.SUCCESS, ZeroDivisionError)


def test_a_refusal_keeps_the_bug_of_who_settles() -> None:
    """Whoever gives back what was taken before the refusal may break as well."""
    scene = Scene()
    scene.gates += [Clumsy("a", scene.diary, "settle"), Gate("b", scene.diary, NO)]
    reply = scene()
    assert (reply.refusal, type(reply.bug)) == (NO, ZeroDivisionError)


def test_a_bug_of_who_settles_comes_out_where_nobody_has_a_reply() -> None:
    """In the place of the cancellation: else nobody would hear of it. The others settle."""
    scene = Scene(None, upstream=asyncio.CancelledError())
    scene.gates.append(Clumsy("b", scene.diary, "settle"))
    with pytest.raises(ZeroDivisionError):
        scene()
    assert scene.diary[-2:] == ["b settled", "a settled"]


async def test_a_bug_of_who_settles_a_late_grant_is_the_loops_to_report() -> None:
    """Its call is long over."""
    loop = asyncio.get_running_loop()
    heard: list[Any] = []
    loop.set_exception_handler(lambda _, told: heard.append(type(told["exception"])))
    future: asyncio.Future[Verdict] = loop.create_future()
    scene = Scene()
    scene.gates.append(Clumsy("a", scene.diary, "settle", future))
    passing = scene.start()
    await settle_down()
    passing.cancel()
    await settle_down()
    future.set_result(None)
    await settle_down()
    assert (scene.diary, heard) == (["a asked", "a settled"], [ZeroDivisionError])


def test_a_gate_that_breaks_while_it_hears_ends_the_reply() -> None:
    """Nobody else knows of it yet: all settle, and its connection is let go."""
    scene = Scene(None)
    scene.gates.append(Clumsy("b", scene.diary, "committed"))
    with pytest.raises(ZeroDivisionError):
        scene()
    assert scene.diary[-2:] == ["b settled", "a settled"]
    assert scene.upstream.replies[0].closed


def test_a_guard_of_calls_tells_nobody_of_commits() -> None:
    """Gates of calls have no such end."""

    async def handles(call: Call) -> Reply:
        return make_reply(200)

    diary: list[str] = []
    gate = Gate("a", diary)
    guard = CallGuard([gate], [], handles, FakeClock(), Counts(()))
    run(guard(make_call())).finish()
    assert diary == ["a asked", "a settled"]


def test_the_gates_of_attempts_settle_before_those_of_the_call() -> None:
    """Innermost first, also across guards."""
    diary: list[str] = []
    inner = guarded([Gate("attempt", diary)])

    async def handles(call: Call) -> Reply:
        return await inner(make_attempt(call))

    outer = CallGuard([Gate("call", diary)], [], handles, FakeClock(), Counts(()))
    run(outer(make_call())).finish()
    assert diary[-2:] == ["attempt settled", "call settled"]


@pytest.mark.parametrize(("sent", "executed"), [(True, Executed.UNKNOWN), (False, Executed.NO)])
def test_what_is_refused_later_may_have_run_before(sent: bool, executed: Executed) -> None:
    """The refused attempt did not run; an earlier one of its call may have."""
    scene = Scene(NO)
    call = make_call()
    call.attempts.append(make_attempt(call, sent=sent))
    reply = run(scene.guard()(make_attempt(call, number=2, of=2)))
    assert reply.refusal is not None
    assert (reply.executed, reply.refusal.executed) == (executed, executed)
