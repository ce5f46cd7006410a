"""proxy/lab/sandbox/mcp_answers.py: what test_mcp.py leaves open."""

from typing import Any

import pytest

from proxy.lab.sandbox.jsonrpc import Rpc, RpcError
from proxy.lab.sandbox.mcp_answers import asked_owner, counted, read

CAPABLE: dict[str, Any] = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}


def ask(**params: object) -> Any:
    return asked_owner(Rpc("tools/call", 1, {"_meta": CAPABLE, **params}), {}, modern=True)


@pytest.mark.parametrize("said", [{}, {"owner": 1}, {"owner": {"action": "cancel"}}])
def test_who_does_not_agree_declines(said: object) -> None:
    """Whatever else was said."""
    state = ask()["requestState"]
    answer = ask(inputResponses=said, requestState=state)
    assert answer["content"][0]["text"] == "declined"


def test_a_state_that_is_not_ours_is_refused() -> None:
    """It was never given."""
    with pytest.raises(RpcError, match="requestState"):
        ask(inputResponses={}, requestState="other")


def test_a_client_that_cannot_ask_is_told_what_it_needs() -> None:
    """By number and name."""
    with pytest.raises(RpcError) as caught:
        asked_owner(Rpc("tools/call", 1), {}, modern=True)
    assert caught.value.number == -32021
    assert caught.value.data == {"requiredCapabilities": {"elicitation": {}}}


@pytest.mark.parametrize("to", [0, True, "5", 10_001])
def test_a_count_has_bounds(to: object) -> None:
    """And is a whole number."""
    with pytest.raises(RpcError, match="from 1 to"):
        counted(Rpc("tools/call", 1), {"to": to})


@pytest.mark.parametrize("method", ["tools/list", "resources/list", "prompts/list",
                                    "resources/templates/list"])  # fmt: skip
def test_lists_have_one_member(method: str) -> None:
    """Named for what is listed."""
    found = read(Rpc(method, 1))
    assert found is not None
    assert all(isinstance(listed, list) for listed in found.values())
