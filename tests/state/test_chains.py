"""Call chains: who waits for whom, and what nobody can make up."""

import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state.chains import LARGEST, MOST, NONE, OLDEST, Chain, Chains, Work

WALL = 1_700_000_000.0
WORK = ("w", "t")
KEY = b"a secret of the fleet"


def sent(chains: Chains, *calls: tuple[str, str], work: Work = WORK) -> bytes:
    """What reaches the last of these calls' agents: each call, and who makes it."""
    value = b""
    for call, agent in calls:
        chain = chains.read(value, work, WALL) if value else NONE
        chains.begin(call, agent)
        line = chains.onward(chain, call, agent, work, WALL)
        value = line.removeprefix(b"holdfast-chain: ").removesuffix(b"\r\n")
    return value


def names(chain: Chain) -> list[tuple[str, bool]]:
    """Who waits, and whether here."""
    return [(link.agent, link.own) for link in chain.links]


def test_each_agent_that_waits_is_in_it() -> None:
    """The outermost first."""
    chains = Chains("p")
    value = sent(chains, ("p-1", "ann"), ("p-2", "b\u00f6b"))
    assert names(chains.read(value, WORK, WALL)) == [("ann", True), ("b\u00f6b", True)]
    assert chains.open == 2


def test_a_link_counts_while_its_call_is_open() -> None:
    """Whoever keeps one has nothing in his hand."""
    chains = Chains("p")
    value = sent(chains, ("p-1", "ann"))
    chains.end("p-1")
    chains.end("p-1")
    assert chains.read(value, WORK, WALL) == Chain(value, (), "ended")
    assert chains.open == 0


def test_a_link_counts_for_its_own_work() -> None:
    """Nobody is framed by what was picked up elsewhere."""
    chains = Chains("p")
    value = sent(chains, ("p-1", "ann"))
    for work in (("w", "x"), ("x", "t"), ("", ""), ("wt", ""), ("", "wt")):
        read = chains.read(value, work, WALL)
        assert (read.links, read.ignored) == ((), "other_work")


@given(st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_a_link_that_was_changed_is_not_believed(at: int, other: bytes) -> None:
    """Wherever it was, and however: and nothing breaks of it."""
    chains = Chains("p")
    value = sent(chains, ("p-1", "ann"))
    changed = value[:at] + other + value[at + len(other) :]
    read = chains.read(changed, WORK, WALL)
    assert changed.strip() == value or (read.links == () and read.ignored)


@given(st.binary(max_size=200))
def test_anything_may_come(value: bytes) -> None:
    """It counts for nothing."""
    read = Chains("p", KEY).read(value, WORK, WALL)
    assert (read.links, bool(read.ignored)) == ((), True)


def test_links_cannot_be_put_together_anew() -> None:
    """Each is signed with all that stands before it."""
    chains = Chains("p")
    both = sent(chains, ("p-1", "ann"), ("p-2", "bob"))
    first, second = both.split(b",")
    assert names(chains.read(first, WORK, WALL)) == [("ann", True)]
    for value in (second, second + b"," + first, first + b"," + first):
        read = chains.read(value, WORK, WALL)
        assert len(read.links) < 2
        assert read.ignored == "unknown"


@pytest.mark.parametrize(
    "value",
    [b"x" * (LARGEST + 1), b",".join([b"a"] * (MOST + 1))],
    ids=["bytes", "links"],
)
def test_what_is_too_long_is_not_read(value: bytes) -> None:
    """And not handed on."""
    assert Chains("p").read(value, WORK, WALL) == Chain(ignored="too_long")


def test_links_of_other_pods_are_handed_on_and_not_believed() -> None:
    """Without a key of the fleet; their own proxy knows them again."""
    ann, bob = Chains("a"), Chains("b")
    value = sent(ann, ("a-1", "ann"))
    read = bob.read(value, WORK, WALL)
    assert (read.text, read.links, read.ignored) == (value, (), "unknown")
    line = bob.onward(read, "b-1", "bob", WORK, WALL)
    came_back = line.removeprefix(b"holdfast-chain: ").removesuffix(b"\r\n")
    assert names(ann.read(came_back, WORK, WALL)) == [("ann", True)]


def test_the_fleets_key_makes_the_links_of_other_pods_count() -> None:
    """Not as calls that are known to be open."""
    ann, bob = Chains("a", KEY), Chains("b", KEY)
    value = sent(ann, ("a-1", "ann"))
    read = bob.read(value, WORK, WALL)
    assert (names(read), read.ignored) == ([("ann", False)], "")
    assert read.ring("ann", "ann") == ()
    assert Chains("c", b"another secret").read(value, WORK, WALL).ignored == "unknown"


@pytest.mark.parametrize(
    ("later", "counts"),
    [(0.0, True), (OLDEST - 1, True), (OLDEST, False), (-59.0, True), (-61.0, False)],
)
def test_links_of_other_pods_grow_stale(later: float, counts: bool) -> None:
    """Nobody here knows whether their calls are open."""
    value = sent(Chains("a", KEY), ("a-1", "ann"))
    read = Chains("b", KEY).read(value, WORK, WALL + later)
    assert (bool(read.links), read.ignored) == (counts, "" if counts else "stale")


def test_one_of_ours_that_ended_does_not_count_by_the_fleets_key() -> None:
    """It is known here that it is over."""
    chains = Chains("a", KEY)
    value = sent(chains, ("a-1", "ann"))
    chains.end("a-1")
    assert chains.read(value, WORK, WALL).ignored == "ended"


def test_long_names_are_cut_and_cost_no_more() -> None:
    """What is open here is known by its whole name."""
    ann, bob = Chains("a", KEY), Chains("b", KEY)
    name = "\u00e4" * 128
    value = sent(ann, ("a-1", name))
    assert len(value) < 200
    assert names(ann.read(value, WORK, WALL)) == [(name, True)]
    assert names(bob.read(value, WORK, WALL)) == [("\u00e4" * 24, False)]


def test_a_chain_stays_as_long_as_others_read_it() -> None:
    """One that is full begins anew: a link that is read is worth more than many that are not."""
    chains = Chains("p")
    calls = [(f"p-{number}", "ann") for number in range(MOST + 1)]
    value = sent(chains, *calls)
    assert len(names(chains.read(value, WORK, WALL))) == 1
    value = sent(chains, *calls[:-1])
    assert len(names(chains.read(value, WORK, WALL))) == MOST
    long = [(f"p-{number}", "x" * 48) for number in range(MOST)]
    assert len(sent(chains, *long)) <= LARGEST


def test_what_was_made_before_does_not_verify_after_a_restart() -> None:
    """Each process has a key of its own."""
    value = sent(Chains("p"), ("p-1", "ann"))
    assert Chains("p").read(value, WORK, WALL).ignored == "unknown"


@pytest.mark.parametrize(
    ("agent", "called", "ring"),
    [
        ("cat", "dog", ()),
        ("ann", "dog", ("ann", "bob", "ann")),
        ("cat", "ann", ("ann", "bob", "cat", "ann")),
        ("cat", "bob", ("bob", "cat", "bob")),
        ("bob", "ann", ("ann", "bob", "bob", "ann")),
    ],
)
def test_a_ring_is_named(agent: str, called: str, ring: tuple[str, ...]) -> None:
    """From who waits already, until he is met again: as who calls, or as who is called."""
    chains = Chains("p")
    value = sent(chains, ("p-1", "ann"), ("p-2", "bob"))
    assert chains.read(value, WORK, WALL).ring(agent, called) == ring


def test_the_line_can_stand_in_a_head() -> None:
    """Whatever an agent is called."""
    line = Chains("p").onward(NONE, "p-1", "a\r\nb: c,d", WORK, WALL)
    assert re.fullmatch(rb"holdfast-chain: [0-9A-Za-z._-]+\r\n", line)


def test_the_last_link_is_who_waits_for_the_caller() -> None:
    """Not the one who began."""
    chains = Chains("p")
    value = sent(chains, ("p-1", "ann"), ("p-2", "bob"))
    assert chains.read(value, WORK, WALL).caller == "bob"
    assert NONE.caller == ""


def test_who_looks_beyond_this_process_hears_of_each_end() -> None:
    """Of calls to others as well: only it knows which were told."""
    chains = Chains()
    ended: list[str] = []
    chains.beyond = SimpleNamespace(end=ended.append)
    chains.begin("1", "ann")
    chains.end("1")
    assert (ended, chains.open) == (["1"], 0)
