"""proxy/pipeline/glance.py."""

from proxy.counts import Counts
from proxy.keep import Keep
from proxy.pipeline.glance import Glance


class Entry:
    """Something kept that obeys a policy."""

    def __init__(self, rule: str = "its own") -> None:
        self.rule = rule

    def follow(self, rule: str) -> None:
        """Obey."""
        self.rule = rule


def test_what_is_in_force_is_seen_and_stays() -> None:
    """A stage that is built to be asked does not bring its own policy into force."""
    keep = Keep()
    live = keep.of("a", Entry)
    seen = Glance(keep).followed("a", Entry, "another", 9)

    assert seen is live
    assert live.rule == "its own"


def test_nothing_is_counted() -> None:
    """What a stage counts where it is asked is not what happened."""
    keep = Keep()
    live = keep.of("counts", lambda: Counts(("a",)))
    Glance(keep).of("counts", lambda: Counts(("a",))).add("x")

    assert live.rows == {}


def test_what_is_made_is_forgotten_with_it() -> None:
    """It is whole, shared by those who look it up here, and nobody else finds it."""
    keep = Keep()
    glance = Glance(keep)
    made = glance.followed("b", Entry, "another", 0)

    assert made.rule == "another"
    assert glance.of("b", Entry) is made
    assert (glance.seen("b"), keep.seen("b"), keep.items()) == (made, None, [])


def test_who_only_looks_sees_both() -> None:
    """What is in force first."""
    keep = Keep()
    live = keep.of("a", Entry)

    assert Glance(keep).seen("a") is live
    assert Glance(keep).of("a", Entry) is live
    assert Glance(keep).seen("c") is None
