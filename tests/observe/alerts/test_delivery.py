"""proxy/observe/alerts/delivery.py: what is sent is told, over crashes and changes of policies."""

import asyncio
import errno
import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from proxy.news import DeliveryChange
from proxy.observe.alerts import delivery as module
from proxy.observe.alerts import delivery_figures
from proxy.observe.alerts.courier import EXPIRES, RESEND
from proxy.observe.alerts.delivery import Deliveries
from proxy.observe.alerts.notice import Delivery, Whence
from proxy.observe.alerts.receiver import Kind, Receiver
from proxy.posts import Answer, Headers
from tests.fakes import FakeClock, Turn
from tests.harness import within
from tests.journal.disks import FailingDisk, QuickDisk
from tests.observe.alerts.notices import notice, over, told

OK, BUSY, GONE = Answer(200), Answer(503, "it answered 503"), Answer(410, "it answered 410")


def receiver(name: str = "ops", kind: Kind = "webhook", path: str = "") -> Receiver:
    """Each has a URL of its own."""
    return Receiver(name=name, kind=kind, url=f"https://far.example/{name}{path}")


class Far:
    """All receivers: their answers by URL (OK when the script ends), and what they were told."""

    def __init__(self) -> None:
        self.script: dict[str, deque[Answer]] = {}
        self.otherwise: dict[str, Answer] = {}
        self.told: list[tuple[str, str]] = []  # whom, and the id of what, or its alerts

    async def __call__(self, url: str, content: bytes, headers: Headers, /, **_: Any) -> Answer:
        name = url.removeprefix("https://far.example/").removesuffix("/api/v2/alerts")
        known = dict(headers).get("webhook-id")
        alerts = json.loads(content)
        self.told.append((name, known or str(len(alerts))))
        if script := self.script.get(name):
            return script.popleft()
        return self.otherwise.get(name, OK)

    def ids(self, name: str = "ops") -> list[str]:
        """What one was told, each try."""
        return [what for whom, what in self.told if whom == name]


class Scene:
    """One life of a process. The folder and the receivers outlive it."""

    def __init__(
        self,
        folder: Path,
        *receivers: Receiver,
        far: Far | None = None,
        disk: QuickDisk | None = None,
    ) -> None:
        self.clock = FakeClock(asleep=False)
        self.far = far or Far()
        self.news: list[DeliveryChange] = []
        self.bugs: list[BaseException] = []
        whence = Whence("pricing-01")
        self.delivery = Deliveries(
            folder, self.clock, self.far, whence, self.news.append, self.bugs.append,
            disk or QuickDisk(),
        )  # fmt: skip
        if receivers:
            self.delivery.obey(receivers)

    async def start(self) -> "Scene":
        self.clock.spawn(self.delivery.run())
        await self.until(lambda: self.delivery._running)
        return self

    async def stop(self) -> None:
        """What is written is written."""
        await within(self.delivery.stop())
        await within(self.clock.stop())
        assert self.bugs == []

    async def until(self, so: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not so():
                await Turn()

        await within(wait())

    async def advance(self, seconds: float) -> None:
        """Once nothing is under way any more."""
        for _ in range(30):
            await Turn()
        self.clock.advance(seconds)
        for _ in range(30):
            await Turn()

    def results(self, name: str = "ops") -> dict[str, float]:
        """What is counted of one."""
        rows = self.family(delivery_figures.NOTIFICATIONS.name)
        return {labels[1]: int(n) for labels, n in rows.items() if labels[0] == name}

    def family(self, name: str) -> dict[tuple[str, ...], Any]:
        """The rows of a metric."""
        return {each.metric.name: dict(each.rows) for each in self.delivery.families()}[name]

    def states(self) -> dict[str, str]:
        """How each receiver takes it."""
        rows = self.family(delivery_figures.RECEIVER_STATE.name)
        return {labels[0]: labels[1] for labels, is_so in rows.items() if is_so}


async def test_each_receiver_is_told_what_is_for_it(tmp_path: Path) -> None:
    """Once, in order; and who is not there is counted."""
    scene = await Scene(tmp_path, receiver("ops"), receiver("boss")).start()
    for one in (notice("a"), over("b"), notice("c", receiver="boss"), notice("d", receiver="x")):
        scene.delivery.send(one)
    await scene.until(lambda: len(scene.far.told) == 3)
    await scene.stop()
    assert scene.far.ids("ops") == ["a", "b"]
    assert scene.far.ids("boss") == ["c"]
    assert scene.results("ops") == {"sent": 2}
    assert scene.results("x") == {"unknown": 1}
    assert scene.news == []


async def test_it_is_what_alerts_ask_for(tmp_path: Path) -> None:
    """All of Delivery."""
    delivery: Delivery = Scene(tmp_path).delivery
    assert delivery.waiting("ops") == 0
    assert delivery.disabled("ops") == ""
    assert list(delivery.firing("ops")) == []
    await within(delivery.stop())


async def test_what_was_not_taken_is_told_by_the_next_process(tmp_path: Path) -> None:
    """With the same id, in the same order, at once; what was taken is not told again, though it is
    sent again. A clock that jumped meanwhile is no matter."""
    first = Scene(tmp_path, receiver())
    await first.start()
    first.far.script["ops"] = deque([OK, BUSY])
    for one in (notice("a"), over("b"), notice("c", told("f2"))):
        first.delivery.send(one)
    await first.until(lambda: first.states() == {"ops": "failing"})
    assert first.delivery.waiting("ops") == 2
    await first.stop()

    second = Scene(tmp_path, receiver())
    second.clock.time -= 10**6
    second.delivery.send(notice("d", told("f3")))
    await second.start()
    second.delivery.send(notice("a"))
    second.delivery.send(notice("c", told("f2")))
    await second.until(lambda: len(second.far.told) == 3)
    await second.stop()
    assert second.far.ids() == ["b", "c", "d"]

    third = await Scene(tmp_path, receiver()).start()
    for one in (notice("a"), over("b"), notice("d", told("f3"))):
        third.delivery.send(one)
    await third.stop()
    assert third.far.told == []


async def test_a_crash_loses_nothing_that_was_durable(tmp_path: Path) -> None:
    """The process that told it did not live to note that it was taken: it is told once more, with
    the same id."""
    scene = await Scene(tmp_path, receiver()).start()
    scene.far.script["ops"] = deque([BUSY])
    scene.delivery.send(notice("a"))
    await scene.until(lambda: b'"a"' in read(tmp_path))
    before = read(tmp_path)
    await scene.advance(6.0)
    assert scene.far.ids() == ["a", "a"]
    await scene.stop()
    (tmp_path / "alerts" / "queue").write_bytes(before)

    again = await Scene(tmp_path, receiver()).start()
    await again.until(lambda: again.far.ids() == ["a"])
    await again.stop()


def read(folder: Path) -> bytes:
    """The file, as it is."""
    path = folder / "alerts" / "queue"
    return path.read_bytes() if path.is_file() else b""


async def test_a_dead_receiver_holds_up_no_other(tmp_path: Path) -> None:
    """For a day. What is told of it: that it failed, once, and that it is well again."""
    scene = await Scene(tmp_path, receiver("dead"), receiver("ops")).start()
    scene.far.otherwise["dead"] = BUSY
    for hour in range(24):
        for name in ("dead", "ops"):
            fires = notice(f"{name}{hour}", told(str(hour)), receiver=name)
            scene.delivery.send(fires)
        await scene.advance(3600.0)
    assert len(scene.far.ids("ops")) == 24
    assert scene.delivery.waiting("dead") == 24
    assert set(scene.far.ids("dead")) == {"dead0"}
    assert scene.states() == {"dead": "failing", "ops": "ok"}
    scene.far.otherwise.clear()
    scene.delivery.send(notice("now", receiver="dead"))
    await scene.advance(60.0)
    assert scene.far.ids("dead")[-25:] == [f"dead{n}" for n in range(24)] + ["now"]
    await scene.stop()
    assert scene.news == [
        DeliveryChange("failing", "it answered 503", "dead"), DeliveryChange("ok", "", "dead"),
    ]  # fmt: skip


async def test_after_three_days_it_is_given_up(tmp_path: Path) -> None:
    """What came later is not."""
    scene = await Scene(tmp_path, receiver()).start()
    scene.far.otherwise["ops"] = BUSY
    scene.delivery.send(notice("old"))
    scene.delivery.send(over("older"))
    await scene.advance(EXPIRES - 60)
    scene.delivery.send(notice("new", told("f2")))
    await scene.advance(10 * 86_400.0)
    await scene.advance(10 * 86_400.0)
    await scene.stop()
    assert "new" not in scene.far.ids()[:3]
    assert scene.results()["expired"] >= 2


async def test_who_is_gone_is_told_nothing_until_he_is_written_anew(tmp_path: Path) -> None:
    """Also by the next process. Whatever changes in how he is written is a change."""
    scene = await Scene(tmp_path, receiver()).start()
    scene.far.script["ops"] = deque([GONE])
    scene.delivery.send(notice("a"))
    scene.delivery.send(notice("b", told("f2")))
    await scene.until(lambda: bool(scene.delivery.disabled("ops")))
    scene.delivery.send(notice("c", told("f3")))
    scene.delivery.obey([receiver()])
    assert scene.delivery.disabled("ops").startswith("it answered 410")
    assert scene.results() == {"failed": 1, "disabled": 3}
    assert scene.states() == {"ops": "disabled"}
    assert scene.news[-1] == DeliveryChange("disabled", scene.delivery.disabled("ops"), "ops")
    await scene.stop()

    again = await Scene(tmp_path, receiver()).start()
    again.delivery.send(notice("d"))
    assert again.delivery.disabled("ops")
    again.delivery.obey([receiver(path="/new")])
    assert again.delivery.disabled("ops") == ""
    again.delivery.obey([receiver()])
    assert again.delivery.disabled("ops") == ""
    again.delivery.send(notice("e"))
    await again.until(lambda: again.far.ids() == ["e"])
    await again.stop()

    third = await Scene(tmp_path, receiver()).start()
    assert third.delivery.disabled("ops") == ""
    await third.stop()


async def test_another_url_is_tried_at_once(tmp_path: Path) -> None:
    """It is the same receiver: what waited for it is told there. Others go on as they were."""
    scene = await Scene(tmp_path, receiver(), receiver("boss")).start()
    scene.far.otherwise["ops"] = BUSY
    scene.delivery.send(notice("a"))
    await scene.until(lambda: scene.states()["ops"] == "failing")
    boss = scene.delivery._at_work["boss"]
    scene.delivery.obey([receiver(path="/new"), receiver("boss")])
    await scene.until(lambda: scene.far.ids("ops/new") == ["a"])
    assert scene.delivery._at_work["boss"] is boss
    await scene.stop()


async def test_who_is_removed_is_told_nothing(tmp_path: Path) -> None:
    """What waited is dropped, also where he is removed while nobody runs; if he comes back he
    begins anew."""
    scene = await Scene(tmp_path, receiver(), receiver("boss")).start()
    scene.far.otherwise = {"ops": BUSY, "boss": BUSY}
    scene.delivery.send(notice("a"))
    scene.delivery.send(notice("b", receiver="boss"))
    await scene.until(lambda: scene.states() == {"ops": "failing", "boss": "failing"})
    scene.delivery.obey([receiver("boss")])
    assert scene.delivery.waiting("ops") == 0
    assert scene.results() == {"failed": 1, "removed": 1}
    scene.delivery.obey([receiver(), receiver("boss")])
    assert scene.states()["ops"] == "ok"
    await scene.stop()

    again = await Scene(tmp_path, receiver()).start()
    assert again.results("boss") == {"removed": 1}
    assert again.far.told == []
    await again.stop()


async def test_without_receivers_nothing_is_done(tmp_path: Path) -> None:
    """Nothing is read or written, no thread runs. What waits for those who come later is kept."""
    first = await Scene(tmp_path, receiver()).start()
    first.far.otherwise["ops"] = BUSY
    first.delivery.send(notice("a"))
    await first.until(lambda: b'"a"' in read(tmp_path))
    await first.stop()
    before = read(tmp_path)

    second = Scene(tmp_path)
    second.delivery.obey([])
    second.clock.spawn(second.delivery.run())
    second.delivery.send(notice("b"))
    await second.advance(3600.0)
    assert second.results() == {"unknown": 1}
    assert not second.delivery._scribe._thread.is_alive()
    assert read(tmp_path) == before
    second.delivery.obey([receiver()])
    await second.until(lambda: second.far.ids() == ["a"])
    await second.stop()


async def test_a_damaged_file_is_told_and_the_rest_of_it_counts(tmp_path: Path) -> None:
    """It is kept beside, for people."""
    first = await Scene(tmp_path, receiver()).start()
    first.far.otherwise["ops"] = BUSY
    first.delivery.send(notice("a"))
    first.delivery.send(notice("b", told("f2")))
    await first.until(lambda: first.delivery.waiting("ops") == 2)
    await first.stop()
    path = tmp_path / "alerts" / "queue"
    path.write_bytes(path.read_bytes().replace(b'"id":"a"', b'"id":"x"'))

    second = await Scene(tmp_path, receiver()).start()
    await second.until(lambda: second.far.ids() == ["b"])
    await second.stop()
    assert [news.state for news in second.news] == ["damaged"]
    assert second.news[0].why == "1 lines of alerts/queue were damaged; it is now queue.damaged"
    assert (tmp_path / "alerts" / "queue.damaged").exists()


async def test_people_are_told_while_the_disk_is_full(tmp_path: Path) -> None:
    """That is when it matters. It shows, and is told."""
    disk = FailingDisk()
    disk.fails["write"] = OSError(errno.ENOSPC, "No space left on device")
    scene = await Scene(tmp_path, receiver(), disk=disk).start()
    scene.delivery.send(notice("a"))
    await scene.until(lambda: scene.far.ids() == ["a"])
    await scene.until(lambda: bool(scene.news))
    assert scene.family(delivery_figures.QUEUE_DURABLE.name) == {(): 0}
    assert scene.news[0].state == "disk"
    assert scene.news[0].why.endswith("lost with the process: No space left on device")
    disk.fails.clear()
    scene.delivery.send(notice("b", told("f2")))
    await scene.advance(30.0)
    await scene.until(lambda: len(scene.news) == 2)
    assert scene.news[1] == DeliveryChange("ok")
    await scene.stop()


async def test_too_much_that_waits_is_dropped_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told once, until there is room again."""
    monkeypatch.setattr(module, "MOST", 6)
    scene = Scene(tmp_path, receiver())
    scene.delivery._waiting._most = 6
    await scene.start()
    scene.far.otherwise["ops"] = BUSY
    for number in range(9):
        scene.delivery.send(notice(str(number), told(str(number))))
    await scene.advance(0.0)
    assert scene.results()["dropped"] == 3
    assert scene.family(delivery_figures.QUEUED.name) == {("ops",): 6}
    assert scene.family(delivery_figures.QUEUED_BYTES.name)[()] > 1000
    assert [news.state for news in scene.news].count("full") == 1
    scene.far.otherwise.clear()
    await scene.advance(400.0)
    await scene.until(lambda: scene.delivery.waiting("ops") == 0)
    scene.far.otherwise["ops"] = BUSY
    for number in range(10, 19):
        scene.delivery.send(notice(str(number), told(str(number))))
    assert [news.state for news in scene.news].count("full") == 2
    await scene.stop()


async def test_an_alertmanager_is_told_again_of_what_fires(tmp_path: Path) -> None:
    """But not while something waits for it: order matters; nor when it is gone."""
    scene = await Scene(tmp_path, receiver("am", "alertmanager")).start()
    fires = [notice("x", told("1"), told("2"), receiver="am")]
    scene.delivery.firing = lambda name: fires if name == "am" else []
    await scene.advance(RESEND)
    assert scene.far.ids("am") == ["2"]
    scene.far.otherwise["am"] = BUSY
    scene.delivery.send(over("o", "1", receiver="am"))
    for _ in range(3):
        await scene.advance(RESEND)
    assert set(scene.far.ids("am")[1:]) == {"1"}
    scene.far.otherwise["am"] = GONE
    await scene.advance(3600.0)
    told_so_far = len(scene.far.told)
    await scene.advance(RESEND)
    assert len(scene.far.told) == told_so_far
    await scene.stop()


async def test_a_receiver_that_is_removed_while_it_is_told(tmp_path: Path) -> None:
    """What it would have answered counts no more."""
    scene = await Scene(tmp_path, receiver()).start()
    answered = asyncio.Event()

    async def slow(*_: Any, **__: Any) -> Answer:
        answered.set()
        await asyncio.Event().wait()
        return OK

    scene.delivery._at_work["ops"].courier._post = slow
    scene.delivery.send(notice("a"))
    await within(answered.wait())
    scene.delivery.settled(replace(notice("a"), id="other"), "sent")
    scene.delivery.obey([])
    await scene.stop()
    assert scene.results() == {"removed": 1}


async def test_what_is_new_at_the_stop_is_still_told(tmp_path: Path) -> None:
    """To who takes it at once. Who is dead is not waited for."""
    scene = await Scene(tmp_path, receiver(), receiver("dead")).start()
    scene.far.otherwise["dead"] = BUSY
    scene.delivery.send(notice("a", receiver="dead"))
    await scene.until(lambda: scene.states()["dead"] == "failing")
    scene.delivery.send(notice("b"))
    scene.delivery.send(over("c"))
    await scene.stop()
    assert scene.far.ids() == ["b", "c"]


async def test_a_receiver_that_hangs_holds_up_no_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For long. It is told by the next process."""
    monkeypatch.setattr(module, "_LAST", 0.05)
    scene = await Scene(tmp_path, receiver()).start()

    async def hangs(*_: Any, **__: Any) -> Answer:
        await asyncio.Event().wait()
        return OK

    scene.delivery._at_work["ops"].courier._post = hangs
    scene.delivery.send(notice("a"))
    await scene.stop()
    again = await Scene(tmp_path, receiver()).start()
    await again.until(lambda: again.far.ids() == ["a"])
    await again.stop()


async def test_an_error_of_ours_silences_nobody(tmp_path: Path) -> None:
    """It is told, and after a minute it goes on."""
    scene = await Scene(tmp_path, receiver()).start()
    courier = scene.delivery._at_work["ops"].courier

    async def broken(*_: Any, **__: Any) -> Answer:
        courier._post = scene.far
        raise RuntimeError("a bug")

    courier._post = broken
    scene.delivery.send(notice("a"))
    await scene.until(lambda: len(scene.bugs) == 1)
    scene.bugs.clear()
    await scene.advance(60.0)
    await scene.until(lambda: scene.far.ids() == ["a"])
    await scene.stop()


async def test_only_so_many_ids_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the last."""
    monkeypatch.setattr(module, "REMEMBERED", 3)
    scene = await Scene(tmp_path, receiver()).start()
    for number in range(5):
        scene.delivery.send(notice(str(number), told(str(number))))
    await scene.until(lambda: scene.results().get("sent") == 5)
    assert list(scene.delivery._done) == ["2", "3", "4"]
    await scene.stop()
