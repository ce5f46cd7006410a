"""Each way of the chart, as people read it. `make golden` draws all anew: look at what differs."""

import os

import pytest

from tests.helm.drawing import EXAMPLES, GATEWAY, ROOT, agent_chart, text

HERE = ROOT / "tests" / "helm" / "golden"
HEAD = """\
# An agent with Holdfast beside it, for those who do without Helm: kubectl apply -f agent.yaml
# Made of agent/ by make golden. The Secrets that it names are yours to make: docs/kubernetes.md.
"""
WAYS = {
    EXAMPLES / "agent.yaml": lambda: HEAD + agent("--skip-tests"),
    HERE / "agent-classic.yaml": lambda: agent("--skip-tests", kube="1.28.0"),
    HERE / "gateway.yaml": lambda: text("--values", GATEWAY, release="gateway"),
}


def agent(*options: str, kube: str = "1.37.0") -> str:
    return text(*options, chart=agent_chart(), kube=kube, release="pricing-agent")


@pytest.mark.parametrize("golden", WAYS, ids=lambda path: path.name)
def test_it_is_drawn_as_it_was(golden):
    """To the byte; whoever changes a template sees what it changes."""
    made = WAYS[golden]()
    if os.environ.get("HOLDFAST_TEST_RENEW"):
        golden.write_text(made, encoding="utf-8")

    assert golden.read_text(encoding="utf-8") == made, "make golden, and look at the difference"
