"""The book of alerts."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.news import AlertChange
from proxy.observe.alerts.book import AT_A_TIME, RECENT, Unknown
from proxy.observe.alerts.entries import Notified
from proxy.observe.alerts.machine import GRACE
from proxy.observe.alerts.rules import Every, Route, Rules, Timing
from tests.observe.alerts.scene import AT_ONCE, Scene, said


@pytest.fixture
def scene() -> Scene:
    return Scene().begin()


def test_what_the_journal_is_told(scene: Scene) -> None:
    """One record for each change; those of SLOs have names of their own."""
    scene.tell(said("SloBurn", source="slo", severity="page", slo="a", told={"burn": "15"}))
    scene.wait(2)
    scene.tell(said("A", upstream="u", summary="it fails", lasts=60.0))
    scene.wait(2)
    [burn] = [alert for alert in scene.alerts.firing() if alert.condition.name == "SloBurn"]
    scene.alerts.acknowledge(burn.id, "ann", "on it")
    scene.tell(said("SloBurn", source="slo", severity="page", slo="a", holds=False))
    scene.wait(12)
    assert scene.notes.types == [
        "slo.alert",
        "alert.notified",
        "alert.firing",
        "alert.notified",
        "alert.acknowledged",
        "alert.notified",
        "slo.resolved",
    ]
    fired, notified, other, _, seen, last, over = scene.notes.entries
    assert fired.id == seen.id == over.id == notified.firing[0] == last.resolved[0]
    assert (fired.told, fired.starts) == ({"burn": "15"}, over.starts)
    assert (other.summary, other.about, bool(other.until)) == ("it fails", {"upstream": "u"}, True)
    assert (seen.by, seen.reason, fired.until) == ("ann", "on it", "")


def test_what_people_are_told(scene: Scene) -> None:
    """News of it: for the log, and for who listens."""
    scene.tell(said("A", severity="info", upstream="u", summary="so so"))
    [alert] = scene.alerts.firing()
    scene.alerts.acknowledge(alert.id, "ann")
    scene.alerts.acknowledge(alert.id, "bob")  # who said so first is remembered
    scene.tell(said("A", severity="info", upstream="u", holds=False))
    scene.wait(11)
    told = [event for event in scene.events if isinstance(event, AlertChange)]
    assert [(each.state, each.by) for each in told] == [
        ("firing", ""),
        ("acknowledged", "ann"),
        ("resolved", ""),
    ]
    assert told[0] == AlertChange(alert.id, "firing", "A", "info", "so so", {"upstream": "u"})
    assert [shown.state for shown, _ in scene.alerts.listed()] == ["resolved"]


def test_only_what_fires_is_acknowledged(scene: Scene) -> None:
    """By the id of its episode."""
    scene.tell(said("A"))
    [alert] = scene.alerts.firing()
    with pytest.raises(Unknown):
        scene.alerts.acknowledge(alert.fingerprint, "ann")
    scene.tell(said("A", holds=False))
    scene.wait(11)
    with pytest.raises(Unknown):
        scene.alerts.acknowledge(alert.id, "ann")


async def test_is_it_durable(scene: Scene) -> None:
    """As the journal says."""
    assert await scene.alerts.durable()
    scene.notes.takes = False
    assert not await scene.alerts.durable()


def test_what_was_resolved_is_shown_for_a_while(scene: Scene) -> None:
    """The last of them."""
    for number in range(RECENT + 5):
        scene.tell(said(f"A{number}", source="slo"))
        scene.tell(said(f"A{number}", source="slo", holds=False))
    scene.wait(11)
    assert len(scene.alerts.recent) == RECENT
    assert scene.alerts.recent[-1].condition.name == f"A{RECENT + 4}"


@pytest.mark.parametrize("snapshot", [True, False])
def test_after_a_restart_nobody_is_told_again(scene: Scene, snapshot: bool) -> None:
    """Whether it is rebuilt of a snapshot or of records. What is over then is told with the id
    that it had."""
    scene.clock.advance(0.1237894)
    scene.tell(said("A", upstream="u", lasts=900.0, summary="s", told={"x": "y"}, group="g"))
    scene.wait(2)
    [before] = scene.alerts.firing()
    scene.alerts.acknowledge(before.id, "ann")
    after = scene.again(snapshot=snapshot, down=60.0)
    [now] = after.alerts.firing()
    assert (now.id, now.fingerprint) == (before.id, before.fingerprint)
    assert now.starts_at == before.starts_at
    assert (now.acknowledged_by, now.group, now.summary) == ("ann", "g", "s")
    assert now.annotations == {"x": "y"}
    after.wait(100)
    assert (after.sent, after.states) == ([], [])
    after.tell(said("A", upstream="u", holds=False))
    after.wait(11)
    assert after.heard() == [[("A", "resolved")]]
    assert after.sent[0].alerts[0].fingerprint == scene.sent[0].alerts[0].fingerprint
    assert after.alerts.recent[0].id == before.id


@pytest.mark.parametrize("snapshot", [True, False])
def test_what_was_over_while_the_process_was_down(scene: Scene, snapshot: bool) -> None:
    """Is told to be over once its source had time to say that it is not."""
    scene.tell(said("A"))
    scene.tell(said("B"))
    scene.wait(2)
    after = scene.again(snapshot=snapshot, down=3600.0)
    after.wait(5)
    after.tell(said("B"))
    after.wait(GRACE + 11 - 5 - 2)
    assert after.sent == []
    after.wait(2)
    assert after.heard() == [[("A", "resolved")]]
    assert after.firing() == ["B"]


def test_what_lasts_ends_in_its_time_over_a_restart(scene: Scene) -> None:
    """Or, where that has come, once its source had time."""
    scene.tell(said("A", lasts=1000.0))
    scene.tell(said("B", lasts=200.0))
    after = scene.again(down=190.0)
    after.wait(GRACE + 11)
    assert after.firing() == ["A"]
    after.wait(1000 - 190 - GRACE - 11)
    assert after.firing() == ["A"]  # over, and not yet resolved
    after.wait(12)
    assert after.firing() == []


def test_it_goes_on_repeating_over_a_restart(scene: Scene) -> None:
    """From when it was told last."""
    scene.obey(Rules(AT_ONCE.routes, AT_ONCE.receivers, AT_ONCE.timings, repeat=500.0))
    scene.tell(said("A"))
    scene.wait(2)
    after = scene.again(down=400.0)
    after.tell(said("A"))
    after.wait(60)
    assert after.sent == []
    after.wait(70)
    assert after.heard() == [[("A", "firing")]]


def test_a_notice_of_which_the_record_is_lost_has_the_same_id(scene: Scene) -> None:
    """So who is told twice can know it."""
    scene.tell(said("A"))
    scene.wait(1)
    [fired, notified] = scene.notes.lines
    assert notified["type"] == Notified.type
    scene.notes.lines = [fired]
    after = scene.again()
    after.wait(1)
    assert [notice.id for notice in after.sent] == [scene.sent[0].id]


def test_a_snapshot_before_the_start_has_all(scene: Scene) -> None:
    """A start that fails forgets nothing."""
    scene.tell(said("A"))
    scene.wait(1)
    halfway = scene.again(begin=False)
    after = halfway.again(snapshot=True)
    assert after.firing() == ["A"]
    halfway.wait(5)
    assert halfway.sent == []


def test_those_who_stand_and_no_others(scene: Scene) -> None:
    """Of names of which somebody looks how things stand."""
    scene.tell(said("A", upstream="u"))
    scene.tell(said("A", upstream="v"))
    scene.tell(said("B"))
    conditions = [said("A", upstream="v"), said("A", upstream="w"), said("C", holds=False)]
    scene.alerts.stands(frozenset({"A", "C"}), conditions)
    scene.wait(5)
    scene.alerts.stands(frozenset({"A", "C"}), conditions)  # it is over since then, and no later
    scene.wait(6)
    firing = [(alert.condition.name, alert.condition.about) for alert in scene.alerts.firing()]
    assert firing == [("A", {"upstream": "v"}), ("B", {}), ("A", {"upstream": "w"})]


def test_what_is_in_no_policy_is_over(scene: Scene) -> None:
    """Nobody would ever say so."""
    for upstream in ("u", "v"):
        scene.tell(said("UpstreamLost", source="upstream", upstream=upstream))
    scene.alerts.only("upstream", "upstream", frozenset({"v"}))
    scene.wait(11)
    assert [alert.condition.about["upstream"] for alert in scene.alerts.firing()] == ["v"]


def test_all_is_quiet(scene: Scene) -> None:
    """Nothing is made of a look where nothing is to be told."""
    scene.tell(said("A"))
    scene.wait(120)
    assert len(scene.notes.entries) == 2


class Hearer:
    """A receiver that checks what it is told."""

    def __init__(self) -> None:
        self.open: dict[str, float] = {}
        self.seen: set[str] = set()

    def take(self, notice: Any, *, repeats: bool) -> None:
        assert notice.id not in self.seen
        self.seen.add(notice.id)
        assert notice.alerts
        for told in notice.alerts:
            assert told.labels
            if told.status == "firing":
                assert self.open.setdefault(told.fingerprint, told.starts_at) == told.starts_at
            else:
                assert self.open.pop(told.fingerprint) == told.starts_at


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("tell"),
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from(["page", "ticket"]),
            st.booleans(),
            st.sampled_from([0.0, 40.0]),
        ),
        st.tuples(st.just("wait"), st.integers(1, 40)),
        st.tuples(st.just("again"), st.booleans(), st.integers(0, 300)),
        st.tuples(st.just("routes"), st.sampled_from([("ops",), ("boss",), ("ops", "boss"), ()])),
    ),
    max_size=40,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(steps)
def test_who_hears_the_beginning_hears_the_end(orders: list[tuple[Any, ...]]) -> None:
    """Whatever sources say, however often the process ends and whoever is to be told: a receiver is
    told of each episode that it fires before that it is over, never twice that it is over, with the
    same beginning; and when all is over it knows of nothing that fires."""
    scene = Scene().begin()
    hearers = {"ops": Hearer(), "boss": Hearer()}

    def listen() -> None:
        for notice in scene.sent:
            hearers[notice.receiver].take(notice, repeats=False)
        scene.sent.clear()

    for kind, *order in orders:
        if kind == "tell":
            which, severity, holds, lasts = order
            scene.tell(
                said(
                    which,
                    severity=severity,
                    holds=holds,
                    lasts=lasts,
                    group="g" if which < "c" else "",
                    upstream=which,
                )
            )
        elif kind == "wait":
            scene.wait(order[0])
        elif kind == "again":
            listen()
            scene = scene.again(snapshot=order[0], down=float(order[1]))
        else:
            routes = (Route(Every(), order[0]),) if order[0] else ()
            scene.obey(Rules(routes, AT_ONCE.receivers, AT_ONCE.timings))
        listen()
    for which in "abc":
        for severity in ("page", "ticket"):
            scene.tell(said(which, severity=severity, holds=False, upstream=which))  # type: ignore[arg-type]
    scene.wait(GRACE + 30)
    listen()
    assert scene.firing() == []
    assert [hearer.open for hearer in hearers.values()] == [{}, {}]


def test_a_crash_before_it_is_told_that_it_is_over(scene: Scene) -> None:
    """Then it still fires for the journal, and who heard of it hears the end of it."""
    scene.obey(Rules(AT_ONCE.routes, AT_ONCE.receivers, (Timing(Every(), 0.0, 0.0),)))
    scene.tell(said("A"))
    scene.wait(1)
    scene.tell(said("A", holds=False))
    for snapshot in (True, False):
        after = scene.again(snapshot=snapshot)
        after.wait(GRACE + 1)
        assert after.heard() == [[("A", "resolved")]]


def test_a_storm_is_told_of_a_few_at_a_time(scene: Scene) -> None:
    """So that no call waits for it; pages come first, and nothing is lost."""
    for number in range(3 * AT_A_TIME):
        scene.tell(said("A", source="slo", slo=str(number)))
    scene.tell(said("Page", source="slo", severity="page"))
    for number in range(2 * AT_A_TIME):
        scene.tell(said("A", source="slo", slo=str(number), holds=False))
    scene.wait(1)
    assert len(scene.sent) == AT_A_TIME
    assert scene.heard()[0] == [("Page", "firing")]
    scene.wait(30)
    resolved = [told for told in scene.heard() if told[0][1] == "resolved"]
    assert len(resolved) == 2 * AT_A_TIME
    assert len(scene.firing()) == AT_A_TIME + 1
    assert scene.notes.types.count("slo.resolved") == 2 * AT_A_TIME


def test_nothing_is_told_before_the_start() -> None:
    """Sources may be earlier."""
    before = Scene()
    before.tell(said("A"))
    before.wait(3)
    assert (before.sent, before.states) == ([], [])
