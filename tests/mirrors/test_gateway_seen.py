"""proxy/mirrors/gateway_seen.py"""

import json

from proxy.mirrors.gateway_seen import MOST, Seen


def test_the_last_agents_are_known():
    """With their fleets; those of nobody are none."""
    seen = Seen()
    seen.add("", "f")
    seen.add("first", "f")
    for number in range(MOST):
        seen.add(f"agent-{number}", "")
        if number == 5:
            seen.add("first", "g")

    assert len(seen.agents) == MOST
    assert seen.agents["first"] == "g"
    assert "agent-0" not in seen.agents


def test_they_are_kept():
    """As JSON."""
    seen, again = Seen(), Seen()
    seen.add("a", "f")

    again.load(json.loads(json.dumps(seen.dump())))

    assert again.agents == seen.agents
