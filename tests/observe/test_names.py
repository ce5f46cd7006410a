"""proxy/observe/names.py"""

import pytest

from proxy.observe.labels import LIMIT, OTHER
from proxy.observe.names import MOST_PAIRS, Names
from tests.observe.records import metrics, record


@pytest.mark.parametrize("label", ["tool", "upstream", "policy", "reason", "scope"])
def test_ten_thousand_invented_names_are_few(label):
    """Whatever agents, or files, make up."""
    names = Names()
    shown = {names.label(label, f"name-{i}") for i in range(10_000)}
    assert len(shown) <= LIMIT
    assert OTHER in shown


def test_an_upstreams_own_circuit_has_no_tool():
    """It is not `other`, which is many."""
    assert Names().shown("gateway", "") == ("gateway", "")


def test_tools_of_policies_have_their_names():
    """Before any call succeeded."""
    names = Names()
    names.name_tools(["deposit"])
    assert (names.label("tool", "deposit"), names.label("tool", "made_up")) == ("deposit", OTHER)


def test_other_labels_must_be_presentable():
    """They are words of ours; a control character would break the text."""
    assert Names().label("result", "ok") == "ok"
    assert Names().label("result", "\x00") == OTHER


def test_pairs_are_bounded_too():
    """Twenty upstreams that take any tool would make thousands of rows; those that were there stay,
    and the circuit of an upstream itself is always shown."""
    names = Names()
    tools = [f"t{i}" for i in range(190)]
    names.name_tools(tools)
    first = names.shown("u0", "t0")
    pairs = {names.shown(f"u{i}", tool) for i in range(100) for tool in tools}
    assert len(pairs) <= MOST_PAIRS + 100
    assert (first, names.shown("u0", "t0")) == (("u0", "t0"), ("u0", "t0"))
    assert (names.shown("u99", "t5"), names.shown("u99", "")) == (("u99", OTHER), ("u99", ""))


def test_a_call_is_counted_where_it_is_shown():
    """Whoever looks a row up finds it."""
    found = metrics()
    found.name_tools(f"t{i}" for i in range(190))
    for upstream in range(10):
        for tool in range(190):
            found.note(record(f"t{tool}", upstream=f"u{upstream}"))
    shown = found.shown("u9", "t100")
    assert shown == ("u9", OTHER)
    assert sum(found.tallies()[shown].calls.values()) > 1
    assert len(found.tallies()) <= MOST_PAIRS + 200
