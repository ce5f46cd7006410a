"""Answers on the shelf: whose they are, which are kept, how many, how old."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Call, RequestHead, Whole
from proxy.reply import Executed, Failure, Reply, ReplyBody, Result
from proxy.state.shelf import LARGEST, Recipe, Shelf, directives, whole_key
from tests.fakes import FakeBody, Ledger, make_call, make_reply

KEY = (b"k",)
LINES = b"HTTP/1.1 200 OK\r\nX-A: b\r\n"


def good(
    content: bytes = b"ok",
    fields: dict[bytes, bytes] | None = None,
    body: ReplyBody | None = None,
    **changes: Any,
) -> Reply:
    """An answer that is here whole."""
    lines = LINES + b"".join(b"%b: %b\r\n" % line for line in (fields or {}).items())
    members: dict[str, Any] = {"lines": lines, "length": len(content)} | changes
    return make_reply(200, fields, body=body or Whole(content), **members)


def coming(length: int | None = 2) -> tuple[Reply, FakeBody]:
    """An answer whose body is still coming in."""
    body = FakeBody(None)
    return good(body=body, length=length), body


def kept(reply: Reply, call: Call | None = None, asked: float = 1000.0) -> Shelf:
    """A shelf that was given one answer."""
    shelf = Shelf()
    shelf.keep(KEY, call or make_call(), reply, asked)
    return shelf


# --- whose it is ---


def called(
    domain: str = "core",
    agent: str = "a",
    upstream: str = "gateway",
    tool: str = "search",
    method: str = "POST",
    target: bytes = b"/v1/search?q=1",
    fields: dict[bytes, bytes] | None = None,
) -> Call:
    """A call with these facts."""
    head = RequestHead(method, target, 1, [], fields or {})
    return Call(
        id="c", head=head, body=Whole(b""), started=0.0,
        target=target, domain=domain, agent=agent, upstream=upstream, tool=tool,
    )  # fmt: skip


texts = st.text(string.ascii_lowercase + '/":,é', max_size=3)
NAMES = [b"authorization", b"x-api-key", b"cookie", b"content-type", b"x-shop", b"x-else"]
facts = st.fixed_dictionaries(
    {
        "domain": texts,
        "agent": texts,
        "upstream": texts,
        "tool": texts,
        "method": texts,
        "target": st.binary(max_size=3),
        "fields": st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=3)),
    }
)


@given(facts, st.binary(max_size=3), facts, st.binary(max_size=3))
def test_no_two_calls_share_a_key_unless_they_are_the_same(
    one: dict[str, Any], content: bytes, other: dict[str, Any], another: bytes
) -> None:
    """Any difference in any part that counts gives another key; what does not count gives none."""
    recipe = Recipe(["X-Shop"])
    for given_ in (one, other):
        given_["fields"].pop(b"x-else", None)
    keys = recipe.key(called(**one), content), recipe.key(called(**other), another)
    assert (keys[0] == keys[1]) == ((one, content) == (other, another))
    one["fields"][b"x-else"] = b"1"
    assert recipe.key(called(**one), content) == keys[0]


@given(texts, texts, texts, texts)
def test_no_end_of_a_part_passes_for_the_beginning_of_the_next(
    a: str, b: str, c: str, d: str
) -> None:
    """The parts stand apart."""
    key = Recipe().key
    assert (key(called(agent=a, upstream=b), b"") == key(called(agent=c, upstream=d), b"")) == (
        (a, b) == (c, d)
    )
    left, right = called(target=a.encode()), called(target=c.encode())
    assert (key(left, b.encode()) == key(right, d.encode())) == ((a, b) == (c, d))


@pytest.mark.parametrize(
    "name",
    [
        *("authorization", "x-api-key", "cookie", "api-key", "x-access-token", "private-token"),
        *("x-vault-token", "x-amz-security-token", "x-goog-iap-jwt-assertion-token", "x-user-id"),
        *("x-session", "x-client-cert", "x-hub-signature", "x-jwt", "x-goog-iap-jwt-data"),
        *("x-pomerium-assertion", "x-ms-client-principal", "x-amzn-oidc-data", "dpop"),
        *("x-identity", "x-saml-response", "x-bearer"),
        *("x-tenant", "openai-organization", "openai-project", "x-account-id", "x-on-behalf-of"),
        *("x-impersonate", "mcp-protocol-version", "anthropic-beta", "anthropic-version"),
    ],
)
def test_credentials_part_agents(name: str) -> None:
    """Also one that is empty from one that is not there."""
    key = Recipe().key
    found = {
        key(called(fields=fields), b"")
        for fields in ({}, {name.encode(): b""}, {name.encode(): b"a"}, {name.encode(): b"b"})
    }
    assert len(found) == 4


def test_other_headers_part_nobody() -> None:
    """Or an id that is new with each call would keep every answer from being found."""
    fields = {b"x-request-id": b"1", b"x-trace": b"2", b"user-agent": b"3", b"traceparent": b"4"}
    key = Recipe().key
    assert key(called(fields=fields), b"") == key(called(fields={}), b"")


def test_recipes_that_differ_share_nothing() -> None:
    """The same value under another name, and another part of the body, is another call."""
    fields = {b"x-a": b"1", b"x-b": b"1"}
    recipes = [
        *(Recipe(), Recipe(["x-a"]), Recipe(["x-b"]), Recipe([], ["input"])),
        *(Recipe(world=b"a"), Recipe(world=b"b")),
    ]
    assert len({recipe.key(called(fields=fields), b"{}") for recipe in recipes}) == len(recipes)


def test_a_key_tells_nothing_of_a_credential() -> None:
    """Of what the head says it holds a digest, also where a header that `vary` names may be one."""
    fields = {b"authorization": b"Bearer s3cret", b"x-mine": b"s3cret"}
    for key in (
        Recipe().key(called(fields=fields), b""),
        Recipe(["X-Mine"]).key(called(fields={b"x-mine": b"s3cret"}), b""),
    ):
        assert not any("s3cret" in str(part) for part in key)


@pytest.mark.parametrize(("target", "content"), [(b"/", b"x" * 600), (b"/" * 600, b"x")])
def test_a_key_is_short(target: bytes, content: bytes) -> None:
    """Of what is long it holds a digest, which no other call can spell out as its own content."""
    key = Recipe().key(called(target=target), content)
    assert sum(map(len, key)) < 120
    assert key != Recipe().key(called(target=target), content + b"x")
    assert key != Recipe().key(called(target=target + b"x"), content)
    (digest,) = (part for part in key if isinstance(part, bytes) and part != key[0])
    assert Recipe().key(called(target=digest), b"") != key


def test_what_was_made_of_a_head_is_kept_with_it_up_to_a_bound() -> None:
    """Recipes that many policies make up do not pile up there."""
    call = called(fields={b"x-0": b"1"})
    recipes = [Recipe([f"X-{number}"]) for number in range(100)]
    keys = [recipe.key(call, b"") for recipe in recipes]
    assert len(set(keys)) == 100
    assert [recipe.key(call, b"") for recipe in recipes] == keys
    assert len(call.head.worked_out) < 20


def test_a_call_whose_body_is_not_at_hand_has_no_key() -> None:
    """Nor one with a body that is too large to be digested at once."""
    found = [
        whole_key(make_call(body=FakeBody(content)), Recipe())
        for content in (None, b"x" * (LARGEST + 1), b"x", b"y")
    ]
    assert found[:2] == [(), ()]
    assert () != found[2] != found[3]


# --- what is kept ---


def test_an_answer_is_found_as_it_was() -> None:
    """Status, head and body; nothing ran for it, and no upstream was asked."""
    entry = kept(good(b"hello", served_by="spare")).find(KEY, {})
    assert entry is not None
    reply = entry.reply(b"Age: 1\r\n")
    assert (reply.status, reply.lines) == (200, LINES + b"Age: 1\r\n")
    assert reply.body is not None
    assert (reply.body.whole, reply.length) == (b"hello", 5)
    assert (reply.result, reply.executed, reply.tier) == (Result.SUCCESS, Executed.NO, 2)
    assert (reply.served_by, reply.whole) == ("spare", True)
    assert entry.reply(b"").finishers is not reply.finishers


def test_nothing_is_found_under_another_key() -> None:
    """Nor is anything looked at."""
    shelf = kept(good())
    assert shelf.find((b"other",), {}) is None
    assert shelf.look((b"other",), {}) is None
    assert shelf.look(KEY, {}) is shelf.find(KEY, {})


@pytest.mark.parametrize(
    "reply",
    [
        make_reply(500),
        make_reply(404),
        make_reply(304),
        make_reply(206),
        make_reply(Failure.CONNECT),
        Reply(status=200, result=Result.SUCCESS),
        good(result=Result.FAILURE),
        good(outcome="fallback"),
        good(outcome="stale"),
        good(pending=True),
        good(fields={b"set-cookie": b"a=b"}),
        good(fields={b"cache-control": b"private, No-Store"}),
        good(fields={b"cache-control": b'no-cache="x"'}),
        good(fields={b"vary": b"accept, *"}),
        good(b"x" * (LARGEST + 1)),
        good(body=Whole(b"ok", [(b"x", b"X", b"1")])),
    ],
)
def test_what_must_not_be_kept_is_not(reply: Reply) -> None:
    """No failures, no parts, no cookies, nothing that forbids it, nothing that is too large."""
    shelf = Shelf()
    assert not shelf.keep(KEY, make_call(), reply, 1000.0)
    assert shelf.entries == shelf.bytes == 0


@pytest.mark.parametrize("value", [b"private", b"max-age=0, must-revalidate", b"public"])
def test_how_long_is_not_for_the_upstream_to_say(value: bytes) -> None:
    """The policy says it; and what is private is kept for its own client alone."""
    assert kept(good(fields={b"cache-control": value})).find(KEY, {}) is not None


def test_an_answer_that_varies_is_for_requests_like_the_first() -> None:
    """Those headers must be the same; whether they are is seen without keeping them."""
    reply = good(fields={b"vary": b"Accept, X-Token"})
    shelf = kept(reply, make_call({b"accept": b"a/b", b"x-token": b"s3cret"}))
    entry = shelf.find(KEY, {b"accept": b"a/b", b"x-token": b"s3cret", b"x": b"1"})
    assert entry is not None
    assert b"s3cret" not in repr(entry).encode()
    for fields in ({}, {b"accept": b"a/b"}, {b"accept": b"c", b"x-token": b"s3cret"}):
        assert shelf.find(KEY, fields) is None
        assert shelf.look(KEY, fields) is None


def test_a_length_that_was_not_told_is_known_by_now() -> None:
    """What came in chunks is given with its length, so that every client can tell its end."""
    entry = kept(good(b"hello", length=None)).find(KEY, {})
    assert entry is not None
    assert (entry.length, entry.lines) == (5, LINES + b"Content-Length: 5\r\n")


def test_what_has_no_body_gets_no_length() -> None:
    """RFC 9110 8.6."""
    entry = kept(good(b"", status=204, length=None)).find(KEY, {})
    assert entry is not None
    assert (entry.length, entry.lines) == (None, LINES)


# --- how old it is ---


def test_age_counts_from_the_question() -> None:
    """The answer may be as old as that."""
    entry = kept(good(), asked=1000.0).find(KEY, {})
    assert entry is not None
    assert entry.age(1003.5) == 3.5


@pytest.mark.parametrize(
    ("age", "seconds"), [(b"7", 7.0), (b"7, 9", 7.0), (b"-1", 0.0), (b"", 0.0), (b"x", 0.0)]
)
def test_the_age_that_it_had_is_added_and_said_once(age: bytes, seconds: float) -> None:
    """RFC 9111 4.2.3; the old line goes, whatever it says."""
    entry = kept(good(fields={b"age": age}), asked=1000.0).find(KEY, {})
    assert entry is not None
    assert entry.age(1001.0) == 1.0 + seconds
    assert entry.lines == LINES  # without the old one


def test_a_newer_answer_takes_the_place_of_an_older_one() -> None:
    """Whichever came in last."""
    shelf = kept(good(b"new"), asked=1001.0)
    assert shelf.keep(KEY, make_call(), good(b"older"), 1000.0)
    entry = shelf.find(KEY, {})
    assert entry is not None
    assert entry.body.whole == b"new"
    shelf.keep(KEY, make_call(), good(b"newest"), 1002.0)
    entry = shelf.find(KEY, {})
    assert entry is not None
    assert entry.body.whole == b"newest"
    assert (shelf.entries, shelf.bytes) == (1, entry.size)


# --- what is still coming in ---


@pytest.mark.parametrize("length", [5, None])
def test_what_comes_in_is_kept_when_it_has_ended_well(length: int | None) -> None:
    """With the head that it came with, whatever is added to that on its way to the agent."""
    reply, body = coming(length)
    shelf = kept(reply)
    assert shelf.entries == 0
    assert body.kept == LARGEST
    reply.lines += b"Cache-Status: holdfast; fwd=miss\r\n"
    body.whole = b"hello"
    reply.finish()
    entry = shelf.find(KEY, {})
    assert entry is not None
    assert (entry.body.whole, entry.length) == (b"hello", 5)
    assert entry.lines == LINES + (b"" if length else b"Content-Length: 5\r\n")


@pytest.mark.parametrize("failure", [Failure.TRUNCATED, Failure.CANCELLED, Failure.TIMEOUT])
def test_what_broke_off_is_not_kept(failure: Failure) -> None:
    """Though all of it may be here."""
    reply, body = coming()
    shelf = kept(reply)
    body.whole = b"ok"
    reply.finish(failure)
    assert shelf.entries == 0


@pytest.mark.parametrize(
    ("member", "value"), [("result", Result.FAILURE), ("outcome", "failed"), ("pending", True)]
)
def test_what_turned_out_to_be_no_good_answer_is_not_kept(member: str, value: Any) -> None:
    """What it says itself is known when all of it is here."""
    reply, body = coming()
    shelf = kept(reply)
    body.whole = b"ok"
    setattr(reply, member, value)
    reply.finish()
    assert shelf.entries == 0


def test_what_grew_too_large_is_not_kept() -> None:
    """The body let go of it."""
    reply, _ = coming(None)
    shelf = kept(reply)
    reply.finish()
    assert shelf.entries == 0


def test_what_ends_with_trailers_is_not_kept() -> None:
    """They would be missing."""
    reply, body = coming(None)
    shelf = kept(reply)
    body.whole, body.trailers = b"ok", [(b"x", b"X", b"1")]
    reply.finish()
    assert shelf.entries == 0


def test_what_will_be_too_large_is_not_held() -> None:
    """Its length says so."""
    reply, body = coming(LARGEST + 1)
    shelf = kept(reply)
    assert (body.kept, reply.finishers) == (0, [])
    assert shelf.entries == 0


def test_only_so_much_is_held_of_what_comes_in() -> None:
    """Agents that fetch slowly fill no memory; what has ended makes room again."""
    shelf = Shelf()
    replies = []
    for _ in range(20):
        reply, body = coming(None)
        shelf.keep(KEY, make_call(), reply, 1000.0)
        replies.append((reply, body))
    held = [(reply, body) for reply, body in replies if body.kept]
    assert len(held) == 16
    held[0][0].finish()
    reply, body = coming(None)
    shelf.keep(KEY, make_call(), reply, 1000.0)
    assert body.kept == LARGEST


def test_others_settle_as_they_would() -> None:
    """The shelf is one finisher among them."""
    reply, body = coming()
    ledger = Ledger()
    shelf = kept(reply)
    reply.finishers.append((ledger.settle, None))
    body.whole = b"ok"
    reply.finish()
    assert (ledger.settled, shelf.entries) == ([reply], 1)


# --- how much ---


def test_what_was_not_asked_for_longest_makes_room() -> None:
    """Finding counts, looking does not."""
    shelf = Shelf(most=3)
    for name in (b"a", b"b", b"c"):
        shelf.keep((name,), make_call(), good(), 1000.0)
    shelf.find((b"a",), {})
    shelf.look((b"b",), {})
    shelf.keep((b"d",), make_call(), good(), 1000.0)
    assert [name for name in (b"a", b"b", b"c", b"d") if shelf.look((name,), {})] == [
        b"a",
        b"c",
        b"d",
    ]


def test_what_is_kept_anew_is_not_the_next_to_go() -> None:
    """It was asked for just now."""
    shelf = Shelf(most=2)
    for name in (b"a", b"b", b"a", b"c"):
        shelf.keep((name,), make_call(), good(), 1000.0)
    assert [name for name in (b"a", b"b", b"c") if shelf.look((name,), {})] == [b"a", b"c"]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(0, 4000), st.floats(0, 9)), max_size=40
    )
)
def test_it_is_bounded_and_counts_right(steps: list[tuple[str, int, float]]) -> None:
    """By entries and by bytes, in any order of answers; what is counted is what is there."""
    shelf = Shelf(most=4, room=9000)
    for name, size, asked in steps:
        shelf.keep((name,), make_call(), good(b"x" * size), asked)
        there = [entry for each in "abcdef" if (entry := shelf.look((each,), {}))]
        assert shelf.entries == len(there) <= 4
        assert shelf.bytes == sum(entry.size for entry in there) <= 9000


def test_it_stays_in_the_keep() -> None:
    """Others never push it out."""
    assert not Shelf.idle


def test_directives_are_names_in_lower_case() -> None:
    """Without what they are set to."""
    assert directives({b"cache-control": b"No-Cache, max-age=3,,"}) == (b"no-cache", b"max-age")
    assert directives({}) == ()
