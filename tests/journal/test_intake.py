"""proxy/journal/intake.py"""

import threading
from typing import Any

import pytest

from proxy.journal import intake as module
from proxy.journal.intake import Intake
from proxy.journal.kept import Content
from proxy.journal.payloads import Commitments
from proxy.journal.redaction import rules_of
from proxy.journal.sealing import Who
from proxy.journal.taking import Parcel, Space, Taken, Wish
from tests.observe.records import record

FULL = Wish("full", rules_of(()), 100)
REDACTED = Wish("redacted", rules_of(()), 100)


class Scene:
    """An intake, and what came out of it."""

    def __init__(self, **changes):
        self.space = Space(1000)
        self.notes: list[Any] = []
        self.kept: list[tuple[str, Content]] = []
        self.bugs: list[BaseException] = []
        self.now = 0.0
        self.held = threading.Event()
        self.held.set()
        self.at_work = threading.Event()
        self.says = Commitments("c1", "c2")
        self.intake = Intake(
            self, self.space, self.notes.append, lambda: self.now, self.bugs.append, **changes
        )
        self.intake.start()

    def keep(self, record, who, content, sent, answered):
        self.at_work.set()
        assert self.held.wait(10)
        if content.request.content == b"bug":
            raise ZeroDivisionError
        self.kept.append((record, content))
        return self.says

    def put(self, name, request=b"asked", response=b"told", wish=FULL, at=0.0):
        asked, told = (body if body is None else taken(body) for body in (request, response))
        parcel = Parcel(record(id=name), Who("t"), wish, asked, told, at)
        self.space.take(parcel.held)
        self.intake.put(parcel)

    def stopped(self):
        self.held.set()
        self.intake.stop()
        assert self.space.free == 1000
        return {each.id: each for each in self.notes}


def taken(content):
    return Taken((content,) if content else (), len(content), True)


@pytest.fixture
def scene():
    made = Scene()
    yield made
    made.held.set()
    made.intake.stop()


def test_a_record_is_noted_with_its_commitments(scene):
    """When its bodies went to the store."""
    scene.put("a")
    assert scene.intake.drained().wait(10)
    (noted,) = scene.notes
    assert (noted.request.commitment, noted.response.commitment) == ("c1", "c2")
    ((name, content),) = scene.kept
    assert (name, content.mode, content.request.content) == ("a", "full", b"asked")
    assert (scene.intake.kept, scene.space.free) == (1, 1000)


def test_what_has_no_bodies_needs_no_store(scene):
    """Its record is noted all the same."""
    scene.put("a", None, None)
    scene.put("b", b"", None)
    noted = scene.stopped()
    assert (noted["a"].request, noted["b"].request.bytes) == (None, 0)
    assert (scene.kept, scene.intake.kept, scene.space.lost) == ([], 0, {})


def test_what_waited_too_long_is_noted_without_its_payload(scene):
    """So that a body that is hard to look through holds nobody up for long."""
    scene.held.clear()
    scene.put("slow")
    scene.at_work.wait(10)
    scene.put("late")
    scene.now = module.PATIENCE + 0.1
    scene.put("in time", at=scene.now)
    noted = scene.stopped()
    assert [name for name, _ in scene.kept] == ["slow", "in time"]
    assert (noted["late"].request.bytes, noted["late"].request.commitment) == (5, "")
    assert scene.space.lost == {"late": 1}


def test_what_is_too_much_is_noted_at_once():
    """Nothing is held that nobody will look at soon."""
    scene = Scene(most=1)
    scene.held.clear()
    scene.put("a")
    scene.at_work.wait(10)
    scene.put("b")
    scene.put("c")
    assert [each.id for each in scene.notes] == ["c"]
    assert set(scene.stopped()) == {"a", "b", "c"}
    assert scene.space.lost == {"queue": 1}


def test_a_store_that_takes_nothing_is_counted(scene):
    """The record says what it can."""
    scene.says = Commitments("c1", "", kept=False)
    scene.put("a")
    assert scene.stopped()["a"].request.commitment == "c1"
    assert (scene.space.lost, scene.intake.kept) == ({"store": 1}, 0)


def test_a_bug_costs_a_payload_and_no_record(scene):
    """And the thread goes on."""
    scene.put("a", b"bug")
    scene.put("b")
    assert set(scene.stopped()) == {"a", "b"}
    assert [type(bug) for bug in scene.bugs] == [ZeroDivisionError]
    assert scene.space.lost == {"bug": 1}


def test_after_the_end_records_are_noted_at_once(scene):
    """Nobody waits for a thread that is gone."""
    scene.stopped()
    scene.put("a")
    assert scene.intake.drained().is_set()
    scene.intake.stop()
    assert [each.id for each in scene.notes] == ["a"]
    assert scene.space.lost == {"queue": 1}
