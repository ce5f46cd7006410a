"""Chains of fallbacks, judged when they are loaded."""

import pytest

THREE = """upstreams:
  a: {url: http://h, protocol: tools}
  b: {url: http://h, path: /b, protocol: tools}
  c: {url: http://h, path: /c, protocol: http}
"""
OFF = """policies:
  - {name: p, mode: off, fallback: {chain: [{upstream: x}]}}
  - {name: q, fallback: {mode: off, chain: [{upstream: x}]}}
  - {name: r, fallback: false}
"""


def chains(**chains: str) -> str:
    """A policy for each upstream, with that chain."""
    lines = [
        f"  - {{name: {name}, match: {{upstream: {name}}}, fallback: {{chain: [{chain}]}}}}\n"
        for name, chain in chains.items()
    ]
    return THREE + "policies:\n" + "".join(lines)


def said(problems: list[str]) -> list[str]:
    """The messages alone."""
    return [problem.split(": ", 2)[2] for problem in problems]


def test_a_chain_leads_to_an_upstream_that_there_is(folder):
    """The nearest name is suggested; a name of another list is none."""
    assert folder.errors(chains(a="{upstream: bb}, {upstream: nowhere}")) == [
        "p.yaml:6:55: policies[0].fallback.chain: no upstream has this name: bb; did you mean b?"
    ]


def test_who_stands_in_speaks_the_same_protocol(folder):
    """Where the policy says for whom; a rule for all cannot know."""
    assert said(folder.errors(chains(a="{upstream: c}"))) == [
        "c speaks http, and a, for which it would stand in, tools"
    ]
    folder.load(THREE + "policies: [{name: all, fallback: {chain: [{upstream: b}]}}]\n")


@pytest.mark.parametrize(
    ("written", "circle"),
    [
        ({"a": "{upstream: b}", "b": "{upstream: a}"}, "a → b → a"),
        ({"a": "{upstream: a}"}, "a → a"),
        ({"b": "{static: {}}", "a": "{upstream: b}"}, ""),
        ({"a": "{upstream: a, model: small}"}, ""),
    ],
)
def test_a_circle_is_an_error(folder, written, circle):
    """Each would wait for the other; another model of the same upstream is somewhere else."""
    if circle:
        assert said(folder.errors(chains(**written))) == [f"a fallback cycle: {circle}"]
    else:
        folder.load(chains(**written))


def test_a_rule_for_all_may_name_one_of_them(folder):
    """For that one, it is passed over. A circle with another rule is one all the same."""
    general = "  - {name: all, fallback: {chain: [{upstream: b}, {upstream: a}]}}\n"
    folder.load(THREE.replace("http}", "tools}") + "policies:\n" + general)
    back = "  - {name: b, match: {upstream: b}, fallback: {chain: [{upstream: c}]}}\n"
    text = THREE.replace("http}", "tools}") + "policies:\n" + general + back
    assert said(folder.errors(text)) == ["a fallback cycle: c → b → c"]


def test_what_is_off_leads_nowhere(folder):
    """Neither a policy, nor a section."""
    folder.load(THREE + OFF)


def test_nothing_comes_after_what_always_answers(folder):
    """A warning: the rest of the chain is never asked."""
    found = folder.warnings(
        chains(a="{static: {}}, {upstream: b}", b="{human: ops}", c="{static: {}}")
    )
    assert found == [
        "p.yaml:6:55: policies[0].fallback.chain: unreachable: nothing is asked after static, which"
        " answers"
    ]
