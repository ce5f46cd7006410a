"""The burn table: what is told of which errors, with a clock of its own; and what is said of it."""

import pytest

from proxy.observe.slo.burning import LASTS, Standing, _in, burn_rate, look
from proxy.observe.slo.objective import Burn
from proxy.observe.slo.ring import Ring, Sums
from tests.observe.slo.objectives import DAY, MONTH, Watched, objective

HOUR = 3600.0


@pytest.fixture
def usual() -> Watched:
    """99 % of calls, after a quiet day of one call a second."""
    made = Watched(objective()).begin()
    made.passes(DAY, good=10)
    assert (made.state, made.holding) == ("ok", {})
    return made


def test_twenty_percent_bad_is_a_page(usual: Watched) -> None:
    """In both windows: not before the hour says so as well, and no sooner."""
    usual.passes(0.144 * HOUR / 0.2, good=8, bad=2)
    assert "page" not in usual.holding
    usual.passes(60, good=8, bad=2)
    assert usual.holding["page"].told["rule"] == "14.4 over 1h and 5m"
    assert usual.state == "burning"


def test_a_bad_minute_is_none(usual: Watched) -> None:
    """It burns in the short window, and the hour says that it does not matter."""
    usual.passes(60, good=8, bad=2)
    usual.passes(HOUR, good=10)
    assert usual.episodes == []
    assert usual.state == "ok"


def test_a_bad_minute_of_a_new_objective_is_over_in_five() -> None:
    """Its windows have nothing else yet; when the short one has recovered the page is over."""
    made = Watched(objective()).begin()
    made.passes(60, good=8, bad=2)
    assert made.holding.keys() == {"page", "ticket"}
    began = made.clock.time
    made.passes(10 * 60, good=10)
    ended = next(at for at, severity, holds in made.episodes if severity == "page" and not holds)
    # Its five minutes, and a slot of the window.
    assert ended - began <= 300 + 15 + 10


def test_four_percent_bad_for_a_day_is_a_ticket(usual: Watched) -> None:
    """Nobody is called at night for it."""
    usual.passes(DAY, good=96, bad=4, step=100)
    assert usual.holding.keys() == {"ticket"}
    assert {severity for _, severity, holds in usual.episodes if holds} == {"ticket"}


@pytest.mark.parametrize(("good", "bad"), [(2, 1), (0, 1), (9, 0), (9, 1), (0, 0)])
def test_few_events_say_nothing(good: int, bad: int) -> None:
    """One failure of three, of ten; or no traffic at all: neither met nor burning."""
    made = Watched(objective()).begin()
    made.ends(good, bad)
    made.passes(60)
    assert made.state == "insufficient_data"
    assert made.episodes == []
    assert not made.slos.exhausted


def test_a_restart_in_the_middle_changes_nothing(usual: Watched) -> None:
    """It fires at the same moment, and is over at the same; a process that was there all along
    says the same."""
    usual.passes(1200, good=8, bad=2)
    made = usual.again().begin()
    for each in (usual, made):
        assert each.slos.entries["works"].over(HOUR).bad == 240
    assert made.holding.keys() == {*usual.holding}
    usual.slos.tell = lambda condition: None
    made.passes(1500, good=8, bad=2)
    assert made.holding.keys() == {"page"}
    again = made.again().begin()
    assert again.holding.keys() == {"page"}
    again.passes(400, good=10)
    assert "page" not in again.holding


@pytest.mark.parametrize(
    ("share", "seconds"), [(0.999, 51.84), (0.99, 518.4), (0.95, 1296.0), (0.9, 1620.0)]
)
def test_a_total_outage_is_told_when_the_arithmetic_says(share: float, seconds: float) -> None:
    """`factor * budget * long`: of the set that fits the objective. The rule for outages is
    quicker wherever that takes longer than half of five minutes."""
    asked = objective(share)
    made = Watched(asked).begin()
    made.passes(4 * HOUR, good=10)
    began, fired, out = made.clock.time, 0.0, 0.0
    while not fired:
        made.passes(5, bad=5, step=5)
        assert made.entry.standing is not None
        burns = made.entry.standing.burns
        paged = [burn for burn in burns if burn.severity == "page"]
        out = out or (made.clock.time if any(burn.outage for burn in paged) else 0.0)
        fired = made.clock.time if any(not burn.outage for burn in paged) else 0.0
    assert fired - began == pytest.approx(seconds, abs=25)
    assert "page" in made.holding
    if seconds > 200:
        assert out - began == pytest.approx(150, abs=25)


def test_an_exhausted_budget_comes_back_as_events_leave(usual: Watched) -> None:
    """What is left of it may be negative."""
    usual.passes(HOUR, good=0, bad=10)
    assert (usual.state, usual.slos.exhausted) == ("exhausted", frozenset({"works"}))
    assert usual.entry.standing is not None
    assert usual.entry.standing.remaining == pytest.approx(1 - 3600 / 90_000 / 0.01, abs=0.05)
    assert usual.entry.standing.exhausts_in == 0
    usual.passes(MONTH + HOUR, good=500, step=500)
    assert (usual.state, usual.slos.exhausted) == ("ok", frozenset())


def test_what_is_told_has_its_figures(usual: Watched) -> None:
    """How fast in which window, of how many, and when it is used up."""
    usual.passes(HOUR, good=8, bad=2)
    condition = usual.holding["page"]
    assert condition.about == {"slo": "works", "severity": "page"}
    assert (condition.source, condition.name, condition.group) == ("slo", "SloBurn", "slo:works")
    assert condition.lasts == LASTS
    assert condition.summary.startswith("works: 71")
    assert condition.summary.endswith(" times what its budget allows")
    told = condition.told
    assert (told["long_window"], told["short_window"]) == ("1h", "5m")
    assert float(told["long_burn"]) == pytest.approx(20, abs=0.6)
    assert float(told["short_burn"]) == pytest.approx(20, abs=0.5)
    assert int(told["short_events"]) == pytest.approx(300, abs=20)
    assert told["objective"] == "0.99"
    assert told["exhausts_in"] == "16m"


def test_it_is_over_when_its_objective_is_gone(usual: Watched) -> None:
    """What fires for it is told to be over, once."""
    usual.passes(HOUR, good=8, bad=2)
    assert usual.holding
    usual.slos.obey(())
    assert not usual.holding
    before = len(usual.told)
    usual.slos.tick()
    assert len(usual.told) == before


def test_what_does_not_hold_is_told_at_the_first_look_only() -> None:
    """It may have fired before the process began; and then nothing is said."""
    made = Watched(objective()).begin()
    assert [(each.severity, each.holds) for each in made.told] == [
        ("page", False),
        ("ticket", False),
    ]
    made.passes(100, good=1)
    assert len(made.told) == 2


def test_while_a_window_fills_the_budget_grows_with_it() -> None:
    """Steady errors: it is said when it will be used up, and then it is."""
    made = Watched(objective(0.9, window=DAY, burns=(Burn(0.5, 600.0, 60.0, "page"),))).begin()
    made.passes(2 * HOUR, good=10)
    made.passes(600, good=8, bad=2)
    assert made.entry.standing is not None
    told = made.entry.standing.exhausts_in
    assert told == pytest.approx(6600, rel=0.05)
    made.passes(6480, good=8, bad=2)
    assert made.state == "burning"
    made.passes(180, good=8, bad=2)
    assert made.state == "exhausted"


def test_a_budget_that_burns_slowly_is_never_used_up(usual: Watched) -> None:
    """It is said so."""
    standing = usual.entry.standing
    assert standing is not None
    assert standing.exhausts_in is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "never"), (0.0, "now"), (20.0, "1m"), (3700.0, "1h 1m"), (86_400.0 * 3 + 60, "3d 1m")],
)
def test_times_are_told_as_people_write_them(seconds: float | None, text: str) -> None:
    """In two units at most."""
    assert _in(seconds) == text


def test_the_rule_for_outages_counts_from_half_on() -> None:
    """Exactly half is enough, whatever floats make of it; a burn needs more than its factor."""
    for share in (0.5, 0.9, 0.99, 0.995, 0.999):
        ring = Ring(MONTH, 0.0)
        ring.add(10, 10)
        found = look(objective(share), ring.over)
        assert any(burn.outage for burn in found.burns), share
        ring.add(1, 0)
        assert not any(burn.outage for burn in look(objective(share), ring.over).burns)
    exact = objective(0.99, burns=(Burn(10.0, 600.0, 60.0, "page"),))
    ring = Ring(MONTH, 0.0)
    ring.add(90, 10)
    assert look(exact, ring.over).burns == ()
    assert burn_rate(exact, Sums(90, 10, 600.0, 600.0)) == pytest.approx(10)


def test_standing_is_frozen() -> None:
    """Who shows it has one moment's truth."""
    ring = Ring(MONTH, 0.0)
    found = look(objective(), ring.over)
    assert isinstance(found, Standing)
    assert (found.state, found.burns, found.exhausts_in) == ("insufficient_data", (), None)
