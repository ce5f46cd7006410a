"""What is heard in answers of MCP servers: exchanges in the exact shape of each era."""

import json
from typing import Any

import pytest

from proxy.call import Effect
from proxy.protocols.jsonrpc import read
from proxy.protocols.mcp_asked import asked
from proxy.protocols.mcp_heard import McpAnswers, without
from proxy.protocols.mcp_hints import Hints
from proxy.protocols.mcp_replies import Spoken
from proxy.protocols.protocol import Rules
from proxy.reply import Executed, Reply, Result

LOOK = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"look"}}'
LIST = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
LISTEN = b'{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{}}'
TRUSTS = Rules(upstream="files", trust_annotations=True)
TOOLS = [
    {"name": "look", "inputSchema": {}, "annotations": {"readOnlyHint": True, "title": "Look"}},
    {"name": "drop", "inputSchema": {}},
]


def spoken(content: bytes, rules: Rules = TRUSTS) -> Spoken:
    """What a body asks for."""
    document = read(content)
    assert document is not None
    wanted = tuple(asked(message, {}) for message in document.messages)
    return Spoken(rules, wanted, document.batch, ids=document.ids)


def answer(result: Any, raw_id: int = 1) -> bytes:
    """A response."""
    return json.dumps({"jsonrpc": "2.0", "id": raw_id, "result": result}).encode()


def hearing(
    content: bytes = LOOK, hidden: str = "", **more: Any
) -> tuple[McpAnswers, Reply, Hints]:
    """Who hears the answer to a body, the answer, and what is learned of it."""
    reply, hints = Reply(200), Hints()
    hides = hidden.__eq__ if hidden else None
    return McpAnswers(spoken(content, **more), reply, hints, hides), reply, hints


def test_a_good_result_is_the_end():
    """In a stream, after what was said in between."""
    heard, reply, _ = hearing()
    heard.event(b"message", b'{"jsonrpc":"2.0","method":"notifications/progress","params":{}}')
    assert (heard.content, heard.ended) == (True, False)
    heard.event(b"message", answer({"content": [{"type": "text", "text": "hi"}]}))
    assert (heard.ended, heard.failed_tool, heard.told, reply.pending) == (True, False, None, False)


def test_what_it_says_is_known_without_its_id():
    """Two answers to two requests may be the same one; those to a batch are known as they are."""
    said = []
    for raw_id in (1, 1, 2):
        heard, reply, _ = hearing(LOOK.replace(b'"id":1', b'"id":%d' % raw_id))
        heard.whole(answer({"a": 1}, raw_id))
        assert reply.says is not None
        said.append(reply.says())
    assert len(set(said)) == 1
    heard, reply, _ = hearing(b"[" + LOOK + b"," + LIST.replace(b"1", b"2") + b"]")
    heard.whole(answer({"a": 1}))
    assert reply.says is None


def test_a_tool_that_failed_says_so_in_a_good_result():
    """It is the tool's failure, not the upstream's."""
    heard, reply, _ = hearing()
    heard.whole(answer({"content": [], "isError": True, "resultType": "complete"}))
    assert (heard.failed_tool, heard.told, reply.pending) == (True, None, False)


@pytest.mark.parametrize(
    "result",
    [
        {"resultType": "input_required", "inputRequests": {}, "requestState": "x"},
        {"resultType": "task", "taskId": "1", "isError": True},
    ],
)
def test_what_asks_for_more_is_no_outcome(result):
    """Neither a success nor a failure, and nobody else's answer."""
    heard, reply, _ = hearing()
    heard.whole(answer(result))
    assert (heard.failed_tool, heard.told, reply.pending, heard.ended) == (False, None, True, True)


@pytest.mark.parametrize(
    ("code", "result", "executed"),
    [
        (-32020, Result.CALLER_ERROR, Executed.NO),
        (-32021, Result.CALLER_ERROR, Executed.NO),
        (-32022, Result.CALLER_ERROR, Executed.NO),
        (-32002, Result.CALLER_ERROR, Executed.NO),
        (-32042, Result.CALLER_ERROR, Executed.NO),
        (-32603, Result.FAILURE, Executed.UNKNOWN),
    ],
)
def test_codes_of_the_protocol(code, result, executed):
    """Those that say that something was wrong with the request."""
    heard, _, _ = hearing()
    heard.whole(b'{"jsonrpc":"2.0","id":1,"error":{"code":%d,"message":""}}' % code)
    assert heard.told is not None
    assert (heard.told.result, heard.told.executed) == (result, executed)


@pytest.mark.parametrize("result", ["text", [1], {"isError": "yes"}, {"resultType": 1}])
def test_a_result_that_is_not_as_it_should_be_is_one(result):
    """It is for the client to say what it is."""
    heard, reply, _ = hearing()
    heard.whole(answer(result))
    assert (heard.ended, heard.failed_tool, reply.pending) == (True, False, False)


def test_a_stream_that_nobody_ends_has_no_end():
    """What is listened to; and that of a session, which answers nothing."""
    assert hearing(LISTEN)[0].ended
    assert McpAnswers(Spoken(TRUSTS), Reply(200), Hints()).ended


def test_lists_teach_what_tools_do():
    """Where the upstream is trusted, and only answers to who asked for one."""
    heard, _, hints = hearing(LIST)
    heard.whole(answer({"tools": TOOLS}))
    assert hints.effect(TRUSTS, "look") is Effect.READ
    assert hints.effect(TRUSTS, "drop") is Effect.WRITE
    for content, rules in ((LOOK, TRUSTS), (LIST, Rules())):
        heard, _, hints = hearing(content, rules=rules)
        heard.whole(answer({"tools": TOOLS}))
        assert hints.effect(rules, "look") is Effect.WRITE


@pytest.mark.parametrize("tools", [7, [7], [{"name": 7}], [{"annotations": {"readOnlyHint": 1}}]])
def test_a_list_that_is_not_as_it_should_be_teaches_nothing(tools):
    """Nobody guesses."""
    heard, _, hints = hearing(LIST, hidden="look")
    assert heard.whole(answer({"tools": tools})) is None
    assert hints.effect(TRUSTS, "look") is Effect.WRITE


def test_hidden_tools_are_left_out_of_lists():
    """Whole, as an event, and in a batch; all else stays."""
    listed = answer({"tools": TOOLS, "nextCursor": "2", "ttlMs": 5})
    heard, _, _ = hearing(LIST, hidden="drop")
    assert heard.sifts
    for passed in (heard.whole(listed), heard.event(b"message", listed)):
        result = json.loads(passed or b"")["result"]
        assert [tool["name"] for tool in result["tools"]] == ["look"]
        assert (result["nextCursor"], result["ttlMs"]) == ("2", 5)
        assert result["tools"][0] == TOOLS[0]
    both = heard.whole(b" [" + answer({"a": 1}) + b"," + listed + b"]")
    first, second = json.loads(both or b"")
    assert first["result"] == {"a": 1}
    assert [tool["name"] for tool in second["result"]["tools"]] == ["look"]


@pytest.mark.parametrize(
    "content",
    [
        answer({"tools": TOOLS[:1]}),
        answer({"a": "b"}),
        answer({"a": "tools"}),
        answer({"b": {"tools": TOOLS}}),
        b'{"jsonrpc":"2.0","method":"tools","params":{"tools":[]}}',
        b"[" + answer({"tools": TOOLS[:1]}) + b"]",
        b'{"tools": no JSON',
        b'{"result":7,"tools":7}',
    ],
)
def test_where_nothing_is_hidden_nothing_is_changed(content):
    """Not a byte."""
    heard, _, _ = hearing(LIST, hidden="drop")
    assert heard.whole(content) is None
    assert heard.event(b"", content) is None


def test_only_lists_are_sifted():
    """And streams of sessions, in which the answer to one may come again."""
    assert not hearing(LOOK, hidden="drop")[0].sifts
    assert not hearing(LIST)[0].sifts
    session = McpAnswers(Spoken(TRUSTS), Reply(200), Hints(), "drop".__eq__)
    assert session.sifts
    assert session.event(b"message", answer({"tools": TOOLS})) is not None
    assert without(answer({"tools": TOOLS}), "x".__eq__) is None
