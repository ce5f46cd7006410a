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
from proxy.stage import Verdict
from tests.fakes import FakeClock, make_attempt, make_call, make_reply, run
from tests.pipeline.scene import NO, Free, Gate, Hearing, Scene, guarded, settle_down


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


def test_shadows_are_asked_and_not_obeyed() -> None:
    """What they would have refused is counted; who let it through in shadow is settled as well."""
    scene = Scene(None, shadows=(NO, None))
    reply = scene()
    assert scene.counted.rows == {("circuit_open", "p", "false"): 1}
    assert reply.status == 200
    reply.finish()
    assert scene.diary[-2:] == ["B settled", "a settled"]
    assert scene.shadows[0].settled == []
    assert "A heard success" not in scene.diary


def test_an_enforced_refusal_is_not_counted_as_a_shadows() -> None:
    """And shadows, which stand behind, are not asked."""
    scene = Scene(NO, shadows=(NO,))
    scene()
    assert scene.counted.rows == {}
    assert scene.diary == ["a asked"]


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


async def test_a_shadow_may_have_to_ask_somebody_too() -> None:
    """And is not obeyed either."""
    future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    future.set_result(NO)
    scene = Scene(shadows=(future,))
    assert (await scene.start()).status == 200
    assert scene.counted.rows == {("circuit_open", "p", "false"): 1}


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


class Clumsy(Gate):
    """A gate that breaks where none may."""

    def __init__(self, name: str, diary: list[str], where: str) -> None:
        super().__init__(name, diary)
        self._where = where

    def committed(self, attempt: Attempt, reply: Reply) -> None:
        """Perhaps here."""
        super().committed(attempt, reply)
        if self._where == "committed":
            raise ZeroDivisionError

    def settle(self, subject: Call | Attempt, reply: Reply) -> None:
        """Perhaps here."""
        super().settle(subject, reply)
        if self._where == "settle":
            raise ZeroDivisionError


def test_a_gate_that_breaks_while_it_settles_does_not_stop_the_others() -> None:
    """The bug comes out when all have got back what they gave."""
    scene = Scene(None, None)
    scene.gates.append(Clumsy("c", scene.diary, "settle"))
    reply = scene()
    with pytest.raises(ZeroDivisionError):
        reply.finish()
    assert scene.diary[-3:] == ["c settled", "b settled", "a settled"]


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
