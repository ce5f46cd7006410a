"""What every stage stands on."""

from proxy.keep import Keep
from proxy.keys import PulseKey
from proxy.stage import Ground, NothingTaken, Section
from tests.fakes import FakeClock, Obedient, make_attempt, make_ground, make_reply

X = PulseKey("x")


def test_a_shadow_keeps_its_own() -> None:
    """What it counts is apart from what is enforced, in the same keep."""
    ground = make_ground()
    shadow = Ground(ground.clock, ground.keep, shadow=True)
    enforced, counted = ground.kept(X, Obedient), shadow.kept(X, Obedient)
    assert enforced is not counted
    assert ground.kept(X, Obedient) is enforced
    assert shadow.kept(X, Obedient) is counted
    assert (ground.seen(X), shadow.seen(X)) == (enforced, counted)


def test_a_ground_speaks_for_its_table() -> None:
    """A shadow has its own entries, and they obey it."""
    old, new, shadow = (
        Ground(FakeClock(), keep, shadow=shaded, generation=number)
        for keep in [Keep()]
        for shaded, number in ((False, 1), (False, 2), (True, 1))
    )
    entry = new.followed(X, Obedient, "new")
    assert old.followed(X, Obedient, "old") is entry
    assert entry.rules == ["new"]
    assert shadow.followed(X, Obedient, "old").rules == ["old"]


def test_a_section_lacks_nothing_unless_it_says_so() -> None:
    """Defaults for everything are the rule."""
    assert Section().lack() == ""


def test_a_gate_that_takes_nothing_has_nothing_to_settle() -> None:
    """Being told changes nothing about the reply."""
    gate, reply = NothingTaken(), make_reply(200)
    gate.committed(make_attempt(), reply)
    gate.settle(make_attempt(), reply)
    assert reply == make_reply(200, body=reply.body)  # type: ignore[arg-type]  # the same fake body
