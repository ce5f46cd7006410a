"""What was made lately, by its key."""

from collections.abc import Hashable

from proxy.pipeline.recent import Recent


class Shop:
    """Makes what is asked for, and knows how often it had to."""

    def __init__(self, most: int) -> None:
        self.recent: Recent[str] = Recent(most)
        self.made: list[Hashable] = []

    def ask(self, key: str) -> str:
        """As a table asks: the lookup first."""
        found = self.recent.get(key)
        return self.recent.fetch(key, lambda: self._make(key)) if found is None else found

    def _make(self, key: str) -> str:
        self.made.append(key)
        return f"made of {key}"


def test_what_was_made_is_found() -> None:
    """By one lookup, that writes nothing."""
    shop = Shop(8)
    assert [shop.ask("a"), shop.ask("a")] == ["made of a"] * 2
    assert shop.made == ["a"]
    assert dict(shop.recent) == {"a": "made of a"}


def test_never_more_is_kept_than_may_be() -> None:
    """Whatever is asked for."""
    shop = Shop(4)
    for number in range(40):
        shop.ask(str(number))
        assert shop.recent.kept <= 4
    assert len(shop.made) == 40


def test_what_is_asked_for_is_not_pushed_out() -> None:
    """What is not, is, when half as many others as may be kept have come twice."""
    shop = Shop(4)
    shop.ask("cold")
    for number in range(20):
        shop.ask("hot")
        shop.ask(str(number))
    assert shop.made.count("hot") == 1
    shop.ask("cold")
    assert shop.made.count("cold") == 2


def test_what_could_not_be_made_is_not_kept() -> None:
    """The next one who asks tries again."""
    shop = Shop(4)

    def breaks() -> str:
        raise LookupError

    for _ in range(2):
        try:
            shop.recent.fetch("a", breaks)
        except LookupError:
            assert shop.recent.kept == 0
    assert shop.ask("a") == "made of a"
