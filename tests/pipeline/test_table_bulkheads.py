"""Bulkheads as failure domains: whose agents share what, and what they do not."""

from typing import Any

from proxy.call import Call
from proxy.pipeline.mount import DividedMount, Mount
from proxy.reply import Reply
from proxy.stages.bulkhead import BulkheadPermit, Permit
from proxy.state.permits import Rank
from tests.fakes import run
from tests.tables import Desk, post

BULKHEADS = """
bulkheads:
  - {name: core, agents: ['pricing-*', 'escrow-*'], limit: 2, queue: 0}
  - {name: rest, agents: ['*', '!free-*'], limit: 2, queue: 0}
"""
BREAKER = "policies: [{name: p, effect: read, breaker: {consecutive: 2, keys: [tool]}}]\n"
TOOL = "policies: [{name: p, effect: read, bulkhead: {limit: 1, queue: 0}}]\n"


def by(agent: str, tool: str = "search") -> Call:
    """A call of this agent."""
    call = post(tool)
    call.agent = agent
    return call


def code(reply: Reply) -> str:
    """What it was refused for, or its status."""
    return reply.refusal.code if reply.refusal else str(reply.status)


def under_way(desk: Desk, call: Call) -> str:
    """What a call comes to whose answer goes on for long."""
    return code(run(desk.pipeline(call)(call)))


def gates(desk: Desk, call: Call) -> list[Any]:
    """The bulkheads' gates of its attempts."""
    handle: Any = desk.pipeline(call).handle
    return [gate for gate in handle.__self__._inner._gates if isinstance(gate, Permit)]


def test_an_agent_is_in_the_first_bulkhead_that_has_it() -> None:
    """Known from the mount on."""
    desk = Desk(BULKHEADS)
    mount = desk.table.mount(b"/")
    assert isinstance(mount, DividedMount)
    found = []
    for agent in ("pricing-1", "escrow-2", "ann", "free-1"):
        call = by(agent)
        mount.enter(call)
        found.append((call.domain, call.upstream))
    assert found == [(name, "gateway") for name in ("core", "core", "rest", "")]


def test_names_that_are_made_up_do_not_fill_the_memory() -> None:
    """Who is in which bulkhead is remembered for so many."""
    desk = Desk(BULKHEADS)
    mount = desk.table.mount(b"/")
    assert isinstance(mount, DividedMount)
    for number in range(10_000):
        mount.enter(by(f"made-up-{number}"))
    assert len(mount.domains) <= 4096


def test_without_bulkheads_nobody_looks_for_one() -> None:
    """Nothing of them is in the way of a call."""
    desk = Desk(TOOL)
    assert type(desk.table.mount(b"/")) is Mount
    assert desk.pipeline(by("ann")) is desk.pipeline(by("bob"))
    assert [type(gate) for gate in gates(desk, by("ann"))] == [Permit]


def test_agents_of_one_bulkhead_share_a_pipeline() -> None:
    """Others have their own; who is in none has no permits to share."""
    desk = Desk(BULKHEADS + TOOL)
    assert desk.pipeline(by("pricing-1")) is desk.pipeline(by("escrow-1"))
    assert desk.pipeline(by("pricing-1")) is not desk.pipeline(by("ann"))
    assert [type(gate) for gate in gates(desk, by("ann"))] == [Permit, BulkheadPermit]
    assert [type(gate) for gate in gates(desk, by("free-1"))] == [Permit]


def test_two_bulkheads_share_no_circuit() -> None:
    """What fails for one group of agents opens nothing for another."""
    desk = Desk(BULKHEADS + BREAKER, 500, 500, 200)
    found = [code(desk.call(by(agent))) for agent in ("pricing-1", "escrow-1", "pricing-1", "ann")]
    assert found == ["500", "500", "circuit_open", "200"]


def test_two_bulkheads_share_no_permits_of_a_tool() -> None:
    """Each has all that the policy gives."""
    desk = Desk(BULKHEADS + TOOL, 200, 200, 200)
    agents = ("pricing-1", "escrow-1", "ann", "free-1")
    assert [under_way(desk, by(agent)) for agent in agents] == [
        *("200", "bulkhead_full", "200", "200")
    ]


def test_agents_of_one_bulkhead_share_its_permits() -> None:
    """Whatever tools they call, with no policy at all; others have theirs."""
    desk = Desk(BULKHEADS, 200, 200, 200)
    calls = [by("pricing-1", "a"), by("escrow-1", "b"), by("pricing-2", "c"), by("ann", "a")]
    assert [under_way(desk, call) for call in calls] == ["200", "200", "bulkhead_full", "200"]


def test_a_reload_keeps_what_is_taken_of_a_bulkhead() -> None:
    """It is the same as long as it has its name."""
    desk = Desk(BULKHEADS, 200, 200)
    for tool in ("a", "b"):
        under_way(desk, by("pricing-1", tool))
    again = Desk(BULKHEADS, clock=desk.clock, keep=desk.keep)
    assert under_way(again, by("pricing-1")) == "bulkhead_full"


def test_a_bulkhead_serves_by_the_priorities_of_the_calls_policies() -> None:
    """Its own permits have no other."""
    text = "policies: [{name: p, bulkhead: {priority: background}}]\n"
    desk, call = Desk(BULKHEADS + text), by("pricing-1")
    ranks = [gate._rank_of(call) for gate in gates(desk, call)]
    assert ranks == [Rank.BACKGROUND, Rank.BACKGROUND]
    assert gates(Desk(BULKHEADS), by("ann"))[0]._rank_of(call) is Rank.AGENT


def test_a_link_to_another_upstream_is_in_the_same_bulkhead() -> None:
    """What is sent there takes a permit of it as well."""
    mounts = """
upstreams:
  gateway: {url: 'http://h', protocol: tools}
  spare: {url: 'http://s', protocol: tools, path: /spare}
"""
    desk, call = Desk(BULKHEADS, 200, 200, mounts=mounts), by("pricing-1")
    desk.pipeline(call)
    for _ in range(2):
        run(desk.table.link(call, "spare", "")(call))
    assert under_way(desk, call) == "bulkhead_full"
