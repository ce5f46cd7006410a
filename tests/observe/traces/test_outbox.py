"""The outbox: whatever the collector does, nobody waits for it, and nothing grows."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from proxy.observe.traces import outbox
from proxy.observe.traces.outbox import AT_ONCE, MOST, SOON, Missing, Outbox
from proxy.observe.traces.spans import Span
from tests.harness.wire import within
from tests.observe.traces.traced import finished, sent

CALL = finished(sent())


class FakeExport:
    """Takes spans, unless it is told not to; `gate` closed: it hangs."""

    def __init__(self, *script: str) -> None:
        self.script = list(script)
        self.posts: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.posting = threading.Event()
        self.closed = False

    def post(self, spans: Sequence[Span], /) -> str:
        """Part of Export."""
        self.posting.set()
        self.gate.wait()
        self.posts.append(len(spans))
        return self.script.pop(0) if self.script else ""

    def close(self) -> None:
        """Part of Export."""
        self.closed = True

    def abort(self) -> None:
        """Part of Export."""
        self.gate.set()


class Scene:
    """An outbox, and what was heard of it."""

    def __init__(self, export: FakeExport) -> None:
        self.export = export
        self.heard: list[tuple[str, str]] = []
        self.told = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.outbox = Outbox(lambda: export, self.hear)

    def hear(self, state: str, why: str) -> None:
        """In the thread."""
        self.heard.append((state, why))
        self.loop.call_soon_threadsafe(self.told.set)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long."""
    monkeypatch.setattr(outbox, "FLUSH", 0.2)


async def test_what_is_there_at_the_end_goes_out() -> None:
    """All of it; the calls' spans stay together."""
    scene = Scene(FakeExport())
    scene.outbox.start()
    for _ in range(3):
        scene.outbox.put(CALL)
    await within(scene.outbox.stop())
    tallies = scene.outbox.tallies
    assert (tallies.exported, tallies.failed, tallies.dropped) == (9, 0, 0)
    assert (scene.export.closed, scene.outbox.waiting, scene.heard) == (True, 0, [])


async def test_many_are_not_kept_waiting() -> None:
    """Nor are they posted all in one piece."""
    scene = Scene(FakeExport())
    scene.outbox.start()
    for _ in range(SOON):
        scene.outbox.put(CALL)
    await within(asyncio.to_thread(scene.export.posting.wait))
    await within(scene.outbox.stop())
    assert sum(scene.export.posts) == 3 * SOON
    assert max(scene.export.posts) <= AT_ONCE + 2


async def test_what_does_not_fit_is_lost_and_counted() -> None:
    """A collector that hangs costs a bounded queue, and nobody's time."""
    scene = Scene(FakeExport())
    scene.export.gate.clear()
    scene.outbox.start()
    scene.outbox.put(CALL)
    await within(asyncio.to_thread(scene.export.posting.wait))
    before = scene.outbox.waiting
    for _ in range(MOST + 2):
        scene.outbox.put(CALL)
    assert scene.outbox.waiting == MOST
    assert scene.outbox.tallies.dropped == 3 * (2 + before)
    await within(scene.outbox.stop())
    assert scene.outbox.waiting == 0
    scene.outbox.put(CALL)
    assert scene.outbox.waiting == 0


async def test_a_collector_that_fails_is_told_of_once() -> None:
    """And once more when it is well; what it did not take is counted."""
    scene = Scene(FakeExport("status 500", "status 500"))
    for _ in range(3):
        for _ in range(AT_ONCE // 3 + 1):
            scene.outbox.put(CALL)
    scene.outbox.start()
    await within(scene.outbox.stop())
    assert scene.heard == [("failing", "status 500"), ("well", "")]
    assert scene.outbox.tallies.failed == sum(scene.export.posts[:2])
    assert scene.outbox.tallies.exported == sum(scene.export.posts[2:])


async def test_without_an_exporter_there_is_nothing_to_do() -> None:
    """It is told, and nothing waits in vain."""
    scene = Scene(FakeExport())

    def connect() -> FakeExport:
        raise Missing("no module opentelemetry")

    box = Outbox(connect, scene.hear)
    box.start()
    await within(scene.told.wait())
    box.put(CALL)
    assert scene.heard == [("missing", "no module opentelemetry")]
    assert (box.waiting, box.tallies.dropped) == (0, 3)
    await within(box.stop())


async def test_what_cannot_be_made_costs_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the making or posting of some spans is told and counted; the next ones go out."""
    scene = Scene(FakeExport())
    post, bugs = scene.export.post, [ValueError("a secret")]

    def posting(spans: Sequence[Span], /) -> str:
        if bugs:
            raise bugs.pop()
        return post(spans)

    monkeypatch.setattr(scene.export, "post", posting)
    for _ in range(AT_ONCE // 3 + 2):
        scene.outbox.put(CALL)
    scene.outbox.start()
    await within(scene.outbox.stop())
    assert scene.heard == [("failing", "a bug (ValueError)"), ("well", "")]
    tallies = scene.outbox.tallies
    assert (tallies.failed > 0, tallies.exported > 0, tallies.dropped) == (True, True, 0)


async def test_an_exporter_that_cannot_be_made_is_told_of() -> None:
    """By the kind of its error alone: texts may quote what they were given."""
    scene = Scene(FakeExport())

    def connect() -> FakeExport:
        raise OSError("a secret")

    box = Outbox(connect, scene.hear)
    box.start()
    await within(scene.told.wait())
    assert scene.heard == [("missing", "OSError")]
    await within(box.stop())


async def test_it_may_be_stopped_before_it_began() -> None:
    """And twice."""
    scene = Scene(FakeExport())
    await scene.outbox.stop()
    scene.outbox.start()
    await within(scene.outbox.stop())
    await scene.outbox.stop()
    assert scene.export.closed
