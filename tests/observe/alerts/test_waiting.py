"""proxy/observe/alerts/waiting.py: in order, bounded, and what people want to be told."""

from collections import defaultdict

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.alerts.notice import Notice, Told
from proxy.observe.alerts.waiting import Waiting
from tests.observe.alerts.notices import START, notice, over, told


class Scene:
    """A queue, and what was dropped of it."""

    def __init__(self, most: int = 1000, most_bytes: int = 1 << 20) -> None:
        self.most = most
        self.dropped: list[tuple[str, str]] = []
        self.waiting = Waiting(
            lambda one, why: self.dropped.append((one.id, why)), most, most_bytes
        )

    def add(self, *notices: Notice, last_only: bool = False) -> None:
        for one in notices:
            self.waiting.add(one, last_only=last_only)

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.waiting]


def test_notices_wait_in_their_order() -> None:
    """Apart for each receiver; what flies is the oldest."""
    scene = Scene()
    scene.add(notice("a"), over("b"), notice("c", told("f3"), receiver="boss"))
    assert (scene.waiting.of("ops"), scene.waiting.of("boss"), scene.waiting.of("x")) == (2, 1, 0)
    assert (len(scene.waiting), "a" in scene.waiting, "x" in scene.waiting) == (3, True, False)
    assert scene.waiting.receivers == ["ops", "boss"]
    for expected in ("a", "b"):
        flying = scene.waiting.fly("ops")
        assert flying is not None
        assert flying.id == expected
        scene.waiting.done(flying)
        scene.waiting.land("ops")
        scene.waiting.done(flying)
    assert scene.waiting.fly("ops") is None
    assert scene.ids == ["c"]
    scene.waiting.drop("boss", "removed")
    scene.waiting.drop("boss", "removed")
    assert scene.dropped == [("c", "removed")]
    assert scene.waiting.bytes == 0


def test_programs_are_told_all_that_happened() -> None:
    """That it fired, and that it was over, though it was over before it was told."""
    scene = Scene()
    scene.add(notice("a"), over("b"), notice("c", told(starts_at=START + 99)))
    assert (scene.ids, scene.dropped) == (["a", "b", "c"], [])


def test_what_is_said_again_is_said_once() -> None:
    """A repeat makes the one before it needless. The one that flies stays: it may be taken."""
    scene = Scene()
    scene.add(notice("a"))
    scene.waiting.fly("ops")
    scene.add(notice("b"), notice("c"), notice("d", group="else"))
    assert scene.ids == ["a", "c", "d"]
    assert scene.dropped == [("b", "superseded")]


def test_people_are_told_how_it_is_now() -> None:
    """A page that was not delivered and is over by now wakes nobody; the rest of it is told."""
    scene = Scene()
    scene.add(notice("a"), over("b"), last_only=True)
    assert (scene.ids, scene.dropped) == (["b"], [("a", "superseded")])
    scene.add(notice("c", told("f2"), told("f3")), over("d", "f3"), last_only=True)
    assert scene.ids == ["b", "c", "d"]
    assert [one.alerts for one in scene.waiting][1] == (told("f2"),)


def test_where_there_is_no_room_history_goes_first() -> None:
    """What a later one tells again; then the oldest that is over; then the oldest."""
    scene = Scene(most=4)
    scene.add(notice("a"), over("b"), notice("c", told("f2")), notice("d", told("f3")))
    scene.add(notice("e", told("f4")))
    assert scene.dropped == [("a", "dropped")]
    scene.add(notice("f", told("f5")))
    assert scene.dropped[1:] == [("b", "dropped")]
    scene.add(notice("g", told("f6")))
    assert scene.dropped[2:] == [("c", "dropped")]


def test_a_dead_receiver_takes_no_room_from_others() -> None:
    """What is dropped is its own. What flies is not touched."""
    scene = Scene(most=4)
    scene.add(notice("x", receiver="boss"))
    scene.add(notice("a"), notice("b", told("f2")), notice("c", told("f3")))
    scene.waiting.fly("ops")
    scene.add(notice("d", told("f4")))
    assert scene.dropped == [("b", "dropped")]
    scene.add(notice("y", told("f2"), receiver="boss"))
    assert scene.dropped[1:] == [("c", "dropped")]
    assert scene.ids == ["x", "y", "a", "d"]


def test_what_flies_is_kept_though_there_is_no_room() -> None:
    """For as long as it flies."""
    scene = Scene(most=1)
    scene.add(notice("a"))
    scene.waiting.fly("ops")
    scene.add(notice("b", told("f2")))
    assert (scene.ids, scene.dropped) == (["a"], [("b", "dropped")])
    none = Scene(most=0)
    none.add(notice("a"))
    assert none.ids == []
    tight = Scene(most=1)
    tight.add(notice("a"), notice("b", told("f2"), receiver="boss"))
    assert tight.ids == ["b"]
    tight.waiting.fly("boss")
    tight.waiting._most = 0
    tight.add(notice("c"))
    assert tight.ids == ["b"]


def test_those_that_do_not_fly() -> None:
    """May be given up."""
    scene = Scene()
    scene.add(notice("a"), over("b"))
    scene.waiting.fly("ops")
    assert [one.id for one in scene.waiting.those_of("ops")] == ["b"]
    assert scene.waiting.those_of("x") == []


ALERTS = st.builds(
    lambda name, ends: told(name, START + 60 if ends else 0.0),
    st.sampled_from("ABC"),
    st.booleans(),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["ops", "boss"]), st.sampled_from("xy"),
              st.lists(ALERTS, min_size=1, max_size=3, unique_by=lambda one: one.fingerprint),
              st.sampled_from(["add", "fly", "taken", "land"])),
    max_size=40,
)  # fmt: skip


def play(scene: Scene, steps: list[tuple[str, str, list[Told], str]], last_only: bool) -> (
        dict[str, list[Notice]]):  # fmt: skip
    """All steps; what each receiver took. The bounds hold, and the bytes are of what waits."""
    flying: dict[str, Notice] = {}
    taken: dict[str, list[Notice]] = defaultdict(list)
    for number, (receiver, group, alerts, step) in enumerate(steps):
        if step == "add":
            one = notice(f"{number:03}", *alerts, receiver=receiver, group=group)
            scene.add(one, last_only=last_only)
        elif step == "fly":
            if (begun := scene.waiting.fly(receiver)) is not None:
                flying[receiver] = begun
        elif (ended := flying.pop(receiver, None)) is not None:
            if step == "taken":
                taken[receiver].append(ended)
                scene.waiting.done(ended)
            scene.waiting.land(receiver)
        assert len(scene.waiting) <= max(scene.most, len(flying))
        assert scene.waiting.bytes == sum(len(msgspec.json.encode(one)) for one in scene.waiting)
    return taken


@given(STEPS, st.booleans(), st.sampled_from([2, 1000]))
def test_whatever_comes_the_last_word_on_each_alert_is_told(
    steps: list[tuple[str, str, list[Told], str]], last_only: bool, most: int
) -> None:
    """Taken, or still waiting, unless there was no room; and never after a later one on it."""
    scene = Scene(most)
    taken = play(scene, steps, last_only)
    lost = any(why == "dropped" for _, why in scene.dropped)
    for receiver in ("ops", "boss"):
        told_of = [*taken[receiver], *(one for one in scene.waiting if one.receiver == receiver)]
        assert [one.id for one in told_of] == sorted(one.id for one in told_of)
        heard = {
            (one.group, alert.fingerprint): alert.status for one in told_of for alert in one.alerts
        }
        last = {
            (group, alert.fingerprint): alert.status
            for who, group, alerts, step in steps
            if step == "add" and who == receiver
            for alert in alerts
        }
        assert lost or heard == last
