"""News."""

from proxy.news import CircuitChange, News


def test_every_listener_hears_of_a_change() -> None:
    """Whoever listens is told, in the order in which they came."""
    heard: list[tuple[str, CircuitChange]] = []
    news = News()
    news.listeners.append(lambda change: heard.append(("first", change)))
    news.listeners.append(lambda change: heard.append(("second", change)))
    change = CircuitChange("gateway", "search", "closed", "open", "rate", 5.0)
    news.tell(change)
    assert heard == [("first", change), ("second", change)]
    assert not news.idle
