"""What is heard in answers of A2A, in the shapes in which SDKs of 1.0 and 0.3 write them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.a2a_heard import MEANINGS, Responses, Sifted, Things
from proxy.protocols.hearing import Hearing, Told
from proxy.reply import Executed, Result
from tests.protocols.spellings import bodies

TASK = {"id": "t-1", "contextId": "c-1"}


def of_1_0(state: str) -> dict[str, Any]:
    """A status update."""
    status = {"state": f"TASK_STATE_{state}", "timestamp": "2026-01-01T00:00:00Z"}
    return {"statusUpdate": {"taskId": "t-1", "contextId": "c-1", "status": status}}


def of_0_3(state: str, *, final: bool = False) -> dict[str, Any]:
    """The same."""
    return {
        "kind": "status-update",
        "taskId": "t-1",
        "contextId": "c-1",
        "status": {"state": state},
        "final": final,
    }


def task_1_0(state: str) -> dict[str, Any]:
    """A task."""
    return {"task": {**TASK, "status": {"state": f"TASK_STATE_{state}"}}}


MESSAGE_1_0 = {"message": {"messageId": "m-1", "role": "ROLE_AGENT", "parts": [{"text": "hi"}]}}
MESSAGE_0_3 = {
    "kind": "message",
    "messageId": "m-1",
    "role": "agent",
    "parts": [{"kind": "text", "text": "hi"}],
}
ARTIFACT_1_0 = {
    "artifactUpdate": {
        "taskId": "t-1",
        "contextId": "c-1",
        "artifact": {"artifactId": "a", "parts": [{"text": "x"}]},
    }
}
ARTIFACT_0_3 = {
    "kind": "artifact-update",
    "taskId": "t-1",
    "contextId": "c-1",
    "artifact": {"artifactId": "a", "parts": []},
}


def written(said: Any, *, rpc: bool) -> bytes:
    """As data of an event."""
    return json.dumps({"jsonrpc": "2.0", "id": "1", "result": said} if rpc else said).encode()


def hearing(*, rpc: bool, streams: bool = True, sends: bool = True) -> Hearing:
    """One of either binding."""
    if rpc:
        return Responses(b'"1"', streams=streams, sends=sends)
    return Things(streams=streams, sends=sends)


def after(*said: Any, rpc: bool, sends: bool = True) -> Hearing:
    """When all of that was said in a stream."""
    heard = hearing(rpc=rpc, sends=sends)
    for each in said:
        assert heard.event(b"", written(each, rpc=rpc)) is None
    return heard


bindings = pytest.mark.parametrize("rpc", [True, False], ids=["jsonrpc", "http"])


@bindings
@pytest.mark.parametrize(
    ("said", "ended"),
    [
        ([task_1_0("SUBMITTED")], False),
        ([task_1_0("SUBMITTED"), of_1_0("WORKING"), ARTIFACT_1_0], False),
        ([task_1_0("SUBMITTED"), of_1_0("WORKING"), ARTIFACT_1_0, of_1_0("COMPLETED")], True),
        ([of_1_0("WORKING"), of_1_0("CANCELED")], True),
        ([of_1_0("WORKING"), of_1_0("CANCELLED")], True),
        ([of_1_0("REJECTED")], True),
        ([of_1_0("INPUT_REQUIRED")], True),
        ([of_1_0("AUTH_REQUIRED")], True),
        ([of_1_0("AUTH_REQUIRED"), of_1_0("WORKING")], False),
        ([of_1_0("UNSPECIFIED")], False),
        ([of_1_0("COMPLETED"), ARTIFACT_1_0], True),
        ([task_1_0("COMPLETED")], True),
        ([MESSAGE_1_0], True),
        ([{"kind": "task", **TASK, "status": {"state": "submitted"}}, of_0_3("working")], False),
        ([of_0_3("working"), ARTIFACT_0_3, of_0_3("completed", final=True)], True),
        ([of_0_3("input-required", final=True)], True),
        ([of_0_3("working", final=True)], True),
        ([of_0_3("unknown")], False),
        ([MESSAGE_0_3], True),
        ([{"kind": "task", **TASK, "status": {"state": "completed"}}], True),
        ([{"metadata": {}}], False),
        ([{"status": "strange"}], False),
    ],
)  # fmt: skip
def test_a_stream_is_over_when_all_was_said_for_now(
    said: list[Any], ended: bool, rpc: bool
) -> None:
    """Whatever the binding and the version; each word is content."""
    heard = after(*said, rpc=rpc)
    assert (heard.ended, heard.content, heard.told) == (ended, True, None)


@bindings
@pytest.mark.parametrize(("sends", "failed"), [(True, True), (False, False)])
def test_a_task_that_failed_is_a_failed_tool_of_who_sent_for_it(
    sends: bool, failed: bool, rpc: bool
) -> None:
    """Who only asked has his answer."""
    heard = after(of_1_0("WORKING"), of_1_0("FAILED"), rpc=rpc, sends=sends)
    assert (heard.failed_tool, heard.ended) == (failed, True)
    unary = hearing(rpc=rpc, streams=False, sends=sends)
    unary.whole(written(task_1_0("FAILED"), rpc=rpc))
    assert (unary.failed_tool, unary.told) == (failed, None)


@bindings
def test_an_answer_that_is_no_stream_needs_no_end_of_its_own(rpc: bool) -> None:
    """A task that goes on is an answer too."""
    heard = hearing(rpc=rpc, streams=False)
    assert heard.whole(written(task_1_0("WORKING"), rpc=rpc)) is None
    assert heard.content
    assert not heard.failed_tool


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (-32001, Told(404, Result.CALLER_ERROR, Executed.NO)),
        (-32004, Told(400, Result.CALLER_ERROR, Executed.NO)),
        (-32006, Told(502, Result.FAILURE)),
        (-32603, Told(500, Result.FAILURE)),
        (-32602, Told(400, Result.CALLER_ERROR, Executed.NO)),
        (-32050, Told(500, Result.FAILURE)),
    ],
)
@pytest.mark.parametrize("kind", [b"", b"error"])
def test_an_error_of_json_rpc_is_told_by_its_code(code: int, told: Told, kind: bytes) -> None:
    """Alone, or in a stream, and it is the stream's end."""
    error = {"jsonrpc": "2.0", "id": "1", "error": {"code": code, "message": "no", "data": []}}
    whole = hearing(rpc=True, streams=False)
    whole.whole(json.dumps(error).encode())
    assert (whole.told, whole.content) == (told, False)
    heard = after(of_1_0("WORKING"), rpc=True)
    heard.event(kind, json.dumps(error).encode())
    assert (heard.told, heard.ended) == (told, True)


@bindings
@pytest.mark.parametrize("data", [b"out of order", b"[]", b"", b'{"type":"InternalError"}'])
def test_what_comes_as_an_error_is_one_whatever_it_says(data: bytes, rpc: bool) -> None:
    """`event: error`."""
    heard = hearing(rpc=rpc)
    heard.event(b"error", data)
    assert (heard.told, heard.ended) == (Told(500, Result.FAILURE), True)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (404, Told(404, Result.CALLER_ERROR, Executed.NO)),
        (429, Told(429, Result.THROTTLED)),
        (402, Told(402, Result.THROTTLED, quota=True)),
        (503, Told(503, Result.FAILURE)),
        (13, Told(500, Result.FAILURE)),
    ],
)
@pytest.mark.parametrize("kind", [b"", b"error"])
def test_an_error_in_a_stream_of_http_is_told_by_its_status(
    code: int, told: Told, kind: bytes
) -> None:
    """As AIP-193 has it; a gRPC code is no status."""
    heard = after(of_1_0("WORKING"), rpc=False)
    heard.event(
        kind,
        json.dumps(
            {"error": {"code": code, "status": "X", "message": "no", "details": []}}
        ).encode(),
    )
    assert (heard.told, heard.ended, heard.content) == (told, True, True)


def test_a_stream_to_nobody_is_over_from_the_start() -> None:
    """A notification asks for no answer."""
    assert Responses(b"", streams=False, sends=True).ended


def test_a_card_is_changed_on_its_way() -> None:
    """As it is, or in a response."""
    for raw_id, content in (
        (b"", b'{"name":"x"}'),
        (b"1", b'{"jsonrpc":"2.0","id":1,"result":{}}'),
    ):
        heard = Sifted(raw_id, lambda content: content + b"!")
        assert heard.sifts
        assert heard.whole(content) == content + b"!"
        assert heard.told is None


def test_an_error_in_the_place_of_a_card_passes() -> None:
    """Nobody takes it for one."""
    heard = Sifted(b"1", lambda _: b"!")
    assert heard.whole(b'{"jsonrpc":"2.0","id":1,"error":{"code":-32007,"message":"none"}}') is None
    assert heard.told == MEANINGS[-32007]


@given(
    st.booleans(),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from([b"", b"error", b"ping"]), bodies()), max_size=4),
)
def test_nothing_that_is_said_breaks_it(
    rpc: bool, streams: bool, said: list[tuple[bytes, bytes]]
) -> None:
    """Nor changes what passes."""
    heard = hearing(rpc=rpc, streams=streams)
    for kind, data in said:
        assert heard.event(kind, data) is None
        assert heard.whole(data) is None
