"""A request as it stands, and what agents are told of it."""

import asyncio

from proxy.reply import Executed
from proxy.state.asking import Decided, Requested
from proxy.state.case import Case, File, Untold, denied, gone, pending, spent, stir

ASKED = Requested("r1", "d", "c", "ann", "gateway", "pay", "POST", "money", 1, 0, 900_000)


def case(**members: object) -> Case:
    """A request of the policy `money`."""
    made = Case(File(ASKED, "pending"))
    for name, value in members.items():
        setattr(made, name, value)
    return made


def test_who_must_wait_is_told_when_to_come_again() -> None:
    """Soon, and before it expires; the call did not run. Clients do not repeat it by themselves."""
    told = pending(case(), 60.0)
    assert (told.code, told.policy, told.executed) == ("approval_pending", "money", Executed.NO)
    assert (told.retry_after, told.retryable, told.should_retry) == (5.0, True, False)
    assert told.facts == (("approval", "r1"),)
    assert pending(case(), 2.0).retry_after == 2.0
    assert pending(case(), 0.0).retry_after == 1.0
    assert "may be repeated after 5 s" in told.message_for_model()


def test_one_that_runs_may_have_run() -> None:
    """The same call gets its answer."""
    told = pending(case(runner="c9"), 60.0)
    assert (told.executed, "is running" in told.detail) == (Executed.UNKNOWN, True)


def test_a_denial_tells_why() -> None:
    """Where something was said."""
    file = File(ASKED, "denied", [Decided("r1", "deny", "alice", "too much")])
    assert denied(case(file=file)).detail == "a person denied this call: too much"
    file.decided.append(Decided("r1", "deny", "bob"))
    told = denied(case(file=file))
    assert (told.detail, told.code) == ("a person denied this call", "approval_denied")
    assert (told.retryable, told.step) == (False, "stop")


def test_what_is_over_is_told() -> None:
    """Whoever comes again is asked about anew, unless it may have run."""
    assert gone(case(), "in time").code == "approval_expired"
    unknown, surely = (spent(case(), "it broke", each) for each in (Executed.UNKNOWN, Executed.NO))
    assert (unknown.step, surely.step) == ("verify_then_retry", "ask_owner")
    assert (unknown.retryable, unknown.executed) == (False, Executed.UNKNOWN)
    assert unknown.detail == "it broke; it is not sent again"


async def test_who_waits_is_woken_once() -> None:
    """Also where his time was over just before."""
    loop = asyncio.get_running_loop()
    made, future = case(), loop.create_future()
    made.waiters.append(future)
    stir(future, told=False)
    made.wake()
    assert await future is False


async def test_without_a_journal_all_is_in_memory() -> None:
    """And nothing is written."""
    untold = Untold()
    untold.note(ASKED)
    assert await untold.durable()
    await untold.keep("a", b"1")
    untold.put("b", b"2")
    untold.drop("c")
    assert (await untold.read("a"), await untold.read("c")) == (b"1", None)
    untold.only(frozenset({"b"}))
    assert await untold.read("a") is None
    untold.drop("b")
    assert await untold.read("b") is None
