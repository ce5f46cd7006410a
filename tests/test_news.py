"""News."""

from proxy.news import (
    MOST,
    CircuitChange,
    DeliveryChange,
    Escalation,
    Event,
    JournalChange,
    News,
    Overlap,
    TrafficChange,
)


def test_every_listener_hears_of_a_change() -> None:
    """Whoever listens is told, in the order in which they came."""
    heard: list[tuple[str, Event]] = []
    news = News()
    news.listeners.append(lambda change: heard.append(("first", change)))
    news.listeners.append(lambda change: heard.append(("second", change)))
    change = CircuitChange("gateway", "search", "closed", "open", "rate", 5.0)
    asked = Escalation("gateway", "deposit", "ann", 403)
    news.tell(change)
    news.tell(asked)
    assert heard == [("first", change), ("second", change), ("first", asked), ("second", asked)]
    assert not news.idle


def test_what_is_grave() -> None:
    """A circuit that opens, an upstream that lost all of its calls, a journal that cannot go on."""
    opens = CircuitChange("gateway", "", "closed", "open", "rate", 5.0)
    away, back = (TrafficChange("gateway", ("spare",), n, "well") for n in (0, 5))
    assert [change.grave for change in (opens, away, back)] == [True, True, False]
    assert (opens.word, away.word) == ("circuit", "traffic")
    assert [JournalChange(state, "").grave for state in ("full", "ok")] == [True, False]
    assert [DeliveryChange(state).grave for state in ("failing", "ok")] == [True, False]


def test_what_is_told_once_is_told_once() -> None:
    """Not again for each pipeline that is compiled; and what is remembered of it is bounded."""
    news = News()
    heard: list[Event] = []
    news.listeners.append(heard.append)
    for _ in range(3):
        news.tell_once(Overlap("a"))
    news.tell_once(Overlap("b"))
    assert heard == [Overlap("a"), Overlap("b")]
    for number in range(MOST):
        news.tell_once(Overlap(str(number)))
    assert len(news.once) <= MOST
