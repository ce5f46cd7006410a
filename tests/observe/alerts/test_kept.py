"""What the journal knows of alerts."""

from typing import Any

import msgspec
import pytest

from proxy.observe.alerts.alert import NEVER
from proxy.observe.alerts.kept import Found, Times, restored
from tests.observe.alerts.scene import Scene, said


def lines() -> list[dict[str, Any]]:
    """Of one that fires, and was acknowledged."""
    scene = Scene().begin()
    scene.tell(said("A", upstream="u"))
    scene.wait(1)
    [alert] = scene.alerts.firing()
    scene.alerts.acknowledge(alert.id, "ann")
    return scene.notes.lines


def test_times_go_from_one_clock_to_the_other() -> None:
    """What never is is nothing."""
    times = Times(100.0, 1_700_000_000.0)
    assert times.wall(130.5) == 1_700_000_030_500
    assert times.mono(1_700_000_030_500) == pytest.approx(130.5)
    assert (times.wall(NEVER), times.mono(0)) == (0, NEVER)


def test_what_is_no_record_of_ours_is_left_out() -> None:
    """Whoever wrote it: another version, or nobody."""
    found = Found()
    fired, notified, acknowledged = lines()
    for line in (
        notified,  # of one that does not fire
        acknowledged,
        {},
        {"type": "call.finished"},
        {**fired, "severity": "loud"},
        {**fired, "starts": "soon"},
        {**fired, "about": 3},
        {"type": "alert.escalated", "id": "x", "ladder": "l", "step": 1, "after_ms": 0},
        {"type": "alert.resolved", "id": "x"},
    ):
        found.apply(line)
    assert found.alerts == {}
    found.apply(fired)
    found.apply({**notified, "ts": "then"})
    found.apply(notified)
    found.apply(acknowledged)
    [saved] = found.alerts.values()
    assert (saved.by, list(saved.heard)) == ("ann", ["ops"])


def test_what_is_no_snapshot_of_ours_is_left_out() -> None:
    """A start goes on without it."""
    found = Found()
    found.load(None)
    found.load([3, {"id": "x"}])
    assert found.alerts == {}
    fired, *_ = lines()
    found.apply(fired)
    other = Found()
    other.load(msgspec.json.decode(msgspec.json.encode(found.dump())))
    assert other.alerts == found.alerts


def test_steps_of_another_ladder_begin_anew() -> None:
    """As they did in the process that climbed it."""
    found = Found()
    fired, *_ = lines()
    found.apply(fired)
    told = {"type": "alert.escalated", "id": fired["id"]}
    found.apply({**told, "ladder": "a", "step": 3, "after_ms": 900_000})
    act = {"act": "tighten", "what": "p", "result": "done"}
    found.apply({**told, "ladder": "b", "step": 1, "after_ms": 1000, **act})
    found.apply({**told, "ladder": "b", "step": 1, "after_ms": 1000, **act})
    found.apply({**told, "ladder": "b", "step": 1, "after_ms": 1000, **act, "result": "cannot"})
    found.apply({**told, "ladder": "b", "step": 1, "after_ms": 1000, **act, "undone": True})
    [saved] = found.alerts.values()
    assert (saved.ladder, saved.steps, saved.climbed) == ("b", 1, 1000)
    assert saved.acts == ["tighten p"]
    alert = restored(saved, Times(0.0, 0.0))
    assert (alert.climbed, [act.what for act in alert.acts]) == (1.0, ["p"])
