"""What a message of MCP asks for: the same to who reads its headers and who reads its body."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import CALL, CONTROL, Effect
from proxy.protocols.document import Ambiguous
from proxy.protocols.jsonrpc import read
from proxy.protocols.mcp_asked import (
    Asked,
    Mismatch,
    asked,
    id_of,
    input_of,
    knows_method,
    meant,
    stateless,
    version_of,
)


def of(content: bytes, **fields: bytes) -> Asked:
    """What the one message in it asks for, under these headers."""
    document = read(content)
    assert document is not None
    named = {name.replace("_", "-").encode(): value for name, value in fields.items()}
    return asked(document.messages[0], named)


def calls(name: str = '"look"', more: str = "") -> bytes:
    """A tool's call, as its members are written."""
    params = f'{{"name":{name}{more}}}'
    return f'{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{params}}}'.encode()


def request(method: str, params: str = "{}") -> bytes:
    """A request."""
    return f'{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{params}}}'.encode()


def test_a_tools_call_is_known_by_its_name():
    """And nothing is known of what it does."""
    found = of(calls())
    assert (found.tool, found.kind, found.effect, found.id) == ("look", CALL, Effect.WRITE, b"7")
    assert found.of_tool


@pytest.mark.parametrize(
    ("method", "params"),
    [("resources/read", '{"uri":"file:///%s"}' % ("x" * 300)), ("prompts/get", '{"name":"hi"}')],
)
def test_resources_and_prompts_are_calls_that_read(method, params):
    """Policies match their method."""
    found = of(request(method, params))
    assert (found.tool, found.kind, found.effect) == (method, CALL, Effect.READ)
    assert not found.of_tool


@pytest.mark.parametrize(
    ("method", "effect"),
    [
        ("initialize", Effect.WRITE),
        ("ping", Effect.READ),
        ("tools/list", Effect.READ),
        ("server/discover", Effect.READ),
        ("subscriptions/listen", Effect.READ),
        ("tasks/cancel", Effect.IDEMPOTENT),
        ("tasks/update", Effect.WRITE),
        ("notifications/initialized", Effect.WRITE),
    ],
)
def test_the_rest_sets_calls_up(method, effect):
    """It is control traffic, under the name of its method."""
    found = of(request(method))
    assert (found.tool, found.kind, found.effect) == (method, CONTROL, effect)


def test_an_answer_to_the_server_is_control_traffic():
    """To a question that it asked in between."""
    found = of(b'{"jsonrpc":"2.0","id":1,"result":{}}')
    assert (found.tool, found.kind, found.id) == ("response", CONTROL, b"")


def test_a_method_that_nobody_knows_is_a_call():
    """It might do anything."""
    found = of(request("admin/drop", "[1]"))
    assert (found.tool, found.kind, found.effect) == ("admin/drop", CALL, Effect.WRITE)


@pytest.mark.parametrize(
    "content",
    [
        calls("7"),
        calls('""'),
        calls('" look"'),
        calls('"lo\\u0000ok"'),
        calls('"%s"' % ("x" * 257)),
        calls('"look","name":"drop"'),
        calls('"look","Name":"drop"'),
        calls('"look","Arguments":{}'),
        request("tools/call", "[]"),
        b'{"jsonrpc":"2.0","id":7,"method":"tools/call"}',
        request("tools/call"),
        request("resources/read", '{"uri":7}'),
        request("x" * 257),
        calls('"look","_meta":{"io.modelcontextprotocol/ProtocolVersion":"x"}'),
    ],
)
def test_a_call_with_two_readings_is_refused(content):
    """By a server that reads letters alike, cuts blanks off, or takes the other of two members."""
    with pytest.raises(Ambiguous) as why:
        of(content)
    assert not isinstance(why.value, Mismatch)


names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20).filter(
    lambda name: name == name.strip() and "\\" not in name and '"' not in name
)


@given(names)
def test_headers_that_repeat_the_body_pass(name):
    """As they are, or in Base64 where they must be."""
    encoded = b"=?base64?" + base64.b64encode(name.encode()) + b"?="
    content = calls(f'"{name}"')
    assert of(content, mcp_method=b"tools/call", mcp_name=encoded).tool == name
    if not name.startswith("=?base64?"):
        assert of(content, mcp_name=name.encode()).tool == name


@pytest.mark.parametrize(
    "fields",
    [
        {"mcp_method": b"tools/list"},
        {"mcp_method": b"tools/call, tools/list"},
        {"mcp_name": b"drop"},
        {"mcp_name": b"=?base64?bG9vaw=?="},
        {"mcp_name": b"=?base64?ZHJvcA==?="},
        {"mcp_name": b"=?base64?bG9vaw===?="},
        {"mcp_protocol_version": b"2025-11-25"},
    ],
)
def test_headers_that_deny_the_body_are_refused(fields):
    """Whoever routes by them would be told something else."""
    meta = ',"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}'
    with pytest.raises(Mismatch):
        of(calls(more=meta), **fields)


def test_a_name_in_the_head_is_only_of_what_has_one_in_its_body():
    """Tasks may have one of theirs."""
    assert of(request("tasks/get", '{"taskId":"1"}'), mcp_name=b"1").tool == "tasks/get"


@pytest.mark.parametrize(
    ("header", "version", "era"),
    [
        (b"", "", False),
        (b"2025-11-25", "", False),
        (b"2026-07-28", "", True),
        (b"", "2026-07-28", True),
        (b"", "2027-01-01", True),
        (b"2026-07-28", "2025-06-18", False),
        (b"zzzz", "", False),
    ],
)
def test_eras_are_told_apart(header, version, era):
    """By what the message says, else by its header."""
    assert stateless({b"mcp-protocol-version": header} if header else {}, version) is era


def test_the_work_that_a_call_is_for_stands_in_its_meta():
    """Under names of ours, else as baggage has it; the trace as well."""
    own = ',"_meta":{"holdfast.dev/workflow":"w","holdfast.dev/task":"t","baggage":"task.id=x"}'
    found = of(calls(more=own))
    assert (found.workflow, found.task) == ("w", "t")
    usual = ',"_meta":{"baggage":"a=b, workflow.id = w;p=1,task.id=t","traceparent":"00-1-2-3"}'
    found = of(calls(more=usual))
    assert (found.workflow, found.task, found.trace) == ("w", "t", "00-1-2-3")
    nothing = of(calls(more=',"_meta":7'))
    assert (nothing.workflow, nothing.task, nothing.trace) == ("", "", "")


def test_what_a_call_gives():
    """A tool its arguments, another method its params, but for those of the protocol."""
    assert input_of(calls(more=',"arguments":{"a": 1}')) == b'{"a": 1}'
    assert input_of(calls()) == b""
    assert input_of(request("resources/read", '{"uri":"x","_meta":{}}')) == b'{"uri":"x"}'
    assert input_of(request("x/y", '{"_meta":{}}')) == b""
    assert input_of(b'{"method":"x/y"}') == b""
    assert input_of(b"[]") == b""


def test_methods_that_only_mcp_has():
    """`tasks/get` is one of another protocol as well."""
    assert knows_method(b'{"method":"tools/call"}')
    assert not knows_method(b'{"method":"tasks/get"}')


def test_a_call_that_comes_again_is_the_same_one():
    """With another id, and another way; nothing else of it may differ."""
    one = calls(more=',"arguments":{"a":1},"_meta":{"progressToken":1,"baggage":"x","k":1}')
    again = one.replace(b'"id":7', b'"id":"x"').replace(b'"progressToken":1', b'"progressToken":2')
    assert meant(one) == meant(again)
    for other in (
        one.replace(b'"a":1', b'"a":2'),
        one.replace(b'"k":1', b'"k":2'),
        one.replace(b'"look"', b'"drop"'),
        one.replace(b'"jsonrpc":"2.0",', b""),
    ):
        assert meant(other) != meant(one)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b", b"[1]", b'{"id":1}', b'{"id":1,"id":2}'])
def test_what_is_no_request_with_params_is_as_it_is(content):
    """Each byte of it counts."""
    assert meant(content) == content


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b"7", "7"),
        (b'"request-7"', "request-7"),
        (b"null", ""),
        (b"", ""),
        (b'"%b"' % (b"x" * 65), ""),
        (b'"\xc3\xa4"', ""),
        (b'"a\\nb"', ""),
        (b"1" * 65, ""),
    ],
)
def test_the_id_of_a_request_as_it_is_told(written: bytes, told: str) -> None:
    """Short and printed, or not at all: a client may put anything there."""
    assert id_of(written) == told


def test_the_version_that_is_spoken() -> None:
    """That of the message before that of the head; what is no date is none."""
    head = {b"mcp-protocol-version": b"2025-06-18"}
    assert version_of(head, "2026-07-28") == "2026-07-28"
    assert version_of(head, "") == "2025-06-18"
    assert version_of({}, "") == version_of({}, "draft") == ""
