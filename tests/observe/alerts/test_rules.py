"""What policies say of alerts."""

from collections.abc import Mapping

from proxy.observe.alerts.rules import AS_USUAL, Every, Ladder, Route, Rules, Step, Timing


class Severe:
    """Pages."""

    def holds(self, labels: Mapping[str, str], /) -> bool:
        return labels["severity"] == "page"


PAGE, TICKET = {"severity": "page"}, {"severity": "ticket"}


def test_each_route_counts_and_the_first_of_the_others() -> None:
    """Who is told, how long it must hold, and which ladder it climbs."""
    late = Timing(Severe(), 5.0, 6.0)
    ladder = Ladder("l", Severe(), (Step(0.0, kill=("all",)),))
    rules = Rules(
        routes=(Route(Every(), ("a", "gone")), Route(Severe(), ("b", "a"))),
        receivers=frozenset({"a", "b"}),
        timings=(late, Timing(Every(), 1.0, 2.0)),
        ladders=(ladder, Ladder("m", Every(), ())),
    )
    assert (rules.to(PAGE), rules.to(TICKET)) == ({"a", "b"}, {"a"})
    assert (rules.timing(PAGE), rules.timing(TICKET).holds_for) == (late, 1.0)
    other = rules.ladder(TICKET)
    assert rules.ladder(PAGE) is ladder
    assert other is not None
    assert other.name == "m"


def test_without_any() -> None:
    """Nobody is told, and nothing is climbed."""
    rules = Rules()
    assert (rules.to(PAGE), rules.ladder(PAGE), rules.timing(PAGE)) == (set(), None, AS_USUAL)
