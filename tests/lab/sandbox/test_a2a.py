"""proxy/lab/sandbox/a2a.py, over a real socket."""

from typing import Any

import aiohttp
import pytest

from proxy.lab.sandbox.gateway import Sandbox
from tests.lab.sandbox.heard import Heard, stream, whole

OLD = {
    "SendMessage": "message/send", "SendStreamingMessage": "message/stream", "GetTask": "tasks/get",
    "CancelTask": "tasks/cancel", "SubscribeToTask": "tasks/resubscribe",
}  # fmt: skip


class Rpc:
    """A client of the JSON-RPC binding: what it asks for has the names of 1.0."""

    def __init__(self, asking: aiohttp.ClientSession, *, old: bool) -> None:
        self._asking = asking
        self._old = old

    def message(self, text: str, key: str = "m1", **more: str) -> dict[str, Any]:
        if self._old:
            part = {"kind": "text", "text": text}
            return {"kind": "message", "messageId": key, "role": "user", "parts": [part], **more}
        return {"messageId": key, "role": "ROLE_USER", "parts": [{"text": text}], **more}

    def body(self, operation: str, params: object) -> dict[str, Any]:
        method = OLD[operation] if self._old else operation
        return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}

    async def ask(self, operation: str, params: object, **more: str) -> Any:
        """The whole JSON-RPC answer, which comes with 200."""
        answer = await whole(self._asking, "/a2a", self.body(operation, params), 200, **more)
        assert answer["id"] == 7
        return answer.get("result", answer)

    async def send(self, text: str, key: str = "m1", **more: str) -> Any:
        """The task or message that comes of a text."""
        found = await self.ask("SendMessage", {"message": self.message(text, key, **more)})
        return found if self._old else found.get("task", found)

    async def stream(self, text: str, **more: str) -> list[Heard]:
        body = self.body("SendStreamingMessage", {"message": self.message(text)})
        return await stream(self._asking, "/a2a", body, **more)


@pytest.fixture(params=["0.3", "1.0"])
async def rpc(request: pytest.FixtureRequest, asking: aiohttp.ClientSession) -> Rpc:
    return Rpc(asking, old=request.param == "0.3")


@pytest.fixture
async def new(asking: aiohttp.ClientSession) -> Rpc:
    return Rpc(asking, old=False)


async def test_a_message_makes_a_task(played: Sandbox, rpc: Rpc) -> None:
    """Done at once, with words for a result; counted by the operation's name of 1.0."""
    task = await rpc.send("hello")
    assert task["status"]["state"] in ("completed", "TASK_STATE_COMPLETED")
    assert task["artifacts"][0]["parts"][0]["text"]
    assert played.calls.executed["SendMessage"] == played.calls.by_tool["SendMessage"] == 1


async def test_versions_have_their_own_words(asking: aiohttp.ClientSession) -> None:
    """0.3 marks what is what, and does not wrap it."""
    new, old = Rpc(asking, old=False), Rpc(asking, old=True)
    given = {"message": new.message("hello")}
    [wrapped] = (await new.ask("SendMessage", given)).values()
    task = await old.ask("SendMessage", {"message": old.message("hello", "m2")})
    assert "kind" not in wrapped
    assert (task["kind"], task["history"][0]["kind"]) == ("task", "message")
    assert task["history"][0]["role"] == "user"
    assert task["artifacts"][0]["parts"][0]["kind"] == "text"


async def test_a_message_that_comes_again_does_nothing(played: Sandbox, rpc: Rpc) -> None:
    """It gets the same task, even where its answer is late; a faulty agent does it twice."""
    assert await rpc.send("hello") == await rpc.send("hello")
    assert played.calls.executed["SendMessage"] == 1
    assert [call.replayed for call in played.calls.last] == [False, True]
    params = {"message": rpc.message("hello", "m2")}
    await rpc.ask("SendMessage", params, x_sandbox_fault="duplicate")
    assert played.calls.executed["SendMessage"] == 3


async def test_a_stream_tells_a_task(asking: aiohttp.ClientSession, new: Rpc) -> None:
    """The task, that it is worked on, its result bit by bit, its end."""
    heard = [event.said["result"] for event in await new.stream("hello")]
    kinds = [next(iter(told)) for told in heard]
    assert kinds[:2] == ["task", "statusUpdate"]
    assert set(kinds[2:-1]) == {"artifactUpdate"}
    assert heard[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    bits = [told["artifactUpdate"] for told in heard[2:-1]]
    assert [bit["lastChunk"] for bit in bits] == [False] * (len(bits) - 1) + [True]
    text = "".join(bit["artifact"]["parts"][0]["text"] for bit in bits)
    found = await new.ask("GetTask", {"id": heard[0]["task"]["id"]})
    assert found["artifacts"][0]["parts"][0]["text"] == text


async def test_a_stream_of_the_old_version(asking: aiohttp.ClientSession) -> None:
    """Says which event is the last."""
    heard = [event.said["result"] for event in await Rpc(asking, old=True).stream("hello")]
    kinds = [told["kind"] for told in heard]
    assert list(dict.fromkeys(kinds)) == ["task", "status-update", "artifact-update"]
    assert [told["final"] for told in heard if told["kind"] == "status-update"] == [False, True]


async def test_an_answer_may_be_a_message(rpc: Rpc) -> None:
    """With no task; as a stream it is the only event."""
    found = await rpc.send("say hello")
    message = found.get("message", found)
    assert message["role"] in ("agent", "ROLE_AGENT")
    assert len(await rpc.stream("say hello")) == 1


async def test_a_task_may_be_looked_at_and_cancelled(rpc: Rpc) -> None:
    """Once: then it has ended."""
    task = await rpc.send("later")
    assert (await rpc.ask("GetTask", {"id": task["id"]})) == task
    ended = await rpc.ask("CancelTask", {"id": task["id"]})
    assert ended["status"]["state"] in ("canceled", "TASK_STATE_CANCELED")
    again = await rpc.ask("CancelTask", {"id": task["id"]})
    assert again["error"]["code"] == -32002
    assert again["error"]["data"][0]["reason"] == "TASK_NOT_CANCELABLE"


async def test_a_task_may_need_another_message(rpc: Rpc) -> None:
    """Which names it."""
    task = await rpc.send("ask me")
    done = await rpc.send("yes", "m2", taskId=task["id"])
    assert (done["id"], len(done["history"])) == (task["id"], 2)


async def test_a_task_may_be_answered_before_it_is_done(asking: aiohttp.ClientSession) -> None:
    """Where that is wished for, in the words of either version."""
    new, old = Rpc(asking, old=False), Rpc(asking, old=True)
    params = {"message": new.message("a"), "configuration": {"returnImmediately": True}}
    task = (await new.ask("SendMessage", params))["task"]
    assert task["status"]["state"] == "TASK_STATE_SUBMITTED"
    params = {"message": old.message("b", "m2"), "configuration": {"blocking": False}}
    assert (await old.ask("SendMessage", params))["status"]["state"] == "submitted"


@pytest.mark.parametrize(("operation", "state"), [
    ("SendStreamingMessage", b"submitted"), ("SubscribeToTask", b"working"),
])  # fmt: skip
async def test_a_task_that_works_keeps_its_stream(
    asking: aiohttp.ClientSession, rpc: Rpc, operation: str, state: bytes
) -> None:
    """It says what is, and lasts."""
    task = await rpc.send("later", "m0")
    params = {"id": task["id"], "message": rpc.message("later")}
    async with asking.post("/a2a", json=rpc.body(operation, params)) as response:
        assert response.content_type == "text/event-stream"
        assert state in (await response.content.readuntil(b"\n\n")).lower()
        assert not response.content.at_eof()


@pytest.mark.parametrize(("operation", "params", "number"), [
    ("GetTask", {"id": "none"}, -32001), ("GetTask", {}, -32001),
    ("SendMessage", {}, -32602), ("SendMessage", {"message": {"messageId": "m"}}, -32602),
    ("SendMessage", {"message": {"parts": [{"text": "a"}]}}, -32602),
    ("GetExtendedAgentCard", {}, -32007), ("GetTaskPushNotificationConfig", {}, -32003),
    ("NoSuchThing", {}, -32601),
])  # fmt: skip
async def test_errors_have_their_numbers(
    new: Rpc, operation: str, params: object, number: int
) -> None:
    """With 200: it is JSON-RPC that says no."""
    assert (await new.ask(operation, params))["error"]["code"] == number


async def test_a_task_that_has_ended_is_not_subscribed_to(new: Rpc) -> None:
    """Nothing more would come; nor does it go on."""
    task = await new.send("hello")
    assert (await new.ask("SubscribeToTask", {"id": task["id"]}))["error"]["code"] == -32004
    assert (await new.send("more", "m2", taskId=task["id"]))["error"]["code"] == -32602


async def test_a_version_that_is_not_spoken(new: Rpc) -> None:
    """Is refused by its own number."""
    answer = await new.ask("ListTasks", {}, A2A_Version="2.0")
    assert answer["error"]["code"] == -32009


async def test_tasks_are_listed(new: Rpc) -> None:
    """The newest first, of all contexts or of one."""
    first, second = await new.send("a", "m1"), await new.send("b", "m2", contextId="c")
    listed = await new.ask("ListTasks", {})
    assert [task["id"] for task in listed["tasks"]] == [second["id"], first["id"]]
    listed = await new.ask("ListTasks", {"contextId": "c"})
    assert [task["contextId"] for task in listed["tasks"]] == ["c"]


async def test_the_card_says_where_the_agent_is(
    played: Sandbox, asking: aiohttp.ClientSession
) -> None:
    """As it was asked for; at the root too."""
    async with asking.get("/.well-known/agent-card.json") as response:
        at_root = await response.json()
    async with asking.get("/a2a/.well-known/agent-card.json") as response:
        card = await response.json()
    assert at_root == card
    assert card["url"] == f"{played.url}/a2a"
    spoken = {(at["protocolBinding"], at["protocolVersion"]) for at in card["supportedInterfaces"]}
    assert spoken == {(b, v) for b in ("JSONRPC", "HTTP+JSON") for v in ("0.3", "1.0")}
    assert {at["url"] for at in card["supportedInterfaces"]} == {card["url"]}


async def test_http_has_the_operations_in_its_paths(asking: aiohttp.ClientSession) -> None:
    """Without JSON-RPC around them."""
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "later"}]}
    sent = await whole(asking, "/a2a/message:send", {"message": message})
    task = sent["task"]
    async with asking.get(f"/a2a/tasks/{task['id']}") as response:
        assert response.content_type == "application/a2a+json"
        assert await response.json(content_type=None) == task
    async with asking.get("/a2a/tasks", params={"contextId": task["contextId"]}) as response:
        assert (await response.json(content_type=None))["tasks"] == [task]
    async with asking.get(f"/a2a/tasks/{task['id']}:subscribe") as response:
        assert response.content_type == "text/event-stream"
    ended = await whole(asking, f"/a2a/tasks/{task['id']}:cancel", {})
    assert ended["status"]["state"] == "TASK_STATE_CANCELED"
    other = {**message, "messageId": "n", "parts": [{"text": "a"}]}
    heard = await stream(asking, "/a2a/message:stream", {"message": other})
    assert heard[0].said.keys() == {"task"}


async def test_http_of_the_old_version(asking: aiohttp.ClientSession) -> None:
    """Under `/v1`, its messages with `content`, its states in other letters."""
    message = {"message_id": "m", "role": "ROLE_USER", "content": [{"text": "later"}]}
    sent = await whole(asking, "/a2a/v1/message:send", {"request": message})
    assert sent["task"]["history"][0]["content"] == [{"text": "later"}]
    ended = await whole(asking, f"/a2a/v1/tasks/{sent['task']['id']}:cancel", {})
    assert ended["status"]["state"] == "TASK_STATE_CANCELLED"
    other = {**message, "message_id": "n", "content": [{"text": "a"}]}
    heard = await stream(asking, "/a2a/v1/message:stream", {"request": other})
    assert heard[-1].said["statusUpdate"]["final"] is True


@pytest.mark.parametrize(("path", "status", "reason"), [
    ("/a2a/tasks/none", 404, "TASK_NOT_FOUND"), ("/a2a/v1/card", 400, "EXTENDED_AGENT_CARD_NOT"),
])  # fmt: skip
async def test_http_says_no_in_its_own_words(
    asking: aiohttp.ClientSession, path: str, status: int, reason: str
) -> None:
    """A true status, and the reason in the details."""
    async with asking.get(path) as response:
        answer = await response.json()
    assert (response.status, answer["error"]["code"]) == (status, status)
    assert answer["error"]["details"][0]["reason"].startswith(reason)


async def test_there_is_nothing_elsewhere(asking: aiohttp.ClientSession) -> None:
    """404 for a path, and for JSON-RPC by another method."""
    async with asking.get("/a2a/elsewhere") as response:
        assert response.status == 404
    async with asking.get("/a2a") as response:
        assert (response.status, (await response.json())["id"]) == (404, None)


@pytest.mark.parametrize(("wished", "rpc_status", "http_status"), [
    ("server", 200, 500), ("overloaded", 503, 503), ("rate_limit", 429, 429), ("quota", 402, 402),
])  # fmt: skip
async def test_errors_on_demand(
    played: Sandbox,
    asking: aiohttp.ClientSession,
    wished: str,
    rpc_status: int,
    http_status: int,
) -> None:
    """In both bindings; nothing ran."""
    message = {"messageId": "m", "parts": [{"text": "a"}]}
    body = Rpc(asking, old=False).body("SendMessage", {"message": message})
    fault = f"error={wished}"
    answer = await whole(asking, "/a2a", body, rpc_status, x_sandbox_fault=fault)
    assert answer["error"]["code"] == -32603
    sent = {"message": message}
    answer = await whole(asking, "/a2a/message:send", sent, http_status, x_sandbox_fault=fault)
    assert answer["error"]["code"] == http_status
    assert played.calls.executed["SendMessage"] == 0


async def test_an_error_inside_a_stream(asking: aiohttp.ClientSession, new: Rpc) -> None:
    """An answer of JSON-RPC, or an event named so."""
    heard = await new.stream("a", x_sandbox_fault="error=server; after=2")
    assert heard[2].said["error"]["code"] == -32603
    body = {"message": new.message("a", "m2")}
    fault = "error=server; after=2"
    heard = await stream(asking, "/a2a/message:stream", body, x_sandbox_fault=fault)
    assert (len(heard), heard[2].kind) == (3, "error")
