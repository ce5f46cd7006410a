"""proxy/watcher.py: who hears of calls."""

import io
import json
from typing import Any

from proxy.counts import Counts
from proxy.journal.taking import Parcel
from proxy.observe.logs import Log
from proxy.record import Record
from proxy.recorders import Recorders
from proxy.watcher import Watcher
from tests.fakes import FakeClock
from tests.observe.records import record


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
        self.other = Heard()
        self.recorders = Recorders(self.clock)
        self.recorders.add(self.other)
        self.bad_requests = Counts(("reason",))
        self.lines = io.StringIO()
        self.log = Log(self.clock, form="json", stream=self.lines)
        self.trail = Heard()
        trail: Any = self.trail
        self.watcher = Watcher(trail, self.log, self.recorders, self.bad_requests)


def test_a_record_goes_to_all() -> None:
    """To the trail at once, and to all who count."""
    scene = Scene()
    scene.watcher.note(record())
    assert len(scene.trail.noted) == 1
    scene.recorders.catch_up()
    assert scene.other.noted == scene.trail.noted


def test_a_record_with_bodies_is_noted_when_these_are_kept() -> None:
    """By the side store; the others do not wait for that."""
    scene = Scene()
    parcel: Any = type("Parcel", (), {"record": record()})()
    scene.watcher.keep(parcel)
    scene.recorders.catch_up()
    assert (scene.trail.noted, scene.trail.kept) == ([], [parcel])
    assert scene.other.noted == [parcel.record]


def test_what_is_no_call_is_counted_and_logged() -> None:
    """By reasons of ours."""
    scene = Scene()
    scene.watcher.bad_request("bare_lf")
    assert scene.bad_requests.rows == {("bare_lf",): 1}
    assert json.loads(scene.lines.getvalue())["reason"] == "bare_lf"


def test_a_bug_is_logged_with_its_call() -> None:
    """So that its record can be found; never with its words, which may quote a payload."""
    scene = Scene()
    scene.watcher.bug(ValueError("secret"), "c-7")
    told = json.loads(scene.lines.getvalue())
    assert (told["event"], told["error"], told["call"]) == ("bug", "ValueError", "c-7")
    assert "secret" not in scene.lines.getvalue()
    scene.log.close()
