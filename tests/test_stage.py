"""The keep, and what every stage stands on."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.stage import Ground, Keep, NothingTaken
from tests.fakes import make_attempt, make_ground, make_reply


class Entry:
    """Something kept."""

    def __init__(self, idle: bool = True) -> None:
        self.idle = idle


def test_an_entry_is_made_once() -> None:
    """Whoever looks it up again gets the same."""
    keep = Keep()
    entry = keep.of(("a",), Entry)
    assert keep.of(("a",), Entry) is entry
    assert keep.of(("b",), Entry) is not entry
    assert dict(keep.items()).keys() == {("a",), ("b",)}


def test_the_one_looked_up_longest_ago_makes_room() -> None:
    """A look keeps an entry young."""
    keep = Keep(limit=2)
    for key in "abac":
        keep.of(key, Entry)
    assert [key for key, _ in keep.items()] == ["a", "c"]


def test_who_is_not_idle_stays() -> None:
    """An open circuit is not pushed out by names that an agent makes up."""
    keep = Keep(limit=2)
    keep.of("open", lambda: Entry(idle=False))
    for key in "abcdef":
        keep.of(key, Entry)
    assert [key for key, _ in keep.items()] == ["open", "f"]


def test_what_does_not_say_whether_it_is_idle_may_go() -> None:
    """Anything can be kept."""
    keep = Keep(limit=1)
    keep.of("a", lambda: [1])
    keep.of("b", lambda: [2])
    assert keep.items() == [("b", [2])]


def test_where_there_is_no_room_the_entry_works_and_is_not_kept() -> None:
    """The memory is bounded and nobody fails."""
    keep = Keep(limit=1)
    keep.of("busy", lambda: Entry(idle=False))
    stranger = keep.of("stranger", Entry)
    assert isinstance(stranger, Entry)
    assert [key for key, _ in keep.items()] == ["busy"]


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=60), st.integers(1, 5))
def test_it_never_grows_over_its_limit(looks: list[tuple[int, bool]], limit: int) -> None:
    """Whatever is looked up; and what is not idle, once kept, is never lost."""
    keep = Keep(limit)
    busy: dict[int, Entry] = {}
    for key, idle in looks:
        entry = keep.of(key, lambda idle=idle: Entry(idle))  # type: ignore[misc]  # a default binds it
        kept = dict(keep.items())
        if not entry.idle and key in kept:
            busy[key] = entry
        assert len(kept) <= limit
        assert all(kept[name] is one for name, one in busy.items())


def test_a_shadow_keeps_its_own() -> None:
    """What it counts is apart from what is enforced, in the same keep."""
    ground = make_ground()
    shadow = Ground(ground.clock, ground.keep, shadow=True)
    enforced, counted = ground.kept(("x",), Entry), shadow.kept(("x",), Entry)
    assert enforced is not counted
    assert ground.kept(("x",), Entry) is enforced
    assert shadow.kept(("x",), Entry) is counted


def test_a_gate_that_takes_nothing_has_nothing_to_settle() -> None:
    """Being told changes nothing about the reply."""
    gate, reply = NothingTaken(), make_reply(200)
    gate.committed(make_attempt(), reply)
    gate.settle(make_attempt(), reply)
    assert reply == make_reply(200, body=reply.body)  # type: ignore[arg-type]  # the same fake body
