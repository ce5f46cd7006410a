"""Heads as they are sent on: every byte, but for what a proxy must change (spec 2.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Header, RequestHead
from proxy.wire.compose import (
    HOP_BY_HOP,
    RequestWriter,
    answer_lines,
    answers_without_body,
    trailer_section,
    with_content,
)
from proxy.wire.head import Limits, parse_answer_head, parse_request_head
from tests.harness import answer, request

VIA = "Via: 1.1 holdfast-me"
HOST = "Host: up.test:81"


def head_of(raw: bytes) -> RequestHead:
    """A request's head, which must be valid."""
    head = parse_request_head(raw[: raw.index(b"\r\n\r\n") + 4], Limits())
    assert isinstance(head, RequestHead), head
    return head


def sent(
    raw: bytes,
    *,
    base: bytes = b"",
    host: bytes | None = b"up.test:81",
    credentials: tuple[tuple[bytes, bytes], ...] = (),
    credential: int = 0,
    extra: bytes = b"",
    expect: bool = False,
    signs: frozenset[bytes] = frozenset(),
) -> list[str]:
    """The lines of the head that goes upstream for this request."""
    head = head_of(raw)
    writer = RequestWriter(base, host, "me", credentials, signs)
    text = writer.head(head, head.target, extra, expect=expect, credential=credential).decode(
        "latin-1"
    )
    assert text.endswith("\r\n\r\n")
    return text.removesuffix("\r\n\r\n").split("\r\n")


def passed_on(*lines: str, **settings) -> list[str]:
    """Which of the agent's own header lines go upstream."""
    start, host, *rest = sent(request("/", *lines), **settings)
    assert (start, host, rest[-1]) == ("GET / HTTP/1.1", HOST, VIA)
    return rest[:-1]


def answered(*lines: str) -> list[str]:
    """Which lines of an answer go to the agent."""
    head = parse_answer_head(answer(200, *lines, body=None), Limits())
    assert not hasattr(head, "reason"), head
    start, *rest = head.lines.decode("latin-1").removesuffix("\r\n").split("\r\n")
    assert start == "HTTP/1.1 200 Said"
    return rest


both_ways = pytest.mark.parametrize("way", [passed_on, answered], ids=["upstream", "agent"])


# hop by hop


@both_ways
@pytest.mark.parametrize(
    "line",
    [
        "Connection: close",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "TE: trailers",
        "Upgrade: chat/1",
        "cOnNeCtIoN: x",
    ],
)
def test_what_is_about_one_hop_stays_on_it(way, line):
    """RFC 9110 7.6.1, whatever the case of its letters."""
    assert way("X-A: 1", line, "X-B: 2") == ["X-A: 1", "X-B: 2"]


@both_ways
@pytest.mark.parametrize(
    "named", ["x-hop", "X-HOP", "close, x-hop", " x-hop ,close", ",,x-hop,", "x-hop, upgrade"]
)
def test_what_connection_names_stays_on_this_hop(way, named):
    """However it is written; on which side of it the named line stands does not matter."""
    lines = ["X-Hop: 1", f"Connection: {named}", "x-hop: 2", "X-Hopper: 3"]
    assert way(*lines) == ["X-Hopper: 3"]


@both_ways
def test_two_connection_lines_are_one_list(way):
    """RFC 9110 5.3."""
    assert way("Connection: x-a", "X-A: 1", "X-B: 2", "X-C: 3", "Connection: x-b") == ["X-C: 3"]


@both_ways
@pytest.mark.parametrize("name", ["Content-Length", "Content-Type", "Content-Encoding", "Via"])
def test_connection_cannot_drop_what_says_what_the_message_is(way, name):
    """Or another message would arrive."""
    line = f"{name}: 0"
    assert way(line, f"Connection: {name}, x-hop", "X-Hop: 1") == [line]


def test_connection_cannot_drop_the_host():
    """One Host goes upstream in any case, the upstream's or the agent's."""
    assert passed_on("Connection: host") == []
    assert sent(request("/", "Connection: host"), host=None)[1:] == ["Host: agent.test", VIA]


@both_ways
def test_nobody_speaks_in_our_name(way):
    """`holdfast-*` is dropped both ways; names that only begin alike are not."""
    lines = ["holdfast-call: x", "X-A: 1", "HOLDFAST-Outcome: ok", "Holdfast: 2", "x-holdfast-a: 3"]
    assert way(*lines) == ["X-A: 1", "Holdfast: 2", "x-holdfast-a: 3"]


NAMES = st.sampled_from(
    ["X-A", "x-a", "X-b", "Cookie", "Connection", "Keep-Alive", "Holdfast-X", "Via", "Accept", "TE"]
)


@given(st.lists(st.tuples(NAMES, st.sampled_from(["x-a", "close", "v, x-b", ""])), max_size=8))
def test_everything_else_is_passed_on_as_it_came(pairs):
    """In its order and its letters, as often as it came; the same in both directions."""
    lines = [f"{name}: {value}" for name, value in pairs]
    named = {
        token.strip().lower()
        for name, value in pairs
        if name == "Connection"
        for token in value.split(",")
    }
    dropped = named | {name.decode() for name in HOP_BY_HOP}
    kept = [
        line
        for line, (name, _) in zip(lines, pairs, strict=True)
        if name.lower() not in dropped and not name.startswith("Holdfast")
    ]
    assert passed_on(*lines) == kept
    assert answered(*lines) == kept


# the first line, Host and Via


@pytest.mark.parametrize(
    ("base", "target", "expected"),
    [
        (b"", "/a%2Fb?c=%zz", "/a%2Fb?c=%zz"),
        (b"/base", "/x//y", "/base/x//y"),
        (b"/base", "/", "/base/"),
        (b"", "http://agent.test/x", "/x"),
    ],
)
def test_the_target_follows_the_base_of_the_upstream(base, target, expected):
    """Byte for byte, in origin form."""
    assert sent(request(target), base=base)[0] == f"GET {expected} HTTP/1.1"


def test_a_question_to_the_whole_server_has_no_base():
    """`OPTIONS *` (RFC 9112 3.2.4): a base before it would make a path that nobody asked for."""
    assert sent(request("*", method="OPTIONS"), base=b"/base")[0] == "OPTIONS * HTTP/1.1"


def test_the_host_is_the_upstreams():
    """Once, in the first line after the start, also for an agent that named none."""
    assert sent(request("/", "X-A: 1")) == ["GET / HTTP/1.1", HOST, "X-A: 1", VIA]
    old = request("/", version="1.0", host=None)
    assert sent(old) == ["GET / HTTP/1.1", HOST, VIA.replace("1.1", "1.0")]


def test_the_agents_host_may_be_preserved():
    """Where it stood, as it was written."""
    raw = b"GET / HTTP/1.1\r\nX-A: 1\r\nhOsT: Agent.test:99\r\nX-B: 2\r\n\r\n"
    assert sent(raw, host=None)[1:] == ["X-A: 1", "hOsT: Agent.test:99", "X-B: 2", VIA]


def test_via_says_by_which_version_the_call_came():
    """RFC 9110 7.6.3: the version of the message received; ours is the last entry."""
    for version in ("1.0", "1.1"):
        lines = sent(request("/", "Via: 1.1 first", version=version))
        assert lines[-1] == f"Via: {version} holdfast-me"
        assert lines[-2] == "Via: 1.1 first"


def test_what_is_added_stands_between_the_agents_lines_and_via():
    """Whole lines, as they are given."""
    assert sent(request("/", "X-A: 1"), extra=b"holdfast-call: c\r\nX: y\r\n")[2:] == [
        "X-A: 1",
        "holdfast-call: c",
        "X: y",
        VIA,
    ]


# credentials


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "X-Token"])
def test_the_upstreams_credential_takes_the_place_of_the_agents(name):
    """Under whatever name: an upstream that reads the first of two lines would read the agent's."""
    lines = ["X-A: 1", f"{name.upper()}: mine", f"{name}: mine too"]
    given = passed_on(*lines, credentials=((name.encode(), b"ours"),))
    assert given == ["X-A: 1", f"{name}: ours"]


def test_no_other_credential_goes_along():
    """Nor does one of the usual ones under another name."""
    lines = ["Authorization: Basic mine", "X-API-Key: mine", "X-A: 1"]
    for name in (b"authorization", b"x-api-key", b"x-token"):
        kept = passed_on(*lines, credentials=((name, b"ours"),))
        assert kept == ["X-A: 1", f"{name.decode()}: ours"]


def test_without_a_credential_of_the_upstream_the_agents_go_through():
    """As every header does."""
    lines = ["Authorization: Basic mine", "X-API-Key: mine", "Proxy-Authorization: x"]
    assert passed_on(*lines) == lines


def test_of_several_credentials_the_one_asked_for_goes_along():
    """None of the agent's own does, under the name of any of them."""
    credentials = ((b"Authorization", b"first"), (b"X-Token", b"second"))
    for which, line in enumerate(("Authorization: first", "X-Token: second")):
        for lines in ((), ("X-Token: mine", "Authorization: mine")):
            given = passed_on(*lines, credentials=credentials, credential=which)
            assert given == [line]


def test_connection_cannot_drop_the_upstreams_credential():
    """It is added, not passed on."""
    lines = ["Connection: authorization", "Authorization: mine"]
    assert passed_on(*lines, credentials=((b"authorization", b"ours"),)) == ["authorization: ours"]


# expectations, framing, upgrades


def test_an_expectation_goes_on_only_while_the_body_still_comes():
    """Once the body is here nobody has to wait for a 100 (RFC 9110 10.1.1)."""
    raw = request("/", "X-A: 1", "Expect: 100-continue", "Content-Length: 3", method="POST")
    assert "Expect: 100-continue" in sent(raw, expect=True)
    assert sent(raw, expect=False)[2:] == ["X-A: 1", "Content-Length: 3", VIA]
    kept = sent(raw, expect=False, host=None)
    assert kept[1:] == ["Host: agent.test", "X-A: 1", "Content-Length: 3", VIA]


def test_nobody_expects_what_was_not_asked_for():
    """No line is made up."""
    raw = request("/", "Content-Length: 3", method="POST")
    assert sent(raw, expect=True) == sent(raw, expect=False)


@pytest.mark.parametrize("settings", [{}, {"host": None}, {"credentials": ((b"x-k", b"v"),)}])
def test_the_framing_is_ours_to_say(settings):
    """Chunks once where the agent sent chunks, its length where it sent one, else neither."""
    frames = {
        "Transfer-Encoding: ChunkeD": "Transfer-Encoding: chunked",
        "Content-Length: 07": "Content-Length: 07",
        "X-A: 1": None,
    }
    for line, expected in frames.items():
        lines = sent(request("/", line, method="POST"), **settings)
        found = [one for one in lines if one.startswith(("Transfer-", "Content-Length"))]
        assert found == ([] if expected is None else [expected])


def test_an_upgrade_is_offered_upstream_as_the_agent_offered_it():
    """The protocols as they were written; other names in Connection stay on their hop."""
    raw = request("/", "X-A: 1", "Connection: X-Hop, upgrade", "X-Hop: 1", "Upgrade: chat/1, B")
    assert sent(raw)[2:] == ["X-A: 1", "Connection: Upgrade", "Upgrade: chat/1, B", VIA]


@pytest.mark.parametrize(
    "lines",
    [
        ["Upgrade: chat/1"],
        ["Connection: upgrade"],
        ["Connection: upgrade", "Upgrade: h2c"],
        ["Connection: upgrade", "Upgrade: chat/1", "Content-Length: 3"],
    ],
)
def test_what_is_no_offer_is_none_upstream(lines):
    """Half of one, one with a body, or one of a protocol that would hide calls."""
    found = sent(request("/", *lines))
    assert [line for line in found if line.startswith(("Upgrade", "Connection"))] == []


# answers


@pytest.mark.parametrize(
    ("method", "status", "without"),
    [
        ("HEAD", 200, True),
        ("HEAD", 404, True),
        ("GET", 204, True),
        ("GET", 304, True),
        ("GET", 103, True),
        ("GET", 101, True),
        ("GET", 200, False),
        ("GET", 205, False),
        ("POST", 500, False),
    ],
)
def test_which_answers_have_no_body(method, status, without):
    """RFC 9110 6.4.1, whatever their headers say."""
    assert answers_without_body(method, status) is without


def test_the_start_of_an_answer_is_the_upstreams():
    """Status and reason, also an empty one and one that is not ASCII; the version is ours."""
    headers: list[Header] = [(b"x-a", b"X-a", b"1")]
    fields = {b"x-a": b"1"}
    for status, reason in ((200, b"Fine"), (999, b""), (404, b"caf\xe9  nu")):
        start = b"HTTP/1.1 %d %b\r\n" % (status, reason)
        assert answer_lines(status, reason, headers, fields) == start + b"X-a: 1\r\n"


# another body


def test_another_body_has_a_length_of_its_own():
    """Where the old one stood, or at the end; nothing else of the head is changed."""
    lines = ("X-a: 1", "content-LENGTH: 3", "Connection: x-b", "X-B: 2", "x-c: 3")
    head = head_of(request("/", *lines, method="POST", body=b"abc"))
    other = with_content(head, b"abcdefghijk")
    assert other.lines == b"X-a: 1\r\ncontent-LENGTH: 11\r\nx-c: 3\r\n"
    assert (other.length, other.fields[b"content-length"]) == (11, b"11")
    assert head.fields[b"content-length"] == b"3"
    chunks = head_of(request("/", "Transfer-Encoding: chunked", "x-c: 3", method="POST"))
    other = with_content(chunks, b"ab")
    assert other.lines == b"x-c: 3\r\nContent-Length: 2\r\n"
    assert not other.chunked


# trailers


def test_trailers_stand_behind_the_last_chunk():
    """In their letters and order; ours are dropped there as well."""
    trailers: list[Header] = [
        (b"x-sum", b"X-Sum", b"9"),
        (b"holdfast-call", b"Holdfast-Call", b"forged"),
        (b"x-more", b"x-more", b""),
    ]
    assert trailer_section(trailers) == b"0\r\nX-Sum: 9\r\nx-more: \r\n\r\n"
    assert trailer_section([]) == b"0\r\n\r\n"
    assert trailer_section(trailers[1:2]) == b"0\r\n\r\n"


CONTEXT = frozenset({b"traceparent", b"tracestate"})


@pytest.mark.parametrize("host", [b"up.test:81", None])
def test_signs_that_others_take_the_place_of_do_not_go_on(host: bytes | None) -> None:
    """However often, and in whatever letters; what an agent says beside them does."""
    lines = ("X-A: b", "TraceParent: c", "traceparent: d", "TRACESTATE: e", "baggage: f")
    told = sent(request("/", *lines), host=host, signs=CONTEXT, extra=b"traceparent: g\r\n")
    name = HOST if host else "Host: agent.test"
    assert told == ["GET / HTTP/1.1", name, "X-A: b", "baggage: f", "traceparent: g", VIA]
    assert passed_on("tracestate: e", signs=CONTEXT) == []
    assert passed_on("baggage: f", signs=CONTEXT) == ["baggage: f"]
    assert passed_on("X-A: b", signs=CONTEXT) == ["X-A: b"]
    assert passed_on("tracestate: e") == ["tracestate: e"]


def test_signs_go_with_a_body_of_ours_neither() -> None:
    """A head that was made for another body has them still."""
    head = with_content(head_of(request("/", "traceparent: c", method="POST", body=b"x")), b"yy")
    writer = RequestWriter(b"", b"up.test", "me", signs=CONTEXT)
    assert b"traceparent" not in writer.head(head, b"/", b"", expect=False)
