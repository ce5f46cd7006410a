"""Asking gates whose verdict is only counted: they neither hold a call up nor bring it down."""

import asyncio

import pytest

from proxy.reply import Executed, Failure, Reply, Result
from proxy.stage import Verdict
from tests.fakes import make_attempt, run
from tests.pipeline.scene import NO, Clumsy, Hearing, Scene, guarded, settle_down

REFUSED = {("circuit_open", "p", "false"): 1}
BROKE = {("internal_error", "", "false"): 1}


def undecided() -> "asyncio.Future[Verdict]":
    """The answer of somebody who is still to be heard."""
    return asyncio.get_running_loop().create_future()


def test_shadows_are_asked_and_not_obeyed() -> None:
    """What they would have refused is counted; who let it through in shadow is settled as well."""
    scene = Scene(None, shadows=(NO, None))
    reply = scene()
    assert scene.counted.rows == REFUSED
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


@pytest.mark.parametrize(("verdict", "counted"), [(None, {}), (NO, REFUSED)])
async def test_a_shadow_that_asks_somebody_holds_nothing_up(
    verdict: Verdict, counted: dict[tuple[str, ...], int]
) -> None:
    """The call goes, hears its answer and ends before; what the shadow took goes back at once."""
    future = undecided()
    scene = Scene(None, shadows=(future,))
    reply = await scene.start()
    reply.finish()
    assert scene.diary == ["a asked", "A asked", "200 decided", "a heard success", "a settled"]
    assert scene.counted.rows == {}
    future.set_result(verdict)
    await settle_down()
    assert scene.counted.rows == counted
    assert len(scene.shadows[0].settled) == (verdict is None)
    for given in scene.shadows[0].settled:
        assert (given.result, given.executed) == (Result.CANCELLED, Executed.NO)


async def test_time_that_a_shadow_takes_is_nobodys() -> None:
    """It is not waited for: neither the call's waiting nor the attempt's beginning moves."""
    scene = Scene(shadows=(undecided(),))
    attempt = make_attempt(started=1000.0)
    passing = asyncio.ensure_future(scene.guard()(attempt))
    await settle_down()
    assert passing.result().status == 200
    assert (attempt.started, attempt.call.waited) == (1000.0, 0.0)
    await scene.clock.stop()


def test_a_shadow_that_breaks_is_counted_and_costs_nothing() -> None:
    """The others are asked, the call is sent; nobody settles with it."""
    scene = Scene(None, shadows=(ZeroDivisionError(), None))
    reply = scene()
    reply.finish()
    assert (reply.status, reply.bug) == (200, None)
    assert scene.counted.rows == BROKE
    assert scene.diary[:3] == ["a asked", "A asked", "B asked"]
    assert scene.shadows[0].settled == []


async def test_a_shadow_that_breaks_while_it_asks_is_counted() -> None:
    """Nothing is left behind that nobody retrieves."""
    future = undecided()
    future.set_exception(ZeroDivisionError())
    scene = Scene(shadows=(future,))
    assert (await scene.start()).status == 200
    await settle_down()
    assert scene.counted.rows == BROKE


async def test_a_shadow_that_breaks_when_its_late_grant_goes_back_is_counted() -> None:
    """There is no reply in which that could be kept."""
    scene, future = Scene(), undecided()
    scene.shadows.append(Clumsy("A", scene.diary, "settle", future))
    (await scene.start()).finish()
    future.set_result(None)
    await settle_down()
    assert scene.counted.rows == BROKE
    assert scene.diary[-1] == "A settled"


def test_a_shadow_that_breaks_while_it_hears_is_counted() -> None:
    """The call has its reply, the others hear of its commit, and all settle."""
    scene = Scene(None, shadows=(None,))
    scene.shadows.insert(0, Clumsy("B", scene.diary, "committed"))
    reply = scene()
    assert (reply.status, reply.closed) == (200, False)
    assert scene.counted.rows == BROKE
    assert scene.diary[-3:] == ["a heard success", "B heard success", "A heard success"]
    reply.finish()
    assert scene.diary[-3:] == ["A settled", "B settled", "a settled"]


def test_a_shadow_that_breaks_while_it_settles_changes_no_result() -> None:
    """It is kept like any settler's bug, for who reports it."""
    scene = Scene(None)
    scene.shadows.append(Clumsy("A", scene.diary, "settle"))
    reply = scene()
    reply.finish()
    assert (reply.result, type(reply.bug)) == (Result.SUCCESS, ZeroDivisionError)
    assert scene.diary[-1] == "a settled"


def test_what_a_shadow_took_goes_back_when_the_call_breaks() -> None:
    """It hears of no commit, as there is none."""
    scene = Scene(shadows=(None,), upstream=ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        scene()
    assert scene.diary == ["A asked", "A settled"]
    assert scene.shadows[0].settled[0].failure is Failure.CANCELLED


def test_a_shadow_that_takes_nothing_is_only_told() -> None:
    """Beside one that broke."""
    hearing = Hearing()
    reply: Reply = run(guarded([], [Clumsy("A", [], "admit"), hearing])(make_attempt()))
    reply.finish()
    assert (hearing.heard, hearing.settled, reply.finishers) == ([reply], 0, [])
