"""proxy/lab/sandbox/calls.py"""

import asyncio

import pytest

from proxy.lab.sandbox.calls import KEPT, Calls


def new() -> Calls:
    return Calls(lambda: 12.0)


def test_everything_is_counted() -> None:
    """Requests, tools, runs, statuses and leavers each have their count."""
    calls = new()
    one, two, three = (calls.came("/v1", {}) for _ in range(3))
    calls.understood(one, "deposit", "k")
    calls.ran(one)
    calls.ended(one, 200)
    calls.ended(two, None, left=True)
    shown = calls.shown()
    assert shown.pop("calls")
    assert shown == {
        "total": 3, "under_way": 1, "left": 1, "by_tool": {"deposit": 1},
        "by_status": {"200": 1}, "executed": {"deposit": 1},
    }  # fmt: skip
    assert three.status is None


def test_the_last_calls_are_kept() -> None:
    """Of many calls the newest stay, and fewer are shown on request."""
    calls = new()
    for _ in range(KEPT + 5):
        calls.came("/", {})
    assert [call.number for call in calls.last] == list(range(6, KEPT + 6))
    newest = calls.shown(2)["calls"]
    assert [call["number"] for call in newest] == [KEPT + 4, KEPT + 5]  # type: ignore[attr-defined]
    assert calls.shown(0)["calls"] == []


def test_credentials_are_not_kept() -> None:
    """Headers of interest are shown in lower case; secrets never."""
    headers = {
        "Authorization": "Bearer s", "X-Api-Key": "s", "Cookie": "s",
        "Idempotency-Key": "k", "Holdfast-Attempt": "2; max=3", "User-Agent": "x" * 500,
    }  # fmt: skip
    received = new().came("/", headers)
    assert received.headers == {
        "idempotency-key": "k", "holdfast-attempt": "2; max=3", "user-agent": "x" * 200,
    }  # fmt: skip


def test_what_began_before_a_reset_does_not_count() -> None:
    """The end of an old call leaves new counters alone."""
    calls = new()
    old = calls.came("/", {})
    calls.clear()
    new_one = calls.came("/", {})
    calls.ended(old, 200)
    assert (calls.under_way, dict(calls.by_status)) == (1, {})
    calls.ended(new_one, 200)
    assert calls.under_way == 0


async def test_until_waits_for_a_state() -> None:
    """Whoever waits sleeps through other changes, and is woken by the one waited for."""
    calls = new()
    loop = asyncio.get_running_loop()

    def receive() -> None:
        calls.understood(calls.came("/", {}), "deposit", None)
        if calls.total < 3:
            loop.call_soon(loop.call_soon, receive)

    loop.call_soon(receive)
    async with asyncio.timeout(5):
        await calls.until(lambda seen: seen.by_tool["deposit"] == 3)
    assert calls.total == 3


async def test_a_waiter_may_give_up() -> None:
    """A wait that was cancelled does not trip later changes."""
    calls = new()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await calls.until(lambda seen: seen.left == 1)
    calls.ended(calls.came("/", {}), None, left=True)
    assert calls.left == 1
