"""The keep: what outlives a reload."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.keep import Keep
from proxy.keys import CountsKey, PulseKey, shadowed
from tests.fakes import Obedient

X = PulseKey("x")


class Anything:
    """Something kept."""


class Entry:
    """Something kept that says whether it may go."""

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


def test_who_only_looks_changes_nothing() -> None:
    """Nothing is made, and nothing stays young by it; what somebody holds is seen."""
    keep = Keep(limit=2)
    assert keep.seen("a") is None
    first = keep.of("a", Entry)
    keep.of("b", Entry)
    assert keep.seen("a") is first
    keep.of("c", Entry)
    assert [key for key, _ in keep.items()] == ["b", "c", "a"]
    assert keep.seen("a") is first
    del first
    assert keep.seen("a") is None


def test_what_does_not_say_whether_it_is_idle_may_go() -> None:
    """Anything can be kept."""
    keep = Keep(limit=1)
    keep.of("a", Anything)
    keep.of("b", Anything)
    assert [key for key, _ in keep.items()] == ["b"]


def test_where_there_is_no_room_the_entry_works_and_is_not_kept() -> None:
    """The memory is bounded and nobody fails."""
    keep = Keep(limit=1)
    keep.of("busy", lambda: Entry(idle=False))
    stranger = keep.of("stranger", Entry)
    assert isinstance(stranger, Entry)
    del stranger
    assert [key for key, _ in keep.items()] == ["busy"]


def test_what_somebody_holds_is_not_made_twice() -> None:
    """A pipeline's circuit made room while it was idle: who asks for it again finds that one."""
    keep = Keep(limit=1)
    circuit = keep.of("a", Entry)
    keep.of("b", Entry)
    assert [key for key, _ in keep.items()] == ["b", "a"]
    circuit.idle = False  # it opens, and all see it
    assert keep.of("a", Entry) is circuit
    keep.of("c", Entry)
    assert [key for key, _ in keep.items()] == ["a"]


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=60), st.integers(1, 5))
def test_it_never_grows_over_its_limit(looks: list[tuple[int, bool]], limit: int) -> None:
    """Whatever is looked up; and what is not idle, once kept, is never lost."""
    keep = Keep(limit)
    busy: dict[int, Entry] = {}
    for key, idle in looks:
        keep.of(key, lambda idle=idle: Entry(idle))  # type: ignore[misc]  # a default binds it
        kept = dict(keep.items())
        if key in kept and not kept[key].idle:
            busy[key] = kept[key]
        assert len(kept) <= limit
        assert all(kept[name] is one for name, one in busy.items())
        del kept  # what is held is found, kept or not


def test_the_newest_table_is_obeyed() -> None:
    """One of before that speaks late is not heard; of one table, the last that spoke counts."""
    keep = Keep()
    entry = keep.of("x", Obedient)
    for rules, generation in (("a", 1), ("b", 2), ("late", 1), ("c", 2), ("d", 4), ("late", 3)):
        assert keep.followed("x", Obedient, rules, generation) is entry
    assert entry.rules == ["a", "b", "c", "d"]


def test_an_entry_that_is_new_knows_of_no_table() -> None:
    """Another one stood there before, and is forgotten."""
    keep = Keep(limit=1)
    keep.followed("x", Obedient, "new", 2)
    keep.of("y", Anything)
    assert keep.followed("x", Obedient, "old", 1).rules == ["old"]


def test_each_table_has_a_number() -> None:
    """Greater than those before."""
    keep = Keep()
    assert keep.generation() < keep.generation() < keep.generation()


def test_what_is_kept_can_be_looked_through_by_its_kind() -> None:
    """That of shadows is in it, and says so."""
    keep = Keep()
    entries = [keep.of(key, Entry) for key in (X, shadowed(X), CountsKey("x"), "x")]
    assert list(keep.each(PulseKey)) == [(X, entries[0]), (shadowed(X), entries[1])]
