"""proxy/lab/sandbox/mcp.py, over a real socket."""

from typing import Any

import aiohttp
import pytest

from proxy.lab.sandbox.gateway import Sandbox
from tests.lab.sandbox.heard import Heard, stream, whole

BALANCE = {"name": "get_balance", "arguments": {"agent_id": "local-agent"}}
COUNT = {"name": "count", "arguments": {"to": 2}, "_meta": {"progressToken": "p"}}
VERSION, CAPABILITIES = (
    f"io.modelcontextprotocol/{name}" for name in ("protocolVersion", "clientCapabilities")
)
META = {VERSION: "2026-07-28", CAPABILITIES: {"elicitation": {}}}


def message(method: str, params: object = None, **more: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}, **more}


class Peer:
    """A client of one era. It says what its era wants beside the message."""

    def __init__(self, asking: aiohttp.ClientSession, session: str) -> None:
        self._asking = asking
        self.session = session

    def headers(self, method: str, params: dict[str, Any]) -> dict[str, str]:
        if self.session:
            return {"Mcp-Session-Id": self.session, "MCP-Protocol-Version": "2025-11-25"}
        named = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
        name = params.get("name") or params.get("uri")
        return {**named, "Mcp-Name": name} if name else named

    def params(self, given: dict[str, Any]) -> dict[str, Any]:
        return given if self.session else {**given, "_meta": {**META, **given.get("_meta", {})}}

    async def ask(
        self, method: str, given: dict[str, Any] | None = None, status: int = 200, **more: str
    ) -> Any:
        """The whole JSON-RPC answer, which must be no stream."""
        params = self.params(given or {})
        headers = {**self.headers(method, params), **more}
        return await whole(self._asking, "/mcp", message(method, params), status, **headers)

    async def stream(self, method: str, given: dict[str, Any], **more: str) -> list[Heard]:
        params = self.params(given)
        headers = {**self.headers(method, params), **more}
        return await stream(self._asking, "/mcp", message(method, params), **headers)


@pytest.fixture
async def old(asking: aiohttp.ClientSession) -> Peer:
    asked = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    async with asking.post("/mcp", json=message("initialize", asked)) as response:
        assert (await response.json())["result"]["protocolVersion"] == "2025-11-25"
        return Peer(asking, response.headers["Mcp-Session-Id"])


@pytest.fixture
async def new(asking: aiohttp.ClientSession) -> Peer:
    return Peer(asking, "")


@pytest.fixture(params=["old", "new"])
async def peer(request: pytest.FixtureRequest, old: Peer, new: Peer) -> Peer:
    return {"old": old, "new": new}[request.param]


async def test_the_gateways_tools_are_called(played: Sandbox, peer: Peer) -> None:
    """On the same ledger, counted by their names."""
    found = (await peer.ask("tools/call", BALANCE))["result"]
    assert (found["isError"], found["structuredContent"]["balance"]) == (False, "1000.00")
    deposit = {"name": "deposit", "arguments": {"agent_id": "seller-01", "amount": 0.1}}
    await peer.ask("tools/call", deposit)
    assert played.state.wallet_of("seller-01").balance_micros == 100_000
    assert played.calls.executed["deposit"] == played.calls.by_tool["deposit"] == 1


async def test_each_era_has_its_members(old: Peer, new: Peer) -> None:
    """The new one says what kind of result it is, how long a list may be kept, and who speaks."""
    assert (await old.ask("tools/list"))["result"].keys() == {"tools"}
    listed = (await new.ask("tools/list"))["result"]
    assert (listed["resultType"], listed["ttlMs"], listed["cacheScope"]) == (
        "complete", 0, "private",
    )  # fmt: skip
    assert "io.modelcontextprotocol/serverInfo" in listed["_meta"]
    assert "ttlMs" not in (await new.ask("tools/call", BALANCE))["result"]


async def test_a_tool_that_refuses_has_failed(peer: Peer) -> None:
    """That is a result, not an error of the protocol."""
    given = {"name": "get_balance", "arguments": {"agent_id": "nobody"}}
    found = (await peer.ask("tools/call", given))["result"]
    assert found["isError"] is True
    assert "wallet_not_found" in found["content"][0]["text"]


async def test_an_idempotency_key_makes_a_repeat_harmless(played: Sandbox, peer: Peer) -> None:
    """As with the gateway."""
    arguments = {"agent_id": "seller-01", "amount": 5, "idempotency_key": "k"}
    given = {"name": "deposit", "arguments": arguments}
    first, again = await peer.ask("tools/call", given), await peer.ask("tools/call", given)
    assert first == again
    assert played.state.wallet_of("seller-01").balance_micros == 5_000_000
    await peer.ask("tools/call", given, x_sandbox_fault="duplicate")
    assert played.state.wallet_of("seller-01").balance_micros == 10_000_000


async def test_progress_comes_before_the_answer(peer: Peer) -> None:
    """For who gave a token; the answer ends the stream."""
    heard = await peer.stream("tools/call", COUNT)
    assert [event.said.get("method") for event in heard] == ["notifications/progress"] * 2 + [None]
    assert [event.said["params"]["progress"] for event in heard[:-1]] == [1, 2]
    assert heard[-1].said["result"]["content"][0]["text"] == "counted to 2"
    silent = await peer.stream("tools/call", {**COUNT, "_meta": {}})
    assert len(silent) == 1


async def test_any_answer_may_be_a_stream(peer: Peer) -> None:
    """Where that is wished for; with an empty event first, if that is."""
    [event] = await peer.stream("tools/call", BALANCE, x_sandbox_stream="true")
    assert event.said == await peer.ask("tools/call", BALANCE)
    first, last = await peer.stream("tools/call", BALANCE, x_sandbox_stream="primed")
    assert (first.said, last.said) == ("", event.said)


@pytest.mark.parametrize("arguments", [[], {"idempotency_key": ""}])
async def test_wrong_arguments_are_an_error(peer: Peer, arguments: object) -> None:
    """With the request's id."""
    status = 400 if peer.session == "" or arguments != [] else 200
    given = {"name": "deposit", "arguments": arguments}
    answer = await peer.ask("tools/call", given, status)
    assert (answer["id"], "error" in answer) == (1, True)


@pytest.mark.parametrize(("method", "given", "number", "status"), [
    ("tools/call", {"name": "no_such", "arguments": {}}, -32602, 400),
    ("tools/call", {"name": "count", "arguments": {"to": 0}}, -32602, 400),
    ("resources/read", {"uri": "sandbox://none"}, -32602, 400),
    ("prompts/get", {"name": "none"}, -32602, 400),
    ("nothing/here", {}, -32601, 404),
])  # fmt: skip
async def test_what_is_not_there(
    peer: Peer, method: str, given: dict[str, Any], number: int, status: int
) -> None:
    """An error of the protocol; the new era has a status for it."""
    answer = await peer.ask(method, given, 200 if peer.session else status)
    assert (answer["id"], answer["error"]["code"]) == (1, number)


@pytest.mark.parametrize(("changed", "number"), [
    ({"Mcp-Method": "tools/list"}, -32020), ({"Mcp-Name": "deposit"}, -32020),
    ({"MCP-Protocol-Version": "2025-11-25"}, -32020),
])  # fmt: skip
async def test_headers_must_say_what_the_body_says(
    new: Peer, changed: dict[str, str], number: int
) -> None:
    """In the new era."""
    answer = await new.ask("tools/call", BALANCE, 400, **changed)
    assert answer["error"]["code"] == number


async def test_a_session_is_needed_and_may_be_ended(
    asking: aiohttp.ClientSession, old: Peer
) -> None:
    """400 without one, 404 for one that is gone."""
    assert (await old.ask("ping"))["result"] == {}
    await whole(asking, "/mcp", message("tools/list"), 400)
    async with asking.delete("/mcp", headers=old.headers("", {})) as response:
        assert (response.status, await response.read()) == (200, b"")
    await old.ask("tools/list", {}, 404)


async def test_the_server_may_be_discovered(new: Peer, asking: aiohttp.ClientSession) -> None:
    """It tells its versions, the newest first; `initialize` is not of that era, nor `ping`."""
    found = (await new.ask("server/discover"))["result"]
    assert found["supportedVersions"][:2] == ["2026-07-28", "2025-11-25"]
    await new.ask("initialize", {}, 404)
    await new.ask("ping", {}, 404)
    bare = await whole(asking, "/mcp", message("server/discover"), 400)
    assert bare["error"]["code"] == -32602


async def test_notifications_have_no_answer(peer: Peer, asking: aiohttp.ClientSession) -> None:
    """202, nothing more."""
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    async with asking.post("/mcp", json=note, headers=peer.headers("x", {})) as response:
        assert (response.status, await response.read()) == (202, b"")


async def test_a_stream_may_be_listened_to(old: Peer, asking: aiohttp.ClientSession) -> None:
    """It says nothing, and lasts."""
    async with asking.get("/mcp", headers=old.headers("", {})) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        assert not response.content.at_eof()
    async with asking.get("/mcp") as response:
        assert response.status == 400


async def test_a_subscription_is_acknowledged(new: Peer, asking: aiohttp.ClientSession) -> None:
    """With what was asked for; then it lasts."""
    params = new.params({"notifications": {"toolsListChanged": True}})
    headers = new.headers("subscriptions/listen", params)
    body = message("subscriptions/listen", params)
    async with asking.post("/mcp", json=body, headers=headers) as response:
        line = await response.content.readuntil(b"\n\n")
        assert b'"notifications/subscriptions/acknowledged"' in line
        assert b'{"toolsListChanged": true}' in line


async def test_a_batch_is_answered_member_by_member(
    old: Peer, asking: aiohttp.ClientSession, played: Sandbox
) -> None:
    """Those that want an answer; a stream's is its last message."""
    headers = old.headers("", {})
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    members = [message("tools/call", COUNT, id="a"), note, message("tools/call", BALANCE, id="b")]
    answers = await whole(asking, "/mcp", members, 200, **headers)
    assert [answer["id"] for answer in answers] == ["a", "b"]
    async with asking.post("/mcp", json=[note], headers=headers) as response:
        assert response.status == 202
    await whole(asking, "/mcp", [], 400, **headers)
    assert played.calls.by_tool["batch"] == 3


@pytest.mark.parametrize(("sent", "number"), [
    (b"{", -32700), (b"7", -32600), (b'{"jsonrpc": "1.0"}', -32600), (b'[{"method": 1}]', -32600),
])  # fmt: skip
async def test_what_is_no_message_is_refused(
    asking: aiohttp.ClientSession, sent: bytes, number: int
) -> None:
    """For no id."""
    async with asking.post("/mcp", data=sent) as response:
        answer = await response.json()
    assert (response.status, answer["id"], answer["error"]["code"]) == (400, None, number)


async def test_other_methods_are_refused(asking: aiohttp.ClientSession) -> None:
    """In the same shape."""
    async with asking.put("/mcp") as response:
        assert (response.status, (await response.json())["jsonrpc"]) == (405, "2.0")


@pytest.mark.parametrize(("wished", "status"), [
    ("server", 200), ("overloaded", 503), ("rate_limit", 429), ("quota", 402),
])  # fmt: skip
async def test_errors_on_demand(played: Sandbox, peer: Peer, wished: str, status: int) -> None:
    """An error of JSON-RPC, and nothing ran."""
    answer = await peer.ask("tools/call", BALANCE, status, x_sandbox_fault=f"error={wished}")
    assert answer["error"]["code"] == -32603
    assert played.calls.executed["get_balance"] == 0


async def test_an_error_inside_a_stream(peer: Peer) -> None:
    """It is the answer: after some progress."""
    heard = await peer.stream("tools/call", COUNT, x_sandbox_fault="error=server; after=1")
    assert len(heard) == 2
    assert heard[1].said["error"]["code"] == -32603


async def test_a_person_is_asked(new: Peer, old: Peer) -> None:
    """The call is repeated with what the person said, and the state that was given."""
    given = {"name": "ask_owner", "arguments": {"what": "pay"}}
    first = (await new.ask("tools/call", given))["result"]
    assert first["resultType"] == "input_required"
    assert first["inputRequests"]["owner"]["method"] == "elicitation/create"
    said = {"owner": {"action": "accept", "content": {"agree": True}}}
    repeat = {**given, "inputResponses": said, "requestState": first["requestState"]}
    last = (await new.ask("tools/call", repeat))["result"]
    assert (last["resultType"], last["content"][0]["text"]) == ("complete", "agreed")
    assert (await old.ask("tools/call", given))["result"]["isError"] is True
