"""proxy/observe/names.py"""

import pytest

from proxy.observe.labels import LIMIT, OTHER
from proxy.observe.names import Names


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
