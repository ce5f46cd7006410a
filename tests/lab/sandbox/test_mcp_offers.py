"""proxy/lab/sandbox/mcp_offers.py"""

import json
from typing import Any

import pytest

from proxy.lab.sandbox import tools
from proxy.lab.sandbox.jsonrpc import RpcError
from proxy.lab.sandbox.mcp_offers import annotations, listed_tools, prompt, read_resource


def test_every_tool_of_the_gateway_is_listed() -> None:
    """With the fields that it names, and what it does to the world."""
    listed: dict[Any, Any] = {tool["name"]: tool for tool in listed_tools()}
    assert listed.keys() == {*tools.TOOLS, "count", "ask_owner"}
    assert {"agent_id", "amount"} <= listed["deposit"]["inputSchema"]["properties"].keys()


@pytest.mark.parametrize(("name", "reads", "destroys", "idempotent"), [
    ("get_balance", True, None, None), ("deposit", False, False, False),
    ("cancel_escrow", False, True, False), ("set_budget", False, False, True),
])  # fmt: skip
def test_hints(name: str, reads: bool, destroys: bool | None, idempotent: bool | None) -> None:
    """By the verb; those of what only reads say nothing of harm."""
    hints = annotations(name)
    assert hints["readOnlyHint"] is reads
    assert (hints.get("destructiveHint"), hints.get("idempotentHint")) == (destroys, idempotent)


@pytest.mark.parametrize("uri", ["sandbox://offers", "sandbox://prices"])
def test_resources_are_json(uri: str) -> None:
    """As text."""
    found: Any = read_resource({"uri": uri})
    [content] = found["contents"]
    assert content["uri"] == uri
    assert json.loads(content["text"])


def test_a_prompt_names_the_agent() -> None:
    """Which must be given."""
    found: Any = prompt({"name": "review_spending", "arguments": {"agent_id": "a-1"}})
    assert "a-1" in found["messages"][0]["content"]["text"]
    with pytest.raises(RpcError, match="agent_id"):
        prompt({"name": "review_spending"})
