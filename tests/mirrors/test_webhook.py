"""proxy/mirrors/webhook.py: notes are posted in their order, and nobody waits for it."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from proxy.mirrors import webhook as module
from proxy.mirrors.webhook import WebhookAnchor
from tests.fakes import FakeClock
from tests.harness import RawUpstream, answer, within
from tests.harness.upstream import never


@pytest.fixture
async def far() -> AsyncIterator[RawUpstream]:
    """Who takes them."""
    async with RawUpstream() as upstream:
        yield upstream


class Scene:
    """A webhook, and what it was heard to say."""

    def __init__(self, far: RawUpstream, patience: float = 30.0) -> None:
        self.clock = FakeClock()
        self.heard: list[str] = []
        self.hook = WebhookAnchor(far.url, "witness", self.clock, self.heard.append, patience)


def bodies(far: RawUpstream) -> list[str]:
    """What came."""
    return [request.body.decode() for request in far.requests]


async def taken(hook: WebhookAnchor) -> None:
    """All that waited."""
    while hook.waiting:
        await asyncio.to_thread(lambda: None)


async def test_notes_come_in_their_order(far: RawUpstream) -> None:
    """From another thread, as the journal's; each once where all is well."""
    scene = Scene(far)
    scene.hook.start()
    for note in "abc":
        await asyncio.to_thread(scene.hook, note)
    await far.seen(3)
    await within(taken(scene.hook))
    await within(scene.hook.stop(10.0))

    assert bodies(far) == ["a", "b", "c"]
    assert (scene.hook.posted.taken, scene.hook.waiting, scene.heard) == (3, 0, [])


async def test_what_is_not_taken_is_tried_again(far: RawUpstream) -> None:
    """With longer and longer waits, up to a minute; told once, and when it is well again."""
    failures = 9
    far.script.extend([answer(503)] * failures)
    scene = Scene(far)
    scene.hook.start()
    scene.hook("a")
    await far.seen(failures + 1)
    await within(taken(scene.hook))
    await within(scene.hook.stop(10.0))

    assert bodies(far) == ["a"] * (failures + 1)
    longest = [min(60.0, 2.0**n) for n in range(failures)]
    assert len(scene.clock.slept) == failures
    for slept, most in zip(scene.clock.slept, longest, strict=True):
        assert most / 2 <= slept <= most
    assert scene.heard == ["it answered 503", ""]
    assert (scene.hook.posted.failed, scene.hook.posted.taken) == (failures, 1)
    assert scene.hook.trouble == ""


async def test_too_many_that_wait_are_dropped(
    far: RawUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest: each vouches for all before it. Also while one of them is on its way."""
    monkeypatch.setattr(module, "KEPT", 2)
    released = asyncio.Event()

    async def slow(connection, request) -> None:
        await released.wait()
        connection.send(answer(200))

    far.script.append(slow)
    scene = Scene(far)
    scene.hook.start()
    scene.hook("a")
    await far.seen()
    for note in "bcd":
        scene.hook(note)
    while scene.hook.posted.dropped < 2:
        await asyncio.to_thread(lambda: None)
    released.set()
    await far.seen(3)
    await within(taken(scene.hook))
    await within(scene.hook.stop(10.0))

    assert bodies(far) == ["a", "c", "d"]


async def test_a_server_that_hangs_holds_up_no_stop(far: RawUpstream) -> None:
    """What waits is tried once more, for as long as there is; then it is left."""
    far.otherwise = never
    scene = Scene(far)
    scene.hook.start()
    scene.hook("a")
    await far.began()
    await within(scene.hook.stop(0.05))

    assert scene.hook.waiting == 1
    await within(scene.hook.stop(10.0))


async def test_the_last_one_is_posted_at_the_stop(far: RawUpstream) -> None:
    """Though the tasks of the process were cancelled before."""
    scene = Scene(far)
    scene.hook.start()
    await scene.clock.stop()
    scene.hook("a")
    await asyncio.to_thread(lambda: None)
    await within(scene.hook.stop(10.0))

    assert bodies(far) == ["a"]


async def test_before_its_start_nothing_is_posted(far: RawUpstream) -> None:
    """And stopping it then is nothing."""
    scene = Scene(far)
    scene.hook("a")
    await scene.hook.stop(1.0)

    assert bodies(far) == []


def test_the_loop_may_be_gone() -> None:
    """A thread of the journal may still have a note."""

    async def starts() -> WebhookAnchor:
        hook = WebhookAnchor("http://127.0.0.1:1", "w", FakeClock(), print, 1.0)
        hook._loop = asyncio.get_running_loop()
        return hook

    hook = asyncio.run(starts())
    thread = threading.Thread(target=hook, args=("a",))
    thread.start()
    thread.join(10)
    assert hook.waiting == 0
