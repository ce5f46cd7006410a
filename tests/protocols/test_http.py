"""Plain HTTP: what policies match of a path, what an answer means, and how a refusal is told."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Effect, RequestHead
from proxy.protocols.http import (
    REASONS,
    as_price,
    climbs_out,
    folded,
    matched_path,
    problem,
)
from proxy.protocols.protocol import Reads, Rules, Spelled
from proxy.protocols.recognise import HTTP
from proxy.refusal import KINDS, Refusal
from proxy.reply import NEVER_SENT, Executed, Failure, Reply, Result
from tests.fakes import FakeBody, make_call

UNRESERVED = "abcXYZ019-._~"
RESERVED = ["%2F", "%2f", "%3F", "%25", "%00", "%C3%A9", ":", "@", ";a=b", "+", "\\", "é"]

letters = st.sampled_from([*UNRESERVED, *RESERVED])
segments = st.lists(letters, min_size=1, max_size=5).map("".join)
solid = segments.filter(lambda segment: segment not in {".", ".."})
"""Segments that are no dots."""


def path_of(parts: list[str], ends_open: bool = False) -> bytes:
    """As it would stand in a request."""
    return ("/" + "/".join(parts) + ("/" if ends_open else "")).encode("latin-1")


@pytest.mark.parametrize("beginning", [b"", b'{"tool": "x"}', b"\xff"])
def test_no_body_need_be_read(beginning: bytes) -> None:
    """Whatever it begins with: the path says what the call is for."""
    assert not HTTP.looks_read(beginning)


# the path that policies match


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/", "/"),
        (b"/a/b", "/a/b"),
        (b"/a/b/", "/a/b/"),
        (b"/a?b/../c", "/a"),
        (b"/%61%2Db%5F%7e", "/a-b_~"),
        (b"/a%2Fb", "/a%2Fb"),
        (b"/a%2fb", "/a%2Fb"),
        (b"/%2561", "/%2561"),
        (b"/%%361", "/%61"),
        (b"/100%", "/100%"),
        (b"/x/../admin", "/admin"),
        (b"/x/%2e%2E/admin", "/admin"),
        (b"/./admin/.", "/admin/"),
        (b"/../../admin", "/admin"),
        (b"/a/..", "/"),
        (b"/a/b/..", "/a/"),
        (b"//admin", "/admin"),
        (b"/admin//x", "/admin/x"),
        (b"/..a/.b/c..", "/..a/.b/c.."),
        (b"/caf\xe9", "/caf\xe9"),
        (b"*", "*"),
    ],
)
def test_the_path_that_policies_match(target, path):
    """No query, unreserved letters as they are, dot segments and empty ones resolved; no more."""
    assert matched_path(target) == path


@given(st.lists(segments, max_size=6), st.booleans())
def test_a_path_that_is_matched_is_its_own(parts, ends_open):
    """To match twice is to match once; what is left has no dots and no empty segments."""
    found = matched_path(path_of(parts, ends_open))
    assert matched_path(found.encode("latin-1")) == found
    assert found.startswith("/")
    inner = found.removeprefix("/").removesuffix("/").split("/")
    assert inner == [""] or not {"", ".", ".."} & set(inner)


@given(st.lists(solid, max_size=5), st.booleans(), st.data())
def test_another_spelling_of_a_path_is_the_same_path(parts, ends_open, data):
    """Escaped letters, dot segments that lead nowhere, empty ones: the rule for it is met."""
    original = path_of(parts, ends_open)
    spelled = []
    for part in parts:
        spelled += data.draw(
            st.sampled_from([[], ["."], [""], ["x", ".."], ["%2E"], ["y", ".%2e"]])
        )
        spelled.append(
            re.sub(r"(?<!%)(?<!%.)[abcXYZ~]", lambda match: f"%{ord(match[0]):02x}", part)
        )
    assert matched_path(path_of(spelled, ends_open)) == matched_path(original)


@given(st.lists(solid, max_size=4), st.lists(solid, max_size=4), st.booleans(), st.booleans())
def test_different_paths_stay_different(one, other, one_open, other_open):
    """What is matched loses nothing that means something; the case of an escape does not."""
    first, second = path_of(one, one_open and bool(one)), path_of(other, other_open and bool(other))
    same = capitals(first) == capitals(second)
    assert (matched_path(first) == matched_path(second)) == same


def capitals(path: bytes) -> bytes:
    """Its escapes as RFC 3986 6.2.2.1 likes them."""
    return re.sub(rb"%[0-9a-f]{2}", lambda match: match[0].upper(), path, flags=re.IGNORECASE)


@given(st.binary(max_size=60))
def test_any_bytes_have_a_path(noise):
    """Nothing that a target may hold is an error."""
    assert "?" not in matched_path(b"/" + noise)


# ids


IDS = [
    "0", "17", "2024", "9" * 40,
    "123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000",
    "507f1f77bcf86cd799439011", "d41d8cd98f00b204e9800998ecf8427e", "DEADBEEFDEADBEEF",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV", "V1StGXR8_Z5jdHi6B-myT", "cus_9s6XKzkNRiz8i3", "ord-8fK2x9Q",
    "pi_3MtwBwLkdIwHu7ix28a3tqPa", "eyJhbGciOiJIUzI1NiJ9abc", "task_000001",
]  # fmt: skip
KEYS = [
    "bot123456789:AAE1b2C3d4E5f6G7h8J9k0L1m2N3p4Q5r6", "x;session=A1b2C3d4E5f6G7h8J9k0L1",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.A1b2C3d4E5f6G7h8J9k0L1m2N3p4Q5r6S7t8",
    "hvs.A1b2C3d4E5f6G7h8J9k0L1m2N3p4", "A1b2C3d4E5f6G7h8J9k0L1%3D%3D",
    "A1b2C3d4E5%2BG7h8J9%2FL1m2N3",
    "A1b2C3d4E5f6+G7h8J9k0L1==", "key=A1b2C3d4E5f6G7h8J9k0L1,v=2",
    "a;token=hunter2", "search%3Ftoken=hunter2", "password%3Dhunter2", "day=2026-11-28",
    "ann@example.com", "ann%40example.com",
]  # fmt: skip
WORDS = [
    "", "orders", "v1", "v2beta", "users", "{id}", "search.json", "2fa", "a-b_c", "tool_run",
    "get-user", "chat.completions", "beef", "cafe", "%20", "-1", "1.5", "x17", "*", "order:17",
    "administration-of-things", "a_1", "é17", "%E4%BD%A0%E5%A5%BD%E4%B8%96%E7%95%8C%E4%BD%A0",
    "gemini-2.5-pro:streamGenerateContent", "caf%C3%A9-menu-2024-summer-time",
    "v1.2.3.4.5.6.7.8.9.10.11", "a;b", "@scope", "vue@3.2", "checkout@v4", "a=",
]  # fmt: skip


@pytest.mark.parametrize("segment", IDS)
def test_ids_are_folded(segment):
    """Numbers, UUIDs, hashes, ULIDs, tokens, prefixed ids: all calls for them are one tool."""
    assert folded(f"/orders/{segment}/items") == "/orders/{id}/items"
    assert folded(f"/{segment}") == "/{id}"


@pytest.mark.parametrize("segment", KEYS)
def test_keys_are_folded(segment):
    """A path that is a capability is in no record and in no metric."""
    assert folded(f"/{segment}/send") == "/{id}/send"


@pytest.mark.parametrize("segment", WORDS)
def test_words_are_not_folded(segment):
    """Names of things, versions and short words stay."""
    assert folded(f"/orders/{segment}/items") == f"/orders/{segment}/items"


@given(st.lists(st.sampled_from(IDS + WORDS) | st.text("abz019-_%.", max_size=30), max_size=9))
def test_a_path_that_is_folded_stays_so(parts):
    """To fold twice is to fold once, and no tool's name grows without end."""
    path = "/" + "/".join(parts)
    found = folded(path)
    assert len(found) <= 256
    if len(path) < 256 > len(found):
        assert folded(found) == found
        assert found.count("/") == path.count("/")


plain = st.lists(st.sampled_from(WORDS), max_size=6)


@given(plain, plain)
def test_paths_without_ids_stay_different(one, other):
    """One rule never falls on another path by folding."""
    first, second = "/" + "/".join(one), "/" + "/".join(other)
    assert (folded(first) == folded(second)) == (first == second)


# the call


@pytest.mark.parametrize(
    ("method", "effect"),
    [
        ("GET", Effect.READ),
        ("HEAD", Effect.READ),
        ("OPTIONS", Effect.READ),
        ("PUT", Effect.IDEMPOTENT),
        ("DELETE", Effect.IDEMPOTENT),
        ("POST", Effect.WRITE),
        ("PATCH", Effect.WRITE),
        ("PURGE", Effect.WRITE),
    ],
)
def test_a_call_is_its_method_and_path(method, effect):
    """And its method says what repeating it does (RFC 9110 9.2.2); of others the worst."""
    call = make_call(target=b"/x/../orders/17?y")
    call.head = RequestHead(method, b"/mounted/orders/17", 1, [], {})
    assert HTTP.reads(call.head) is Reads.NOTHING
    assert HTTP.recognise(call, None, Rules()) is None
    assert (call.protocol, call.layer) == ("http", "http")
    assert (call.tool, call.path) == (f"{method} /orders/{{id}}", "/orders/17")
    assert call.usual_effect is effect


# the result of an attempt (spec 2.6)


def judged(status: int = 0, **members) -> tuple[Result | None, Executed, bool]:
    """What an answer or a failure comes to."""
    reply = Reply(status=status, **members)
    HTTP.judge(reply)
    return reply.result, reply.executed, reply.quota_exhausted


@pytest.mark.parametrize("status", [200, 201, 204, 206, 226, 301, 304, 307, 399, 101])
def test_what_is_no_error_is_a_success(status):
    """It ran."""
    assert judged(status) == (Result.SUCCESS, Executed.YES, False)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 422, 451, 499, 501, 505])
def test_an_error_of_the_caller_ran_nothing(status):
    """4xx, 501 and 505: it was refused before anything was done."""
    assert judged(status) == (Result.CALLER_ERROR, Executed.NO, False)


@pytest.mark.parametrize("status", [408, 409])
def test_some_errors_of_the_caller_may_have_run(status):
    """A timeout and a conflict, perhaps with itself, tell nothing of what was done."""
    assert judged(status) == (Result.CALLER_ERROR, Executed.UNKNOWN, False)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 507, 520, 529, 599])
def test_an_error_of_the_server_is_a_failure(status):
    """What ran of it is not known."""
    assert judged(status) == (Result.FAILURE, Executed.UNKNOWN, False)


def test_429_is_throttled():
    """Whatever it says of when to come again."""
    assert judged(429)[::2] == (Result.THROTTLED, False)
    assert judged(429, body=FakeBody(None))[::2] == (Result.THROTTLED, False)
    assert judged(429, body=FakeBody(b'{"code":"slow_down"}'))[::2] == (Result.THROTTLED, False)


def test_503_is_throttled_where_it_says_when_to_come_again():
    """A failure otherwise."""
    assert judged(503, fields={b"retry-after": b"7"})[::2] == (Result.THROTTLED, False)
    assert judged(503, fields={b"retry-after-ms": b"7"})[0] is Result.FAILURE
    assert judged(500, fields={b"retry-after": b"7"})[0] is Result.FAILURE


@pytest.mark.parametrize(
    "said", ["insufficient_quota", "enforced_spend_limit_reached", "billing_hard_limit_reached"]
)
def test_a_quota_that_is_used_up_is_throttled_for_good(said):
    """Waiting does not help."""
    body = FakeBody(json.dumps({"error": {"code": said}}).encode())
    assert judged(429, body=body)[::2] == (Result.THROTTLED, True)
    assert judged(402)[::2] == (Result.THROTTLED, True)
    assert judged(400, body=body)[0] is Result.CALLER_ERROR


@pytest.mark.parametrize(
    ("failure", "result"),
    [
        (Failure.CONNECT, Result.FAILURE),
        (Failure.CERTIFICATE, Result.FAILURE),
        (Failure.OVERLOADED, Result.FAILURE),
        (Failure.DISCONNECT, Result.FAILURE),
        (Failure.TIMEOUT, Result.FAILURE),
        (Failure.BAD_RESPONSE, Result.FAILURE),
        (Failure.TRUNCATED, Result.TRUNCATED),
        (Failure.CANCELLED, Result.CANCELLED),
        (Failure.BAD_REQUEST, Result.CALLER_ERROR),
    ],
)
def test_what_a_failure_of_the_network_comes_to(failure, result):
    """It did not run where nothing was sent; of the others it is not known."""
    executed = Executed.NO if failure in NEVER_SENT else Executed.UNKNOWN
    assert judged(failure=failure) == (result, executed, False)


# refusals (spec 2.5)


def told(code: str = "circuit_open", accept: bytes = b"", **members) -> tuple[dict, bytes, Reply]:
    """Headers by lower-case names, the body, and the reply itself."""
    reply = problem(Refusal(code, "It is so.", **members), "call-1", 2, accept)
    start, *lines = reply.lines.removesuffix(b"\r\n").split(b"\r\n")
    assert start == b"HTTP/1.1 %d %b" % (reply.status, REASONS[reply.status])
    headers = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    assert len(dict(headers)) == len(headers)
    assert reply.body is not None
    return dict(headers), reply.body.whole or b"", reply


@pytest.mark.parametrize("code", KINDS)
def test_a_refusal_is_a_problem_object(code):
    """`application/problem+json`, whole, with a length and a reason."""
    headers, content, reply = told(code)
    found = json.loads(content)
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"content-length"] == b"%d" % len(content)
    assert headers[b"proxy-status"] == f"holdfast; error={KINDS[code].proxy_status}".encode()
    assert headers[b"x-should-retry"] in (b"true", b"false")
    assert found["type"] == f"https://holdfast.dev/problems/{code}"
    assert (found["status"], found["code"]) == (KINDS[code].status, code)
    assert (found["instance"], found["attempts"]) == ("call-1", 2)
    assert (reply.status, reply.length) == (KINDS[code].status, len(content))
    assert (reply.refusal and reply.refusal.code, reply.whole) == (code, True)


@pytest.mark.parametrize(
    "accept", [b"text/markdown", b"text/markdown, */*;q=0.1", b"a/b,text/markdown"]
)
def test_a_refusal_may_be_text(accept):
    """For a model to read; what machines need stands in the headers."""
    headers, content, _ = told(accept=accept, retry_after=3.0)
    assert headers[b"content-type"] == b"text/markdown; charset=utf-8"
    assert headers[b"content-length"] == b"%d" % len(content)
    assert headers[b"retry-after"] == b"3"
    assert content.decode().startswith("# The circuit is open\n\nIt is so. ")


@pytest.mark.parametrize("accept", [b"", b"*/*", b"application/json", b"text/html"])
def test_a_refusal_is_json_for_everybody_else(accept):
    """They did not ask for text."""
    assert told(accept=accept)[0][b"content-type"] == b"application/problem+json"


@pytest.mark.parametrize(
    ("wait", "seconds", "milliseconds"),
    [
        (0.0, b"1", b"1"),
        (0.0004, b"1", b"1"),
        (0.2, b"1", b"200"),
        (1.0, b"1", b"1000"),
        (1.0005, b"2", b"1001"),
        (59.9, b"60", b"59900"),
        (86_400.0, b"86400", b"86400000"),
    ],
)
def test_a_wait_is_told_in_whole_seconds_and_in_milliseconds(wait, seconds, milliseconds):
    """Rounded up, at least one: who comes too early is refused again."""
    headers, content, _ = told(retry_after=wait)
    assert (headers[b"retry-after"], headers[b"retry-after-ms"]) == (seconds, milliseconds)
    assert json.loads(content)["retry_after"] == round(wait, 3)


def test_no_wait_is_told_where_none_is_known():
    """Neither header, and null in the problem."""
    headers, content, _ = told()
    assert not {b"retry-after", b"retry-after-ms"} & headers.keys()
    assert json.loads(content)["retry_after"] is None


@pytest.mark.parametrize(
    ("members", "should"),
    [
        ({"code": "circuit_open"}, b"true"),
        ({"code": "circuit_open", "retry_after": 60.0}, b"true"),
        ({"code": "circuit_open", "retry_after": 60.001}, b"false"),
        ({"code": "circuit_open", "given_up": True}, b"false"),
        ({"code": "upstream_unreachable", "final": True}, b"false"),
        ({"code": "upstream_timeout", "executed": Executed.UNKNOWN}, b"false"),
        ({"code": "upstream_timeout", "executed": Executed.UNKNOWN, "harmless": True}, b"true"),
        ({"code": "ambiguous_call"}, b"false"),
    ],
)
def test_whether_to_come_again_is_told(members, should):
    """Only soon, only where it is harmless, and not where all attempts are used up."""
    assert told(**members)[0][b"x-should-retry"] == should


@pytest.mark.parametrize(
    ("wait", "left"), [(0.2, b"r=0;t=1"), (36.0, b"r=0;t=36"), (1.5, b"r=0;t=2"), (None, b"r=0")]
)
def test_a_rate_that_is_used_up_is_told(wait, left):
    """As draft-ietf-httpapi-ratelimit-headers has it: what there is, and what is left of it."""
    headers, _, _ = told("rate_limited", policy="fair", quota="q=2;w=72", retry_after=wait)
    assert headers[b"ratelimit-policy"] == b'"fair";q=2;w=72'
    assert headers[b"ratelimit"] == b'"fair";' + left


def test_other_refusals_tell_no_rate():
    """Not even those of an upstream that asked to be left alone."""
    headers, _, _ = told("rate_limited", policy="fair", retry_after=3.0)
    assert not {b"ratelimit", b"ratelimit-policy"} & headers.keys()


def test_a_refused_method_comes_with_those_that_are_not():
    """`Allow` goes with 405 (RFC 9110 15.5.6), and with nothing else."""
    assert b"POST" in told("method_refused")[0][b"allow"].split(b", ")
    assert b"CONNECT" not in told("method_refused")[0][b"allow"]
    assert b"allow" not in told("unknown_method")[0]


def test_what_ran_of_a_refused_call_is_kept():
    """The reply carries it to the record."""
    assert told("upstream_timeout", executed=Executed.UNKNOWN)[2].executed is Executed.UNKNOWN
    assert told()[2].executed is Executed.NO


@pytest.mark.parametrize(
    ("target", "climbs"),
    [
        (b"/a/b", False),
        (b"/a/../b", False),
        (b"/a/./../b?../..", False),
        (b"/..x/b", False),
        (b"/../b", True),
        (b"/a/../../b", True),
        (b"/%2e%2e/b", True),
        (b"/a//../../b", True),
    ],
)
def test_a_path_may_not_lead_out_of_the_upstreams_own(target: bytes, climbs: bool) -> None:
    """With a base before it, dot segments could reach what the operator did not mount."""
    assert climbs_out(target) is climbs
    for base, refused in ((b"", False), (b"/base", climbs)):
        call = make_call()
        call.target = target
        refusal = HTTP.recognise(call, None, Rules(base=base))
        assert (refusal is not None) is refused


@pytest.mark.parametrize("status", [200, 402, 429, 500])
def test_a_402_may_be_a_price(status: int) -> None:
    """Then it is the caller's to pay, and no quota is used up; other answers stay what they are."""
    plain, priced = Reply(status=status), Reply(status=status)
    HTTP.judge(plain)
    as_price(HTTP.judge)(priced)
    if status == 402:
        assert (plain.result, plain.quota_exhausted) == (Result.THROTTLED, True)
        assert (priced.result, priced.quota_exhausted) == (Result.CALLER_ERROR, False)
        assert priced.executed is Executed.NO
    else:
        assert priced == plain


def test_a_failure_is_no_price() -> None:
    """Though a status had come before it."""
    reply = Reply(status=402, failure=Failure.TRUNCATED)
    as_price(HTTP.judge)(reply)
    assert reply.result is Result.TRUNCATED


# how an agent would call a tool


@pytest.mark.parametrize(
    ("tool", "method", "target", "content", "spelled"),
    [
        ("", "", b"", b"", ("GET", b"/", b"")),
        ("", "", b"/a", b"{}", ("POST", b"/a", b"{}")),
        ("PUT /a", "", b"", b"", ("PUT", b"/a", b"")),
        ("PUT /a", "PATCH", b"/b", b"x", ("PATCH", b"/b", b"x")),
    ],
)
def test_how_plain_http_is_spelled(
    tool: str, method: str, target: bytes, content: bytes, spelled: tuple[str, bytes, bytes]
) -> None:
    """What is said beats what the tool's name says, and that what is usual."""
    assert HTTP.spell(tool, method, target, content) == Spelled(*spelled)


@pytest.mark.parametrize("tool", ["get_balance", "GET", "get /a", "GET /a b"])
def test_what_is_no_tool_of_plain_http(tool: str) -> None:
    """It is a method and a path."""
    with pytest.raises(ValueError, match="a method and a path, such as GET /orders/7"):
        HTTP.spell(tool, "", b"", b"")


def test_plain_bodies_are_nobodys_business():
    """None is listened to, or changed on its way up or when it is given again."""
    call, reply = make_call(), Reply(200)
    assert HTTP.hears(call, reply) is None
    assert HTTP.amends(call, b"x") is None
    assert HTTP.again(call, b"x", b"gzip") == b"x"


def test_a_plain_call_has_no_word_for_what_it_asks() -> None:
    """Who traces it has its method and path; protocols that name operations say theirs."""
    assert HTTP.describe(make_call()).operation == ""
    assert HTTP.describe(make_call(operation="SendMessage")).operation == "SendMessage"
