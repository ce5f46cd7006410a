"""News."""

from proxy.news import CircuitChange, Escalation, Event, News


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
