"""The A2A client of PyPI through the proxy: cards, both bindings, both versions, refusals."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio

from proxy.lab.sandbox.faults import Script, parse_script
from proxy.lab.sandbox.gateway import Sandbox, start
from tests.harness import Proxy, breathe, holdfast, within
from tests.harness.lazy import Lazy
from tests.harness.loops import THE_LOOP

a2a = Lazy("a2a.client")
a2a_errors = Lazy("a2a.client.errors")
a2a_pb2 = Lazy("a2a.types.a2a_pb2")
json_format = Lazy("google.protobuf.json_format")

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

WAYS = pytest.mark.parametrize("version", ["1.0", "0.3"])
BINDINGS = pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world() -> AsyncIterator[Sandbox]:
    """An agent, at `/a2a`."""
    sandbox = await start("127.0.0.1:0", seed=7)
    yield sandbox
    await sandbox.close()


@pytest.fixture
def sandbox(world: Sandbox) -> Sandbox:
    """As it was at the start."""
    world.reset()
    return world


def gated(sandbox: Sandbox, policies: str = "", **mount: Any) -> Any:
    """A proxy before it; the agent's own path is a part of the upstream's URL."""
    return holdfast(f"{sandbox.url}/a2a", "a2a", policies or None, mount=mount or None)


async def card_at(url: str, web: httpx.AsyncClient) -> Any:
    """The agent's card, as clients fetch it."""
    return await a2a.A2ACardResolver(web, url).get_agent_card()


@asynccontextmanager
async def client(
    proxy: Proxy | str, binding: str = "JSONRPC", version: str = "1.0", *, streaming: bool = False
) -> AsyncIterator[Any]:
    """As an agent makes it: from the card that is found at a base URL."""
    url = proxy if isinstance(proxy, str) else f"http://{proxy.listen}"
    async with httpx.AsyncClient(timeout=10) as web:
        card = await card_at(url, web)
        wanted = [one for one in card.supported_interfaces if one.protocol_version == version]
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(wanted)
        config = a2a.ClientConfig(
            httpx_client=web, streaming=streaming, supported_protocol_bindings=[binding]
        )
        yield await a2a.create_client(card, config)


def message(text: str, name: str = "m-1") -> Any:
    """A message of a user."""
    part = a2a_pb2.Part(text=text)
    said = a2a_pb2.Message(message_id=name, role=a2a_pb2.Role.ROLE_USER, parts=[part])
    return a2a_pb2.SendMessageRequest(message=said)


async def told(made: Any, text: str, name: str = "m-1") -> list[Any]:
    """All that comes of a message."""
    return [json_format.MessageToDict(one) async for one in made.send_message(message(text, name))]


@BINDINGS
@WAYS
async def test_an_agent_whose_card_was_read_here_is_called_here(
    sandbox: Sandbox, binding: str, version: str
) -> None:
    """The client goes where the card says: through the proxy, every time."""
    async with gated(sandbox) as proxy, client(proxy, binding, version) as made:
        assert await told(made, "hello")
        via = [one.headers.get("via", "") for one in sandbox.calls.last]
        assert len(via) == 2
        assert all("holdfast" in one for one in via)
        async with httpx.AsyncClient() as web:
            card = await card_at(f"http://{proxy.listen}", web)
        urls = {one.url for one in card.supported_interfaces}
        assert urls == {f"http://{proxy.listen}"} or urls == {f"http://{proxy.listen}/"}
        sends = [one for one in await proxy.records(3) if one["method"] == "SendMessage"]
        assert {(one["protocol"], one["layer"], one["tool"]) for one in sends} == {
            ("a2a", "agent", "gateway")
        }


@BINDINGS
@WAYS
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
async def test_all_that_an_agent_can(
    sandbox: Sandbox, binding: str, version: str, streaming: bool
) -> None:
    """Direct and through the proxy, with policies at work: the same."""
    policies = "policies: [{name: p, retry: {attempts: 2}, breaker: {}, loop: {same: 50}}]"

    async def all_of(url: str) -> list[Any]:
        sandbox.reset()
        async with client(url, binding, version, streaming=streaming) as made:
            said = [await told(made, "hello", "m-1"), await told(made, "say it", "m-2")]
            begun = await told(made, "ask me", "m-3")
            name = begun[-1].get("task", begun[0].get("task", {})).get("id", "")
            got = await made.get_task(a2a_pb2.GetTaskRequest(id=name))
            gone = await made.cancel_task(a2a_pb2.CancelTaskRequest(id=name))
            said += [begun, json_format.MessageToDict(got), json_format.MessageToDict(gone)]
            with pytest.raises(a2a_errors.A2AError) as wrong:
                await made.get_task(a2a_pb2.GetTaskRequest(id="none"))
            return [*said, type(wrong.value)]

    def undated(found: Any) -> Any:
        if isinstance(found, dict):
            return {name: undated(of) for name, of in found.items() if name != "timestamp"}
        return [undated(one) for one in found] if isinstance(found, list) else found

    async with gated(sandbox, policies) as proxy:
        expected = await all_of(f"{sandbox.url}/a2a")
        assert undated(await all_of(f"http://{proxy.listen}")) == undated(expected)


@WAYS
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
async def test_a_denial_is_an_error_that_can_be_read(
    sandbox: Sandbox, version: str, streaming: bool
) -> None:
    """Of JSON-RPC, under a good status: the client throws any other body away."""
    denied = "policies: [{name: p, deny: {reason: ask the treasury}}]"
    async with (
        gated(sandbox, denied) as proxy,
        client(proxy, version=version, streaming=streaming) as made,
    ):
        with pytest.raises(a2a_errors.A2AError, match="Ask the treasury"):
            await told(made, "hello")
        assert sandbox.calls.by_tool["SendMessage"] == 0
        assert sandbox.calls.by_tool["SendStreamingMessage"] == 0


async def test_a_denial_over_http_is_a_problem(sandbox: Sandbox) -> None:
    """With its own status; the card is still there."""
    denied = "policies: [{name: p, deny: {reason: ask the treasury}}]"
    async with gated(sandbox, denied) as proxy, client(proxy, "HTTP+JSON") as made:
        with pytest.raises(a2a_errors.A2AClientError, match="403"):
            await told(made, "hello")
        assert sandbox.calls.by_tool["SendMessage"] == 0


@WAYS
async def test_a_stream_without_its_end_is_an_error(sandbox: Sandbox, version: str) -> None:
    """The client raises; what came before that it has heard."""
    async with gated(sandbox) as proxy, client(proxy, version=version, streaming=True) as made:
        for fault in ({"no_end": True}, {"cut": 2}):
            sandbox.script = Script(parse_script([fault]))
            with pytest.raises(a2a_errors.A2AError):
                await told(made, "hello")
        ends = await proxy.records(3)
        assert [one["outcome"] for one in ends if one["layer"] == "agent"][-2:] == ["truncated"] * 2


async def test_a_kill_ends_a_stream(sandbox: Sandbox) -> None:
    """With an error that says so, and the agent behind it hears no more of it."""
    async with gated(sandbox) as proxy, client(proxy, streaming=True) as made:
        heard = aiter(made.send_message(message("later")))
        await within(anext(heard))
        await proxy.change("/v1/kills", {"scope": "upstream:gateway", "reason": "case 12"})

        async def rest() -> None:
            async for _ in heard:
                pass

        with pytest.raises(a2a_errors.A2AError, match="Case 12"):
            await within(rest())

        async def over() -> None:
            while sandbox.calls.under_way:
                await breathe()

        await within(over())
        with pytest.raises(a2a_errors.A2AError, match="Case 12"):
            await told(made, "hello", "m-2")


async def test_a_message_is_repeated_under_its_own_name(sandbox: Sandbox) -> None:
    """`messageId` is the key by which an agent that honours it knows a repetition."""
    policy = """
policies:
  - name: p
    retry: {attempts: 3, backoff: {base: 1ms, max: 2ms}}
    idempotency: {from: [messageId]}
"""
    async with gated(sandbox, policy) as proxy, client(proxy) as made:
        sandbox.script = Script(parse_script([{"reset": True, "executed": True}]))
        assert await told(made, "hello", "m-77")
        sent = [one for one in sandbox.calls.last if one.tool == "SendMessage"]
        assert [one.idempotency_key for one in sent] == ["m-77", "m-77"]


@BINDINGS
async def test_a_person_approves_one_message(sandbox: Sandbox, binding: str) -> None:
    """It goes once, however often it is asked for; another message is another call."""
    policy = "policies: [{name: p, approval: {mode: async, approvers: 1}}]"
    async with gated(sandbox, policy) as proxy, client(proxy, binding) as made:

        async def waits(name: str) -> None:
            with pytest.raises(a2a_errors.A2AClientError):
                await told(made, "pay", name)

        await waits("m-1")
        await waits("m-1")
        (case,) = proxy.app._control.desk.files
        decision = f"/v1/approvals/{case.request.id}/decision"
        await proxy.change(decision, {"decision": "approve"})
        await waits("m-2")
        assert sandbox.calls.by_tool["SendMessage"] == 0
        paid = await told(made, "pay", "m-1")
        assert await told(made, "pay", "m-1") == paid
        assert sandbox.calls.by_tool["SendMessage"] == 1


async def test_an_upstream_that_says_nothing_of_itself(sandbox: Sandbox) -> None:
    """`auto` knows the protocol by what is asked, and leads its card back as well."""
    async with holdfast(f"{sandbox.url}/a2a", "auto") as proxy, client(proxy) as made:
        assert await told(made, "hello")
        (one,) = [one for one in await proxy.records(2) if one["method"] == "SendMessage"]
        assert (one["protocol"], one["layer"]) == ("a2a", "agent")
