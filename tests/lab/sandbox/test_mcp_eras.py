"""proxy/lab/sandbox/mcp_eras.py: what test_mcp.py leaves open."""

import pytest

from proxy.lab.sandbox import mcp_eras
from proxy.lab.sandbox.jsonrpc import Rpc, RpcError
from proxy.lab.sandbox.mcp_eras import CAPABILITIES_KEY, VERSION_KEY, Sessions, check_modern
from proxy.lab.sandbox.said import Head


def head(**headers: str) -> Head:
    return Head("POST", "", {}, {name.replace("_", "-"): text for name, text in headers.items()})


def call(name: str, said: str) -> tuple[Head, Rpc]:
    """A call of a tool whose header says its name so."""
    meta = {VERSION_KEY: "2026-07-28", CAPABILITIES_KEY: {}}
    rpc = Rpc("tools/call", 1, {"name": name, "_meta": meta})
    sent = head(MCP_Protocol_Version="2026-07-28", Mcp_Method="tools/call", Mcp_Name=said)
    return sent, rpc


@pytest.mark.parametrize(("name", "said"), [
    ("get_balance", "get_balance"), ("café", "=?base64?Y2Fmw6k=?="),
])  # fmt: skip
def test_a_name_may_be_encoded(name: str, said: str) -> None:
    """Where it is not ASCII."""
    check_modern(*call(name, said))


@pytest.mark.parametrize("said", ["=?base64?Y2Fm?=", "=?base64?!?=", "=?base64?/w==?="])
def test_what_cannot_be_decoded_is_no_name(said: str) -> None:
    """Nor is another name."""
    with pytest.raises(RpcError) as caught:
        check_modern(*call("café", said))
    assert caught.value.number == -32020


def test_a_version_that_is_not_spoken() -> None:
    """The answer says which are."""
    rpc = Rpc("tools/list", 1, {"_meta": {VERSION_KEY: "2030-01-01", CAPABILITIES_KEY: {}}})
    with pytest.raises(RpcError) as caught:
        check_modern(head(MCP_Protocol_Version="2030-01-01", Mcp_Method="tools/list"), rpc)
    assert (caught.value.number, caught.value.status) == (-32022, 400)
    assert caught.value.data == {"supported": ["2026-07-28"], "requested": "2030-01-01"}


def test_a_session_speaks_what_was_wanted_or_the_newest() -> None:
    """Of the versions with sessions."""
    sessions = Sessions(0)
    assert sessions.open({"protocolVersion": "2025-03-26"})[1] == "2025-03-26"
    assert sessions.open({"protocolVersion": "2026-07-28"})[1] == "2025-11-25"
    assert sessions.open({"protocolVersion": 7})[1] == "2025-11-25"


def test_old_sessions_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded."""
    monkeypatch.setattr(mcp_eras, "MOST_SESSIONS", 1)
    sessions = Sessions(0)
    first, second = sessions.open({})[0], sessions.open({})[0]
    assert sessions.check(head(Mcp_Session_Id=second)) == second
    with pytest.raises(RpcError, match="no such session"):
        sessions.check(head(Mcp_Session_Id=first))


def test_a_session_speaks_no_other_version() -> None:
    """What its header says must be one of them."""
    sessions = Sessions(0)
    session = sessions.open({})[0]
    with pytest.raises(RpcError, match="unsupported"):
        sessions.check(head(Mcp_Session_Id=session, MCP_Protocol_Version="1999-01-01"))
