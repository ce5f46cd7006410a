"""proxy/watcher.py: who hears of calls."""

import io
import json
from typing import Any

from proxy.journal.taking import Parcel
from proxy.keep import Keep
from proxy.observe.logs import Log
from proxy.observe.metrics import Metrics
from proxy.record import Record, Recorder
from proxy.watcher import Watcher
from tests.fakes import FakeClock
from tests.observe.records import Rules, record


class Heard:
    """A trail, its side store, and a recorder: each remembers what it was told."""

    def __init__(self) -> None:
        self.noted: list[Record] = []
        self.kept: list[Parcel] = []
        self.side_store = self

    def note(self, told: Record) -> None:
        self.noted.append(told)

    def keep(self, parcel: Parcel) -> None:
        self.kept.append(parcel)


class Scene:
    """A watcher and all it tells."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics(Keep(), Rules())
        self.other = Heard()
        self.others: list[Recorder] = []
        self.lines = io.StringIO()
        self.log = Log(self.clock, form="json", stream=self.lines)
        self.trail = Heard()
        trail: Any = self.trail
        self.watcher = Watcher(self.metrics, trail, self.log, self.others)

    @property
    def counted(self) -> int:
        return sum(sum(row.calls.values()) for row in self.metrics.rows())


def test_a_record_goes_to_all() -> None:
    """Metrics, the trail, and whoever else wants to know at that time."""
    scene = Scene()
    scene.watcher.note(record())
    scene.others.append(scene.other)
    scene.watcher.note(record())
    scene.others.clear()
    scene.watcher.note(record())
    assert (scene.counted, len(scene.trail.noted), len(scene.other.noted)) == (3, 3, 1)


def test_a_record_with_bodies_is_noted_when_these_are_kept() -> None:
    """By the side store; the others hear of it at once."""
    scene = Scene()
    scene.others.append(scene.other)
    parcel: Any = type("Parcel", (), {"record": record()})()
    scene.watcher.keep(parcel)
    assert (scene.counted, scene.trail.noted, scene.trail.kept) == (1, [], [parcel])
    assert scene.other.noted == [parcel.record]


def test_what_is_no_call_is_counted_and_logged() -> None:
    """By reasons of ours."""
    scene = Scene()
    scene.watcher.bad_request("bare_lf")
    assert scene.metrics.bad_requests.rows == {("bare_lf",): 1}
    assert json.loads(scene.lines.getvalue())["reason"] == "bare_lf"


def test_a_bug_is_logged_with_its_call() -> None:
    """So that its record can be found; never with its words, which may quote a payload."""
    scene = Scene()
    scene.watcher.bug(ValueError("secret"), "c-7")
    told = json.loads(scene.lines.getvalue())
    assert (told["event"], told["error"], told["call"]) == ("bug", "ValueError", "c-7")
    assert "secret" not in scene.lines.getvalue()
    scene.log.close()
