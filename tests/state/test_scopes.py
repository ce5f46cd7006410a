"""Scopes, and the net in which calls are looked up."""

from fnmatch import fnmatchcase

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Call
from proxy.state.scopes import LONGEST, Net, Scope
from tests.fakes import make_call


class Each(msgspec.Struct, frozen=True):
    """Something that has a scope."""

    scope: Scope


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("all", "all", ""),
        ("agent:pay-*", "agent", "pay-*"),
        ("tool:GET /orders/{id}", "tool", "GET /orders/{id}"),
        ("workflow:a:b", "workflow", "a:b"),
    ],
)
def test_a_scope_has_a_kind_and_a_name(text: str, kind: str, name: str) -> None:
    """Both are plain texts: they stand in JSON."""
    scope = Scope.parse(text)
    assert (scope, scope.kind, scope.name) == (text, kind, name)
    assert {type(scope.kind), type(scope.name), type(scope.label)} == {str}


@pytest.mark.parametrize(
    "text",
    ["", "al", "all:", "agent", "agent:", "agnt:x", "ALL", 7, None, "agent: x", "agent:x ",
     "agent:a\nb", "tool:" + "x" * (LONGEST + 1)],
)  # fmt: skip
def test_what_is_no_scope_says_what_is_one(text: object) -> None:
    """In one line."""
    with pytest.raises(ValueError, match="expected") as raised:
        Scope.parse(text)
    assert "\n" not in str(raised.value)


def test_ids_are_no_values_of_labels() -> None:
    """Agents make them up."""
    assert Scope("workflow:w1").label == "workflow"
    assert Scope("agent:a").label == "agent:a"


NAMES = st.sampled_from(["", "a", "b", "ab", "ba"])
GLOBS = st.sampled_from(["a", "b", "*", "a*", "*b", "ab"])
SCOPES = st.one_of(
    st.just(Scope("all")),
    st.builds(
        lambda kind, glob: Scope(f"{kind}:{glob}"), st.sampled_from(["agent", "tool"]), GLOBS
    ),
    st.builds(
        lambda kind, name: Scope(f"{kind}:{name}"),
        st.sampled_from(["fleet", "workflow", "upstream", "bulkhead"]),
        st.sampled_from(["a", "b", "ab", "*"]),
    ),
)
CALLS = st.builds(
    lambda fleet, agent, tool, workflow, domain: make_call(
        fleet=fleet, agent=agent, tool=tool, workflow=workflow, domain=domain
    ),
    *(NAMES,) * 5,
)


def meant(scope: Scope, call: Call, upstream: str) -> bool:
    """What a scope says, one by one."""
    facts = {
        "fleet": call.fleet,
        "workflow": call.workflow,
        "upstream": upstream,
        "bulkhead": call.domain,
    }
    if scope == "all":
        return True
    if scope.kind in facts:
        return facts[scope.kind] == scope.name
    return fnmatchcase(call.agent if scope.kind == "agent" else call.tool, scope.name)


@given(st.lists(SCOPES, max_size=6), CALLS, NAMES)
def test_a_net_catches_what_its_scopes_mean(scopes: list[Scope], call: Call, upstream: str) -> None:
    """All of it, and nothing else; and it says which one did."""
    found = Net([Each(scope) for scope in scopes]).of(call, upstream)
    assert (found is not None) is any(meant(scope, call, upstream) for scope in scopes)
    assert found is None or meant(found.scope, call, upstream)


@given(st.lists(SCOPES, max_size=6), CALLS)
def test_of_a_call_that_was_not_read_all_counts_but_its_tool(
    scopes: list[Scope], call: Call
) -> None:
    """Nobody knows it yet."""
    found = Net([Each(scope) for scope in scopes]).early(call, call.upstream)
    known = [scope for scope in scopes if scope.kind != "tool"]
    assert (found is not None) is any(meant(scope, call, call.upstream) for scope in known)


def test_a_glob_that_does_not_hold_leaves_it_to_the_next() -> None:
    """And where none holds, nothing is caught."""
    net = Net([Each(Scope("agent:b*")), Each(Scope("agent:a*"))])
    found = net.of(make_call(agent="ann"), "u")
    assert found is not None
    assert found.scope == "agent:a*"
    assert net.of(make_call(agent="cleo"), "u") is None


def test_the_widest_scope_answers() -> None:
    """Who is told that all is stopped looks no further."""
    net = Net([Each(Scope("tool:a")), Each(Scope("agent:*")), Each(Scope("all"))])
    found = net.of(make_call(tool="a"), "u")
    assert found is not None
    assert found.scope == "all"


@given(st.lists(SCOPES, max_size=6), CALLS)
def test_what_sets_calls_up_is_no_tools(scopes: list[Scope], call: Call) -> None:
    """It falls under all, fleets, agents and upstreams alone (spec 4.4)."""
    call.kind = "control"
    found = Net([Each(scope) for scope in scopes]).of(call, call.upstream)
    wide = [each for each in scopes if each.kind in {"all", "fleet", "agent", "upstream"}]
    assert (found is not None) is any(meant(scope, call, call.upstream) for scope in wide)
    assert found is None or meant(found.scope, call, call.upstream)
