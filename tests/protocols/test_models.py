"""Calls of language models: what the APIs of all vendors have in common."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import CALL, CONTROL, Call, Effect, RequestHead
from proxy.protocols.anthropic import Anthropic
from proxy.protocols.document import Ambiguous, NotADocument
from proxy.protocols.models import Models, Spoken, spoken_of
from proxy.protocols.openai import OpenAI
from proxy.protocols.protocol import Reads, Rules, Spelled
from proxy.refusal import Refusal
from proxy.reply import Reply
from tests.fakes import FakeBody
from tests.protocols.spellings import bodies

OPENAI, ANTHROPIC = OpenAI(), Anthropic()
JSON = {b"content-type": b"application/json"}
FORM = {b"content-type": b"multipart/form-data; boundary=x"}
PLACES = [(OPENAI, b"/v1/chat/completions"), (ANTHROPIC, b"/v1/messages")]
both = pytest.mark.parametrize(("protocol", "target"), PLACES, ids=["openai", "anthropic"])
STRICT = Rules()


def asked(
    protocol: Models,
    target: bytes,
    content: Any,
    fields: dict[bytes, bytes] = JSON,
    rules: Rules = STRICT,
    method: str = "POST",
) -> tuple[Call, Refusal | None]:
    """The call, as far as it was recognised, and what was said against it."""
    if not isinstance(content, bytes | None):
        content = json.dumps(content).encode()
    head = RequestHead(method, target, 1, [], fields)
    call = Call(id="c", head=head, body=FakeBody(content), started=0.0, target=target)
    return call, protocol.recognise(call, content, rules)


def recognised(*args: Any, **more: Any) -> Call:
    """The call, which nothing was said against."""
    call, refusal = asked(*args, **more)
    assert refusal is None
    return call


@both
def test_a_model_is_called(protocol: Models, target: bytes) -> None:
    """It is the tool, and it can be asked again."""
    call = recognised(protocol, target, {"model": "m-1", "messages": []})
    assert (call.protocol, call.layer, call.tool, call.model) == (
        protocol.name,
        "llm",
        "m-1",
        "m-1",
    )
    assert (call.usual_effect, call.kind, call.path) == (Effect.READ, CALL, target.decode())
    assert (call.stream, call.output, call.tool_in_path) == (False, -1, False)
    assert call.tokens == pytest.approx(len(call.content or b"") / protocol.bytes_per_token, abs=1)


@both
@pytest.mark.parametrize("content", [{"messages": []}, {"model": None}, {"model": ""}, [], "x"])
def test_where_no_model_is_named_the_operation_stands_for_it(
    protocol: Models, target: bytes, content: Any
) -> None:
    """A policy for models sees it all the same."""
    call = recognised(protocol, target, content)
    assert (call.layer, call.model) == ("llm", "")
    assert target.endswith(b"/" + call.tool.encode())


@both
def test_a_form_is_a_call_of_its_operation(protocol: Models, target: bytes) -> None:
    """Read or not: its model is not looked for."""
    for content in (None, b"--x\r\n", b""):
        call = recognised(protocol, target, content, FORM)
        assert (call.layer, call.model, call.tokens) == ("llm", "", 1500)


@both
@pytest.mark.parametrize("content", [None, b"", b"a=b", b"[]", b'{"x":1}', b'{"model":7}'])
def test_what_names_no_model_elsewhere_is_plain_http(
    protocol: Models, target: bytes, content: bytes | None
) -> None:
    """Also what SDKs post without a body, though they say that it is JSON."""
    fields = JSON if content in (b"", b"[]", b'{"x":1}', b'{"model":7}') else {}
    call = recognised(protocol, b"/v1/things/thing_123456/cancel", content, fields)
    assert (call.protocol, call.layer, call.model) == ("http", "http", "")
    assert call.tool == "POST /v1/things/{id}/cancel"
    assert call.spoken is None


@both
def test_a_model_elsewhere_may_leave_something_behind(protocol: Models, target: bytes) -> None:
    """Nobody knows what the path does; it is a call of that model all the same."""
    call = recognised(protocol, b"/v1/fine_tuning/jobs", {"model": "m", "training_file": "f"})
    assert (call.layer, call.tool, call.usual_effect) == ("llm", "m", Effect.WRITE)


@both
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", [b"/v1/models", b"/v1/models/m-1?x=1"])
def test_asking_for_models_sets_up_calls(
    protocol: Models, target: bytes, path: bytes, method: str
) -> None:
    """It is never refused for a tool's reasons."""
    call = recognised(protocol, path, None, {}, method=method)
    assert (call.kind, call.protocol, call.layer) == (CONTROL, "http", "http")


@both
@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", b"/v1/models/m"), ("GET", b"/v1/files"), ("GET", b"/v1/models/..%2Ffiles")],
)
def test_other_methods_are_plain_http(
    protocol: Models, target: bytes, method: str, path: bytes
) -> None:
    """And calls."""
    call = recognised(protocol, path, None, {}, method=method)
    assert (call.kind, call.protocol) == (CALL, "http")
    assert protocol.reads(call.head) is Reads.NOTHING


@both
@pytest.mark.parametrize(
    "content",
    [
        b'{"model":"free","model":"dear"}', b'{"model":"free","Model":"dear"}',
        b'{"MODEL":"dear"}', b'{"\\u004dodel":"dear"}', b'{"model":7}', b'{"model":["dear"]}',
        b'{"model":" dear"}', b'{"model":"dear\\u0000"}', b'{"model":"' + b"x" * 257 + b'"}',
        b'{"model":"free","max_tokens":1,"max_tokens":9999}',
        b'{"model":"free","max_tokens":1,"MAX_TOKENS":9999}', b'{"model":"free","Stream":true}',
    ],
)  # fmt: skip
def test_what_has_two_readings_is_refused(protocol: Models, target: bytes, content: bytes) -> None:
    """A second model, one in other letters, a name that some cut; a second limit."""
    for rules in (STRICT, Rules(pass_unrecognised=True)):
        call, refusal = asked(protocol, target, content, rules=rules)
        assert refusal is not None
        assert refusal.code == "ambiguous_call"
        assert (call.tool, call.protocol) == ("", protocol.name)


@both
@pytest.mark.parametrize(
    "content",
    [b'{"model":"x"', b'{"model":"x"} {}', b"\xef\xbb\xbf{}", b'{"model":"\xff"}',
     '{"model":"x"}'.encode("utf-16"), b'{"a":' * 65 + b"1" + b"}" * 65],
)  # fmt: skip
def test_what_is_not_one_document_is_refused_unless_it_may_pass(
    protocol: Models, target: bytes, content: bytes
) -> None:
    """Then it is a call of its operation: nobody knows which model it is for."""
    _, refusal = asked(protocol, target, content, {})
    assert refusal is not None
    assert refusal.code == "ambiguous_call"
    call = recognised(protocol, target, content, rules=Rules(pass_unrecognised=True))
    assert (call.layer, call.model) == ("llm", "")


@both
def test_a_body_may_be_encoded(protocol: Models, target: bytes) -> None:
    """It is decoded to look; what cannot be is refused."""
    content = gzip.compress(b'{"model":"m","max_tokens":5}')
    call = recognised(protocol, target, content, JSON | {b"content-encoding": b"gzip"})
    assert (call.tool, call.output, call.content) == ("m", 5, content)
    assert protocol.arguments(call).value == {"model": "m", "max_tokens": 5}
    _, refusal = asked(protocol, target, content, JSON | {b"content-encoding": b"br"})
    assert refusal is not None
    assert refusal.code == "unsupported_encoding"
    form = recognised(protocol, target, None, FORM | {b"content-encoding": b"br"})
    assert form.layer == "llm"


@both
def test_a_path_that_leads_out_is_refused(protocol: Models, target: bytes) -> None:
    """As from any upstream with a path of its own."""
    _, refusal = asked(protocol, b"/../.." + target, {"model": "m"}, rules=Rules(base=b"/base"))
    assert refusal is not None
    assert refusal.code == "ambiguous_call"


@both
@given(bodies(), st.booleans())
def test_all_readers_find_the_model_that_was_found(
    protocol: Models, target: bytes, content: bytes, lenient: bool
) -> None:
    """Or it is refused: the same bodies as for tools, with a model in the tool's place."""
    content = (
        content.replace(b"tool", b"model").replace(b"Tool", b"Model").replace(b"TOOL", b"MODEL")
    )
    call, refusal = asked(protocol, target, content, rules=Rules(pass_unrecognised=lenient))
    if refusal is not None or not call.model:
        return
    pairs = json.loads(content.decode(), object_pairs_hook=list)
    assert [value for name, value in pairs if name.casefold() == "model"] == [call.model]


@both
def test_what_names_the_work_is_its_metadata(protocol: Models, target: bytes) -> None:
    """Where no header does."""
    content = {"model": "m", "metadata": {"workflow_id": "w", "task_id": "t"}}
    call = recognised(protocol, target, content)
    assert (call.workflow, call.task) == ("w", "t")
    call = Call("c", call.head, call.body, 0.0, target, workflow="theirs", task="own")
    assert protocol.recognise(call, json.dumps(content).encode(), STRICT) is None
    assert (call.workflow, call.task) == ("theirs", "own")


@both
def test_all_of_a_body_is_its_input(protocol: Models, target: bytes) -> None:
    """Where it has two readings, that is said."""
    call = recognised(protocol, target, {"model": "m", "temperature": 1, "stream": True})
    assert protocol.arguments(call).value == {"model": "m", "temperature": 1, "stream": True}
    call = recognised(protocol, target, b'{"model":"m","y":{"x":1,"x":2}}')
    with pytest.raises(Ambiguous):
        protocol.arguments(call)
    with pytest.raises(NotADocument):
        protocol.arguments(recognised(protocol, target, None, FORM))
    assert protocol.arguments(recognised(protocol, target, b"")).value == {}


@both
def test_calls_are_alike_if_all_of_their_bodies_is(protocol: Models, target: bytes) -> None:
    """A stream is no answer to who asked for none, and another model is another."""
    canonical = protocol.canonical()
    one = canonical(b'{"model":"m","stream":true}', ())
    assert one is not None
    assert one == canonical(b'{ "stream":true, "\\u006dodel":"m" }', ())
    assert one != canonical(b'{"model":"m"}', ())
    assert one == canonical(b'{"model":"m","stream":true,"user":"u"}', (("user",),))


@both
def test_bodies_are_read_where_a_model_may_be_in_them(protocol: Models, target: bytes) -> None:
    """Whatever they say that they are, but for forms: of these the beginning is."""

    def reads(path: bytes, **fields: bytes) -> Reads:
        named = {name.replace("_", "-").encode(): value for name, value in fields.items()}
        return protocol.reads(RequestHead("POST", path, 1, [], named))

    assert reads(target) is Reads.WHOLE
    assert reads(target, content_type=b"text/plain") is Reads.WHOLE
    assert reads(target, content_type=b"Multipart/form-data") is Reads.BEGINNING
    assert reads(target, content_type=b"multipart/x", content_encoding=b"gzip") is Reads.WHOLE
    assert reads(b"/x", content_type=b"application/json") is Reads.WHOLE
    assert reads(b"/x", content_type=b"image/png") is Reads.BEGINNING
    assert protocol.looks_read(b" {")
    assert not protocol.looks_read(b"--x")


@both
def test_a_call_can_be_spelled(protocol: Models, target: bytes) -> None:
    """What is spelled is recognised."""
    spelled = protocol.spell("m-1", "", b"", b'{"max_tokens":5,"model":"other"}')
    assert spelled == Spelled("POST", target, b'{"model":"m-1","max_tokens":5}')
    call = recognised(protocol, spelled.target, spelled.body)
    assert (call.tool, call.output) == ("m-1", 5)
    assert protocol.spell("m", "POST", b"/x", b"").body == b'{"model":"m"}'
    assert protocol.spell("", "", target, b"{}") == Spelled("POST", target, b"{}")
    assert protocol.spell("GET /v1/models", "", b"", b"") == Spelled("GET", b"/v1/models")
    with pytest.raises(ValueError, match="object"):
        protocol.spell("m", "", b"", b"[]")


@both
def test_its_operations_are_known_where_no_protocol_is_said(
    protocol: Models, target: bytes
) -> None:
    """By path and body: a tool may be called like an operation of one word."""
    head = RequestHead("POST", target, 1, [], JSON)
    assert protocol.knows(head, b'{"model":"m"}')
    assert protocol.knows(head, b'{"Model":"m"}')
    word = RequestHead(
        "POST", b"/v1/messages" if protocol is ANTHROPIC else b"/v1/responses", 1, [], {}
    )
    assert not protocol.knows(word, b'{"tool":"x","input":{"model":"m"}}')
    assert not protocol.knows(word, b"a=b")
    assert not protocol.knows(word, None)
    assert not protocol.knows(RequestHead("GET", target, 1, [], JSON), b'{"model":"m"}')
    assert not protocol.knows(RequestHead("POST", b"/v1/search", 1, [], JSON), b'{"model":"m"}')


def test_what_is_no_call_of_a_model_was_asked_nothing() -> None:
    """Its answer has no operation."""
    call, _ = asked(OPENAI, b"/v1/files", b"a=b", {})
    assert spoken_of(call) == Spoken()


@both
def test_what_holds_no_words_is_not_listened_to(protocol: Models, target: bytes) -> None:
    """Sounds, redirects, errors; answers to what is no call of a model. Who says nothing of what
    it sends is given a hearing."""
    call = recognised(protocol, target, {"model": "m"})

    def heard(status: int, kind: bytes | None) -> bool:
        fields = {} if kind is None else {b"content-type": kind}
        return protocol.hears(call, Reply(status, fields=fields)) is not None

    assert heard(200, b"application/json; charset=utf-8")
    assert heard(201, b"text/event-stream")
    assert heard(200, b"application/x-ndjson")
    assert heard(200, None)
    assert not heard(200, b"audio/mpeg")
    assert not heard(302, None)
    assert not heard(529, b"application/json")
    call.spoken = None
    assert not heard(200, None)


@pytest.mark.parametrize("protocol", [OpenAI(), Anthropic()])
def test_who_asked_for_a_stream_reads_no_body_of_a_policy(protocol: Models) -> None:
    """But that of an error: SDKs look at the status first."""
    targets = {"openai": b"/v1/chat/completions", "anthropic": b"/v1/messages"}
    plain, streams = (
        asked(protocol, targets[protocol.name], {"model": "m", "stream": wish})[0]
        for wish in (False, True)
    )
    assert protocol.reads_body(plain, 200)
    assert (protocol.reads_body(streams, 200), protocol.reads_body(streams, 503)) == (False, True)
    assert protocol.result(plain, {}) is None


@both
def test_a_call_in_the_words_of_its_api(protocol: Models, target: bytes) -> None:
    """Its operation, as the path names it; a model that stands elsewhere has none."""
    known = recognised(protocol, target, {"model": "m"})
    assert f"/v1/{protocol.describe(known).operation}".encode() == target
    elsewhere = recognised(protocol, b"/else", {"model": "m"})
    assert protocol.describe(elsewhere).operation == ""
