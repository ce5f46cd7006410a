"""One key for all sendings of a call."""

import gzip
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Call, RequestHead, Whole
from proxy.protocols.protocol import Rules
from proxy.protocols.recognise import A2A
from proxy.refusal import Refusal
from proxy.stage import Site
from proxy.stages.idempotency import Idempotency, IdempotencyKey, KeyHeader, KeySource
from tests.fakes import make_ground, make_target

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def call(*headers: tuple[bytes, bytes], body: Any = None, **members: Any) -> Call:
    """A call of a tool by its envelope, with these header lines."""
    lines = [(name.lower(), name, value) for name, value in headers]
    fields = {lower: value for lower, _, value in lines}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = RequestHead("POST", b"/", 1, lines, fields)
    members = {"protocol": "tools", "tool": "pay"} | members
    return Call(id="c1", head=head, body=Whole(raw), started=1000.0, **members)


def paying(**arguments: Any) -> Call:
    """A call with these arguments."""
    return call(body={"tool": "pay", "input": arguments})


def gate(*sources: str, shadow: bool = False, **fields: Any) -> IdempotencyKey:
    """The gate of a section; no `sources`: the usual ones."""
    if sources:
        fields["sources"] = tuple(map(KeySource, sources))
    section = Idempotency(**fields)
    site = Site(make_target(), make_ground(shadow=shadow), "keyed")
    return IdempotencyKey.build(section, site)


def admitted(subject: Call, *sources: str, **fields: Any) -> tuple[str, bytes]:
    """The key of a call, and what is added to what goes upstream."""
    assert gate(*sources, **fields).admit(subject) is None
    return subject.idempotency_key, subject.extra


def refused(subject: Call) -> Refusal:
    """The refusal of a call, which has no key then."""
    refusal = gate().admit(subject)
    assert refusal is not None
    assert (subject.idempotency_key, subject.extra) == ("", b"")
    assert (refusal.policy, refusal.retryable, refusal.step) == ("keyed", False, "retry_modified")
    return refusal


# --- by chance ---


def test_a_call_without_a_key_gets_one() -> None:
    """A UUID of version 4, another one for each call, also where the arguments are the same."""
    made, ground = gate(), [paying(amount=5) for _ in range(3)]
    for subject in ground:
        assert made.admit(subject) is None
        assert re.fullmatch(UUID, subject.idempotency_key)
        assert subject.extra == b"Idempotency-Key: %b\r\n" % subject.idempotency_key.encode()
    assert len({subject.idempotency_key for subject in ground}) == 3


def test_none_is_made_where_that_is_not_wanted() -> None:
    """`inject: false`."""
    assert admitted(paying(), inject=False) == ("", b"")


# --- the agent's own, in its head ---


def test_the_agents_own_header_is_the_key() -> None:
    """It goes on as it came, and nothing is added; it goes before what the arguments say."""
    own = call(
        (b"idempotency-KEY", b"k-1"), body={"tool": "pay", "input": {"idempotency_key": "k-2"}}
    )
    assert admitted(own) == ("k-1", b"")
    assert admitted(call((b"Idempotency-Key", b'"k-1"')), quoted=True) == ("k-1", b"")


@pytest.mark.parametrize("value", [b"", b"x" * 256, b"a\tb", b"k\xe9", b'""'])
def test_a_header_that_is_no_key_is_not_counted_on(value: bytes) -> None:
    """It is passed on, for it is the agent's; but a write is not repeated because of it."""
    assert admitted(call((b"Idempotency-Key", value))) == ("", b"")


def test_of_two_headers_none_is_counted_on() -> None:
    """Nobody knows which one the upstream takes."""
    assert admitted(call((b"Idempotency-Key", b"a"), (b"idempotency-key", b"b"))) == ("", b"")


def test_a_policy_may_not_believe_headers() -> None:
    """The agent's is passed on all the same, and there cannot be two."""
    own = call(
        (b"Idempotency-Key", b"k-1"), body={"tool": "pay", "input": {"idempotency_key": "k"}}
    )
    assert admitted(own, "input.idempotency_key") == ("", b"")


def test_a_header_that_stays_on_this_hop_is_none() -> None:
    """What `Connection` names does not reach the upstream, and is not counted on as if it did."""
    own = call((b"Idempotency-Key", b"k-1"), (b"Connection", b"Idempotency-Key"))
    key, line = admitted(own)
    assert re.fullmatch(UUID, key)
    assert key.encode() in line


def test_the_header_may_have_another_name() -> None:
    """Then that one counts."""
    assert admitted(call((b"x-key", b"k-1")), header=KeyHeader("X-Key")) == ("k-1", b"")
    key, line = admitted(call((b"Idempotency-Key", b"k")), header=KeyHeader("X-Key"))
    assert line == b"X-Key: %b\r\n" % key.encode()


# --- the agent's own, in its arguments ---


def message(message_id: str, **members: Any) -> Call:
    """A call of an agent, as JSON-RPC."""
    params = {"message": {"messageId": message_id}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
    sent = call(body=body, **members)
    assert A2A.recognise(sent, sent.body.whole, Rules()) is None
    return sent


def test_the_id_of_a_message_to_an_agent_is_a_key() -> None:
    """Where it is a source, after those before it; one that no header can hold is none."""
    assert admitted(message("m-1")) == ("m-1", b"Idempotency-Key: m-1\r\n")
    assert re.fullmatch(UUID, admitted(message("m-1"), "header", "input.idempotency_key")[0])
    said = refused(message("m\n1"))
    assert said.code == "bad_request"
    assert said.detail.startswith("messageId must be a text of 1 to 255 printable")


def test_a_key_in_the_arguments_is_put_into_the_header() -> None:
    """The first of the sources that holds one; the body stays as it is."""
    subject = paying(idempotency_key="k-1", ref={"id": "k-2"})
    body = subject.body.whole
    assert admitted(subject) == ("k-1", b"Idempotency-Key: k-1\r\n")
    assert subject.body.whole == body
    deep = paying(ref={"id": "k-2"})
    assert admitted(deep, "input.nothing", "input.ref.id")[0] == "k-2"


def test_a_body_that_is_the_input_is_looked_into() -> None:
    """Where the path names the tool."""
    assert admitted(call(body={"idempotency_key": "k-1"}))[0] == "k-1"


def test_a_body_that_is_packed_is_looked_into() -> None:
    """As policies read it anyhow."""
    packed = gzip.compress(json.dumps({"idempotency_key": "k-1"}).encode())
    assert admitted(call((b"Content-Encoding", b"gzip"), body=packed))[0] == "k-1"


@pytest.mark.parametrize("empty", [None, ""])
def test_an_argument_that_says_nothing_is_none(empty: Any) -> None:
    """Models fill in what they need not."""
    assert re.fullmatch(UUID, admitted(paying(idempotency_key=empty))[0])


@pytest.mark.parametrize(
    "wrong", [5, True, ["k"], {"k": 1}, "x" * 256, "a\nb", "k\u00e9", " k", "k ", "a\u0000b", " "]
)
def test_what_cannot_stand_in_a_header_is_refused(wrong: Any) -> None:
    """With another key the agent's repetition would run a second time, unseen."""
    refusal = refused(paying(idempotency_key=wrong))
    assert refusal.code == "bad_request"
    assert refusal.detail.startswith("input.idempotency_key must be a text")


def test_a_key_given_twice_is_ambiguous() -> None:
    """The upstream might take the other one."""
    body = b'{"tool": "pay", "input": {"idempotency_key": "a", "idempotency_key": "b"}}'
    assert refused(call(body=body)).code == "ambiguous_call"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=255))
def test_a_quoted_key_is_a_string_of_structured_fields(key: str) -> None:
    """RFC 9651: what is in the quotes can be read back."""
    _, line = admitted(paying(idempotency_key=key), quoted=True)
    text = line.decode().removeprefix("Idempotency-Key: ").removesuffix("\r\n")
    assert (text[0], text[-1]) == ('"', '"')
    assert re.sub(r"\\(.)", r"\1", text[1:-1]) == key


# --- shadow, and what it says ---


def test_a_shadow_gives_no_key() -> None:
    """It only says whom it would refuse."""
    subject = paying(idempotency_key="k")
    assert gate(shadow=True).admit(subject) is None
    assert (subject.idempotency_key, subject.extra) == ("", b"")
    refusal = gate(shadow=True).admit(paying(idempotency_key=5))
    assert refusal is not None
    assert refusal.code == "bad_request"


@pytest.mark.parametrize(
    ("subject", "inject", "note"),
    [
        (call((b"Idempotency-Key", b"k")), True, "the agent's own key"),
        (call((b"Idempotency-Key", b"")), True, "a header that is no key"),
        (paying(idempotency_key="k"), True, "the agent's own key, of its arguments"),
        (paying(), True, "a key made for this call"),
        (paying(), False, "no key"),
    ],
)
def test_it_says_whose_key_it_would_be(subject: Call, inject: bool, note: str) -> None:
    """And changes nothing."""
    assert gate(inject=inject).says(subject).note == note
    assert (subject.idempotency_key, subject.extra) == ("", b"")


# --- the section ---


@pytest.mark.parametrize(
    "text", ["", "a b", "Host", "content-length", "Authorization", "holdfast-key", "TE", 5]
)
def test_headers_with_a_meaning_of_their_own_are_refused(text: object) -> None:
    """A key in them would break the message, or tell somebody a lie."""
    with pytest.raises(ValueError, match="expected a header"):
        KeyHeader.parse(text)
    assert KeyHeader.parse("X-Request-Key") == "X-Request-Key"


@pytest.mark.parametrize("text", ["", "input", "input.", "input.a b", "body.key", "headers", 5])
def test_sources_that_there_are_not(text: object) -> None:
    """What is allowed is said."""
    with pytest.raises(ValueError, match="expected header, messageId or a path such as"):
        KeySource.parse(text)
    assert KeySource.parse("messageId") == "messageId"


def test_a_call_that_passes_once_more_keeps_its_key() -> None:
    """One key for one call, and one line of it."""
    stage = IdempotencyKey.build(Idempotency(inject=True), Site(make_target(), make_ground(), "p"))
    once = call(body={})
    stage.admit(once)
    key, extra = once.idempotency_key, once.extra
    stage.admit(once)
    assert (once.idempotency_key, once.extra) == (key, extra)
    assert extra
