"""Whose call is it? No spelling hides a tool (spec 2.2), no honest call is taken for a trick."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.call import Call, Effect, RequestHead
from proxy.protocols.document import Ambiguous, NotADocument
from proxy.protocols.protocol import Reads, Rules, Spelled
from proxy.protocols.tools import Argument, Tools
from proxy.refusal import Refusal
from tests.fakes import FakeBody, make_call
from tests.protocols.spellings import bodies

TOOLS = Tools()
JSON = {b"content-type": b"application/json"}
FREE = b'{"tool":"free","input":{}}'
STRICT = Rules()


def asked(
    content: bytes | None,
    fields: dict[bytes, bytes] = JSON,
    target: bytes = b"/",
    rules: Rules = STRICT,
    method: str = "POST",
) -> tuple[Call, Refusal | None]:
    """The call, as far as it was recognised, and what was said against it."""
    head = RequestHead(method, target, 1, [], fields)
    call = Call(id="c", head=head, body=FakeBody(content), started=0.0, target=target)
    return call, TOOLS.recognise(call, content, rules)


def tool_of(*args: Any, **more: Any) -> str | None:
    """The tool that was found, "" where it is no call of one, None where it was refused."""
    call, refusal = asked(*args, **more)
    if refusal is not None:
        return None
    assert call.tool
    return call.tool if call.layer == "tool" else ""


def reads(method: str = "POST", target: bytes = b"/", **fields: bytes) -> Reads:
    """What is read of a body under this head."""
    named = {name.replace("_", "-").encode(): value for name, value in fields.items()}
    return TOOLS.reads(RequestHead(method, target, 1, [], named))


# the body


def readings(content: bytes) -> set[str] | None:
    """What readers take for the tool: first, last, in any letters. None: it is no JSON."""
    try:
        pairs = json.loads(content, object_pairs_hook=Pairs)
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, Pairs):
        return {""}
    exact = [value for name, value in pairs if name == "tool"] or [""]
    loose = [value for name, value in pairs if name.casefold() == "tool"] or [""]
    found = (exact[0], exact[-1], loose[0], loose[-1])
    return {value if isinstance(value, str) else "no string" for value in found}


class Pairs(list):
    """An object: its members as they came."""


@given(bodies(), st.sampled_from([b"application/json", b"text/plain", b"", b"x/y+JSON"]))
@example(b'{"tool":"free","tool":"blocked"}', b"application/json")
@example('{"tool":"free"}'.encode("utf-16"), b"application/json")
@example(b'{"tool":"x"}\n{"tool":"y"}', b"text/plain")
@example(' {"tool":"blocked"}'.encode("utf-16-be"), b"text/plain")
def test_all_readers_find_the_tool_that_was_found(content, kind):
    """Readers that take the first of a name, the last, or any letters: all agree, or it is refused.

    What says that it is JSON and is not, whole and in UTF-8, is refused too.
    """
    found = tool_of(content, {b"content-type": kind})
    if found is None:
        return
    agreed = readings(content)
    if agreed is None:
        assert found == ""
        assert b"json" not in kind.lower()
        assert not content.lstrip().startswith((b"{", b"["))
    else:
        assert agreed == {found}
        if found or b"json" in kind.lower():
            json.loads(content.decode())


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5) | st.just("tool"), inner, max_size=4)
    ),
    max_leaves=20,
)
others = st.dictionaries(st.text(max_size=6).filter(lambda n: n.casefold() != "tool"), plain)


printed = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=256)
names = printed.filter(lambda name: name == name.strip())


@given(names, others, st.booleans(), st.booleans(), st.integers(0, 3))
def test_an_honest_call_is_recognised(tool, members, ascii_only, tool_first, spaces):
    """Whatever its name, its input and its style of writing: JSON as libraries write it passes."""
    envelope = {"tool": tool} | members if tool_first else members | {"tool": tool}
    content = json.dumps(envelope, ensure_ascii=ascii_only, indent=spaces or None).encode()
    assert tool_of(content) == tool
    assert tool_of(content, {b"content-type": b"text/plain"}) == tool
    assert tool_of(gzip.compress(content), JSON | {b"content-encoding": b"gzip"}) == tool


@given(plain.filter(lambda value: not isinstance(value, dict)))
def test_honest_json_without_a_tool_is_no_call_of_one(value):
    """Arrays, words and numbers pass as HTTP calls."""
    assert tool_of(json.dumps(value).encode()) == ""


@given(others)
def test_an_object_without_a_tool_is_no_call_of_one(members):
    """The same for objects."""
    assert tool_of(json.dumps(members).encode()) == ""


@pytest.mark.parametrize("value", ["7", "null", "[]", "{}", "true", '["blocked"]', "1.5"])
def test_a_tool_that_is_no_text_is_refused(value):
    """Some readers would make text of it."""
    call, refusal = asked(b'{"tool":%b}' % value.encode())
    assert refusal is not None
    assert (refusal.code, call.tool) == ("ambiguous_call", "")


def test_a_name_without_end_is_refused():
    """256 characters are a name, more are an attack on whoever keeps them."""
    assert tool_of(b'{"tool":"%b"}' % (b"a" * 256)) == "a" * 256
    assert tool_of(b'{"tool":"%b"}' % (b"a" * 257)) is None
    assert tool_of(b"{}", target=b"/v1/" + b"a" * 257) is None


def test_what_is_found_of_a_call():
    """Its layer, its tool, its path as policies match it, and the most careful effect."""
    call, refusal = asked(FREE, target=b"/%61/../run?q")
    assert refusal is None
    assert (call.protocol, call.layer, call.tool) == ("tools", "tool", "free")
    assert (call.path, call.usual_effect) == ("/run", Effect.WRITE)


@pytest.mark.parametrize("kind", [b"application/octet-stream", b"text/plain", b"image/png"])
@pytest.mark.parametrize("content", [b"", b"tool=blocked", b"\x89PNG{}", bytes(range(256))])
def test_what_does_not_look_like_json_is_no_call_of_a_tool(kind, content):
    """Forms, pictures, anything: HTTP calls."""
    call, refusal = asked(content, {b"content-type": kind}, b"/orders/17")
    assert (refusal, call.layer, call.tool) == (None, "http", "POST /orders/{id}")


def test_a_body_that_was_not_read_is_no_call_of_a_tool():
    """Its beginning showed that it need not be."""
    assert tool_of(None) == ""


# encodings of the body


@pytest.mark.parametrize(
    "kind",
    [
        b"application/json;charset=utf-8",
        b'application/json; Charset="UTF-8"; x=y',
        b"text/plain;charset=us-ascii",
        b"application/json; x=charset",
    ],
)
def test_utf_8_may_be_said_to_be_it(kind):
    """By its names, in any letters."""
    assert tool_of(FREE, {b"content-type": kind}) == "free"


@pytest.mark.parametrize(
    "kind",
    [
        b"application/json; charset=utf-7",
        b"application/json; charset=utf-16",
        b"text/plain ; CHARSET = 'utf-8'",
        b"application/json; charset=utf-8; charset=utf-7",
        b"application/json; charset=utf-7; charset=utf-8",
        b"application/json; charset=utf-8, application/json; charset=cp037",
    ],
)
def test_a_charset_that_is_not_utf_8_is_refused(kind):
    """Also beside one that is: which of the two a reader takes is not known."""
    assert tool_of(FREE, {b"content-type": kind}) is None
    assert tool_of(b'{"tool":"free","+AHQ-ool":"x"}', {b"content-type": kind}) is None


def test_what_is_packed_is_looked_into():
    """Under the same rules; the limit is of what comes out."""
    packed = JSON | {b"content-encoding": b"deflate"}
    assert tool_of(zlib.compress(FREE), packed) == "free"
    assert tool_of(zlib.compress(FREE + b" x"), packed) is None
    _, refusal = asked(zlib.compress(FREE + b" " * 100), packed, rules=Rules(body_buffer=99))
    assert refusal is not None
    assert refusal.code == "body_too_large"


def test_a_package_that_cannot_be_opened_is_refused():
    """With the reason of the coding."""
    _, refusal = asked(FREE, JSON | {b"content-encoding": b"br"})
    assert refusal is not None
    assert refusal.code == "unsupported_encoding"


# the way out


@pytest.mark.parametrize("content", [b'{"tool":', FREE + b" x", b"\xef\xbb\xbf{}", b"[" * 100])
def test_what_is_no_document_may_pass(content):
    """Where the upstream's settings say so; as an HTTP call, or one of the tool in the path."""
    lenient = Rules(pass_unrecognised=True)
    assert tool_of(content) is None
    assert tool_of(content, rules=lenient) == ""
    assert tool_of(content, rules=lenient, target=b"/v1/search") == "search"


# who and what for, from the input


@pytest.mark.parametrize(
    ("content", "target", "workflow", "task"),
    [
        (b'{"tool":"t","input":{"workflow_id":"w","task_id":"k"}}', b"/", "w", "k"),
        (b'{"tool":"t","input":{"workflow_id":"w"}}', b"/", "w", "w"),
        (b'{"tool":"t","input":{"task_id":"k"}}', b"/", "", "k"),
        (b'{"workflow_id":"w"}', b"/v1/t", "w", "w"),
        (b'{"tool":"t","workflow_id":"w"}', b"/", "", ""),
        (b'{"tool":"t","input":{"x":{"workflow_id":"w"}}}', b"/", "", ""),
        (b'{"tool":"t","input":{"workflow_id":7}}', b"/", "", ""),
        (b'{"tool":"t","input":["workflow_id"]}', b"/", "", ""),
        (b'{"tool":"workflow_id"}', b"/", "", ""),
    ],
)
def test_the_input_may_name_the_workflow(content, target, workflow, task):
    """As text, at its top; anything else is the tool's own business."""
    call, refusal = asked(content, target=target)
    assert refusal is None
    assert (call.workflow, call.task) == (workflow, task)


def test_a_header_goes_before_the_input():
    """What was named already stays."""
    call, _ = asked(None)
    call.workflow, call.task = "from a header", "of a header"
    content = b'{"tool":"t","input":{"workflow_id":"w","task_id":"k"}}'
    assert TOOLS.recognise(call, content, STRICT) is None
    assert (call.workflow, call.task) == ("from a header", "of a header")


def test_an_id_of_the_input_is_no_longer_than_one_of_a_header():
    """128 characters: it stands in logs and in the memory of limits."""
    content = b'{"tool":"t","input":{"workflow_id":"%b","task_id":"%b"}}' % (b"w" * 999, b"k" * 999)
    call, _ = asked(content)
    assert (len(call.workflow), len(call.task)) == (128, 128)


# what is read


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (reads(content_type=b"application/json"), Reads.WHOLE),
        (reads(content_type=b"Application/Problem+JSON; x=y"), Reads.WHOLE),
        (reads(), Reads.WHOLE),
        (reads(content_type=b""), Reads.WHOLE),
        (reads(content_type=b"text/plain"), Reads.BEGINNING),
        (reads(content_type=b"image/png"), Reads.BEGINNING),
        (reads(content_type=b"image/png", content_encoding=b"gzip"), Reads.WHOLE),
        (reads(content_type=b"image/png", target=b"/v1/search"), Reads.WHOLE),
        (reads(content_type=b"image/png", target=b"/v1//search"), Reads.WHOLE),
        (reads("GET", content_type=b"application/json"), Reads.NOTHING),
        (reads("PUT", content_type=b"application/json"), Reads.NOTHING),
    ],
)
def test_what_must_be_read(found, expected):
    """All of a POST that may be a call; of others the beginning, of other methods nothing."""
    assert found is expected


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", ['{"tool":"x"}', '[{"tool":"x"}]'])
def test_a_beginning_that_may_become_json_is_read_on(text, encoding):
    """In any encoding, however little of it has come."""
    whole = text.encode(encoding)
    assert all(TOOLS.looks_read(whole[:length]) for length in range(len(whole) + 1))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_white_space_before_json_does_not_hide_it(encoding):
    """In no encoding; nor does it tell that JSON will come: it is read until that is known."""
    assert TOOLS.looks_read(" \r\n\t".encode(encoding))
    assert TOOLS.looks_read(" \r\n\t{".encode(encoding))


@pytest.mark.parametrize("start", [b"tool=x", b"\x89PNG", b"<", b'"{', b"--boundary", b"\0x", b"7"])
def test_a_beginning_that_is_no_json_is_not(start):
    """It streams."""
    assert not TOOLS.looks_read(start)


def test_what_is_nested_beyond_reading_is_refused():
    """A parser that gives up in the depth must not bring the call down."""
    content = b'{"input":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    assert tool_of(content) is None


@pytest.mark.parametrize(
    "name", ["deposit\\u0000", "deposit ", " deposit", "de\\nposit", "\\u0085x"]
)
def test_a_name_that_some_tools_cut_short_is_refused(name):
    """They would run another tool than the policies were asked about."""
    found = asked(b'{"tool":"%b","input":{}}' % name.encode())[1]
    assert found is not None
    assert found.code == "ambiguous_call"


def given_to(content, path=("key",), **changes):
    """What a call gives as an argument."""
    fields = {name.replace("_", "-").encode(): value for name, value in changes.items()}
    call = make_call(fields, body=FakeBody(content), protocol="tools")
    return Argument(path).of(call)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b'{"tool": "x", "input": {"key": "a"}, "key": "b"}', "a"),
        (b'{"tool": "x", "key": "b"}', None),
        (b'{"key": "b"}', "b"),
        (b'{"tool": "", "input": {"key": "a"}, "key": "b"}', "b"),
        (b"key=b", None),
        (b'"key"', None),
        (b'{"tool": 5, "key": "b"}', None),
        (b"", None),
        (None, None),
    ],
)
def test_an_argument_is_looked_for_in_the_tools_input(content, found):
    """That is the body itself where the path names the tool."""
    assert given_to(content) == found


def test_an_argument_is_found_in_a_packed_body():
    """What was forwarded stays as it came."""
    assert given_to(gzip.compress(b'{"key": "a"}'), content_encoding=b"gzip") == "a"
    assert given_to(b"no gzip", content_encoding=b"gzip") is None
    padded = b'{"key": "a"}'.ljust(60_000)
    assert given_to(gzip.compress(padded), content_encoding=b"gzip") == "a"


def test_a_call_of_mcp_has_its_arguments_in_its_message():
    """Not beside them, where the protocol has its own."""
    content = b'{"method":"tools/call","params":{"key":"b","arguments":{"key":"a"}}}'
    call = make_call(body=FakeBody(content), protocol="mcp")
    assert Argument(("key",)).of(call) == "a"


def test_plain_http_has_no_arguments():
    """Whatever its body looks like."""
    call = make_call(body=FakeBody(b'{"key": "a"}'), protocol="http")
    assert Argument(("key",)).of(call) is None


# its arguments


def arguments(content: bytes, target: bytes = b"/", base: bytes = b"") -> Any:
    """The arguments of a call; why there is more than one reading, where there is."""
    call, refusal = asked(content, JSON, target, Rules(base=base))
    assert refusal is None
    try:
        return TOOLS.arguments(call).value
    except NotADocument:
        return None
    except Ambiguous as why:
        return str(why)


TWO = "the body is the tool's input, and has one"
OTHER = "the body names input in another spelling"


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"tool":"x","input":{"a":1}}', {"a": 1}),
        (b'{"tool":"x","input":{"a":1},"b":2}', {"a": 1}),
        (b'{"tool":"x","a":1}', {}),
        (b'{"tool":"x","input":[1]}', [1]),
        (b'{"tool":"x","input":{"input":{}}}', {"input": {}}),
        (b'{"tool":"x","INPUT":{"a":1}}', OTHER),
        (b'{"tool":"x","input":{"a":1},"Input":{"a":2}}', OTHER),
        (b'{"tool":"x","input":{"a":1,"a":2}}', "the arguments name a member twice"),
    ],
)
def test_the_arguments_are_the_input(content, value):
    """Where the body names the tool."""
    assert arguments(content) == value


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a":1}', {"a": 1}),
        (b"[1]", [1]),
        (b'{"tool":"x","a":1}', {"tool": "x", "a": 1}),
        (b'{"tool":"x","input":{"a":1}}', {"a": 1}),
        (b'{"input":{"a":1}}', {"a": 1}),
        (b'{"input":"a text","a":1}', {"input": "a text", "a": 1}),
        (b'{"input":{"a":1},"a":2}', TWO),
        (b'{"tool":"x","input":{"a":1},"a":2}', TWO),
        (b'{"a":2,"Input":{"a":1}}', OTHER),
    ],
)
def test_the_arguments_are_the_body_where_the_path_names_the_tool(content, value):
    """It may still come in an envelope, but not in something between the two."""
    assert arguments(content, b"/v1/x") == value
    assert arguments(content, b"/x", base=b"/v1") == value


def test_arguments_are_read_through_their_coding():
    """Of the body as it came."""
    content = gzip.compress(b'{"tool":"x","input":{"a":1}}')
    call, refusal = asked(content, JSON | {b"content-encoding": b"gzip"})
    assert refusal is None
    assert call.content == content
    assert TOOLS.arguments(call).value == {"a": 1}


def test_without_a_body_there_are_no_arguments():
    """A tool may take none."""
    call, _ = asked(b"", {}, b"/v1/x")
    assert TOOLS.arguments(call).value == {}


def test_what_is_no_json_has_no_arguments():
    """A form may name its tool by the path: what is in it is not known."""
    call, _ = asked(b"a=1", {b"content-type": b"text/plain"}, b"/v1/x")
    with pytest.raises(NotADocument):
        TOOLS.arguments(call)


@pytest.mark.parametrize(
    ("tool", "method", "target", "content", "spelled"),
    [
        ("pay", "", b"", b"", ("POST", b"/", b'{"tool":"pay","input":{}}')),
        ("pay", "POST", b"/x", b'{"a":1}', ("POST", b"/x", b'{"tool":"pay","input":{"a":1}}')),
        ("", "", b"/v1/pay", b"{}", ("POST", b"/v1/pay", b"{}")),
        ("GET /a", "", b"", b"", ("GET", b"/a", b"")),
        ("", "GET", b"/a", b"", ("GET", b"/a", b"")),
    ],
)
def test_how_a_tool_is_called(
    tool: str, method: str, target: bytes, content: bytes, spelled: tuple[str, bytes, bytes]
) -> None:
    """By the envelope; what is no call of a tool as plain HTTP has it."""
    assert TOOLS.spell(tool, method, target, content) == Spelled(*spelled)


def test_what_is_spelled_is_recognised() -> None:
    """As that tool's call."""
    found = TOOLS.spell("pay", "", b"", b'{"a":1}')
    assert tool_of(found.body, target=found.target, method=found.method) == "pay"
