"""The upstream's side: answers in any pieces, time limits, early ends."""

import json

import pytest

from tests.harness import (
    OK,
    Proxy,
    RawUpstream,
    UpstreamConnection,
    answer,
    breathe,
    chunked,
    holdfast,
    request,
    within,
)
from tests.harness.messages import Message
from tests.harness.upstream import never

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHOLE = (
    answer(103, "Link: </a>", body=None)
    + answer(200, "Transfer-Encoding: chunked", "X-A: b", body=None)
    + chunked(b"hello ", b"world", trailers=(b"X-T: 1",))
)


async def test_an_answer_may_come_in_any_pieces(proxy: Proxy, upstream: RawUpstream) -> None:
    """Wherever two segments cut an answer, it is the same answer."""
    async with await proxy.connect() as agent:
        for cut in range(1, len(WHOLE)):

            async def in_two(
                connection: UpstreamConnection, asked: Message, cut: int = cut
            ) -> None:
                connection.send(WHOLE[:cut])
                await breathe()
                connection.send(WHOLE[cut:])

            upstream.then(in_two)
            got = await agent.call(request("/", "TE: trailers"))
            assert (got.status, got.body, got.trailers) == (200, b"hello world", (b"X-T: 1",))
            assert [one.status for one in got.interim] == [103]


async def test_an_answer_may_come_byte_by_byte(proxy: Proxy, upstream: RawUpstream) -> None:
    """Single bytes too."""

    async def drips(connection: UpstreamConnection, asked: Message) -> None:
        for byte in WHOLE:
            connection.send(bytes([byte]))
            await breathe()

    upstream.then(drips)
    got = await proxy.call(request("/", "TE: trailers"))
    assert (got.status, got.body, got.trailers) == (200, b"hello world", (b"X-T: 1",))


@pytest.mark.parametrize("size", [0, 1, 1000, 65_535, 65_536, 65_537, 1_000_000, 9_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_bodies_of_any_size_pass_both_ways(
    proxy: Proxy, upstream: RawUpstream, size: int, framing: str
) -> None:
    """What was sent up comes down again, byte for byte, whatever its size and framing."""
    body = (bytes(range(256)) * (size // 256 + 1))[:size]

    async def echo(connection: UpstreamConnection, asked: Message) -> None:
        if framing == "length":
            connection.send(answer(200, body=asked.body))
        elif framing == "chunked":
            parts = [asked.body[at : at + 50_000] for at in range(0, size, 50_000)]
            connection.send(answer(200, "Transfer-Encoding: chunked", body=chunked(*parts)))
        else:
            connection.send(answer(200, "Connection: close", body=None) + asked.body)
            connection.close()

    upstream.then(echo)
    if framing == "chunked":
        parts = [body[at : at + 70_000] for at in range(0, size, 70_000)]
        raw = request("/", "Transfer-Encoding: chunked", method="POST") + chunked(*parts)
    else:
        raw = request("/", f"Content-Length: {size}", method="POST", body=body)
    got = await proxy.call(raw)
    assert got.status == 200
    assert (len(got.body), got.body == body) == (size, True)


async def test_an_upstream_may_answer_while_the_body_still_comes(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """Both directions stream at once: an echo in step with the upload."""

    async def echo(connection: UpstreamConnection, head: Message) -> None:
        connection.send(answer(200, "Transfer-Encoding: chunked", body=None))
        for _ in range(3):
            size = int((await connection.until(b"\r\n")), 16)
            piece = await connection.exactly(size + 2)
            connection.send(b"%x\r\n" % size + piece)
        await connection.until(b"0\r\n\r\n")
        connection.send(b"0\r\n\r\n")
        connection.close()

    upstream.on_head = echo
    async with await proxy.connect() as agent:
        agent.send(request("/", "Transfer-Encoding: chunked", method="POST"))
        agent.send(b"3\r\none\r\n")
        head = await agent.head()
        assert head.status == 200
        await agent.until(b"one\r\n")
        agent.send(b"3\r\ntwo\r\n")
        await agent.until(b"two\r\n")
        agent.send(b"5\r\nthree\r\n0\r\n\r\n")
        await agent.until(b"three\r\n0\r\n\r\n")


# time


async def test_an_upstream_that_never_answers_is_timed_out(upstream: RawUpstream) -> None:
    """504 `upstream_timeout`, `executed: unknown`; the upstream's connection is closed."""
    policies = "policies: [{name: t, effect: write, timeout: {total: 300ms}}]"
    async with holdfast(upstream, policies=policies) as proxy:
        upstream.then(never)
        before = len(upstream.connections)
        got = await proxy.call(request("/", method="POST", body=b"x"))
        problem = json.loads(got.body)
        assert got.status == 504
        assert problem["code"] in ("upstream_timeout", "deadline_exceeded")
        assert problem["executed"] == "unknown"
        await within(upstream.connections[before].ended.wait())


async def test_the_first_byte_has_its_own_time(upstream: RawUpstream) -> None:
    """`timeout.first_byte` ends an attempt that has not begun to answer."""
    policies = "policies: [{name: t, timeout: {total: 4s, first_byte: 200ms}}]"
    async with holdfast(upstream, policies=policies) as proxy:
        upstream.then(never)
        got = await proxy.call(request())
        assert (got.status, json.loads(got.body)["code"]) == (504, "upstream_timeout")


async def test_the_total_is_the_agents_to_shorten(upstream: RawUpstream) -> None:
    """`holdfast-timeout-ms` of the agent shrinks the deadline; it is `deadline_exceeded` then."""
    policies = "policies: [{name: t, timeout: {total: 30s}}]"
    async with holdfast(upstream, policies=policies) as proxy:
        upstream.then(never)
        got = await proxy.call(request("/", "holdfast-timeout-ms: 300"))
        assert got.status == 504


async def test_a_body_that_stops_is_cut_off(upstream: RawUpstream) -> None:
    """An answer that stalls in its body ends with the deadline, and not cleanly."""
    policies = "policies: [{name: t, timeout: {total: 300ms, attempt: 200ms}}]"

    async def stalls(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(answer(200, "Content-Length: 10", body=b"part"))
        await connection.ended.wait()

    async with holdfast(upstream, policies=policies) as proxy, await proxy.connect() as agent:
        upstream.then(stalls)
        agent.send(request())
        got = await agent.rest()
        assert b"504" in got.split(b"\r\n")[0] or not got.endswith(b"part" + b"x" * 6)


# limits of what is read


async def test_many_interim_answers_are_no_answer(proxy: Proxy, upstream: RawUpstream) -> None:
    """A hundred 1xx before an answer do no harm: it is either reached or refused."""
    upstream.then(answer(103, body=None) * 100 + OK)
    got = await proxy.call(request())
    assert got.status in (200, 502)


async def test_a_head_in_front_of_its_request_is_not_its_answer(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """An upstream that speaks first on a fresh connection answers nobody."""
    async with RawUpstream() as early:
        early.connections.clear()
        original = early.note_opened

        def speaks_first(connection: UpstreamConnection) -> None:
            original(connection)
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")

        early.note_opened = speaks_first
        async with holdfast(early) as alone:
            first = await alone.call(request("/1"))
            second = await alone.call(request("/2"))
            # What comes before the request was written cannot be told from a very early answer;
            # it may not, in any case, be given to a later request.
            assert [first.status, second.status] in ([200, 200], [502, 502], [200, 502], [502, 200])
            assert len(early.connections) == 2


# what is added


KEYS = "policies: [{name: k, retry: {attempts: 3, backoff: {base: 1ms}}, idempotency: {}}]"


async def test_all_attempts_of_a_call_have_one_key(upstream: RawUpstream) -> None:
    """And the next call has another one; facts that are forwarded stand beside it."""
    async with holdfast(upstream, "tools", KEYS, mount={"forward": ["attempt"]}) as proxy:
        upstream.then(answer(500), answer(500))
        for _ in range(2):
            got = await proxy.call(request("/v1/pay", method="POST", body=b"{}"))
            assert got.status == 200
    keys = [sent.value("idempotency-key") for sent in upstream.requests]
    assert [bool(sent.value("holdfast-attempt")) for sent in upstream.requests] == [True] * 4
    assert (len(keys), len(set(keys[:3])), keys[2] == keys[3]) == (4, 1, False)
    assert None not in keys


async def test_an_agents_key_goes_on_as_it_came(upstream: RawUpstream) -> None:
    """Once, in its own spelling."""
    async with holdfast(upstream, "tools", KEYS) as proxy:
        await proxy.call(request("/v1/pay", "IDEMPOTENCY-key: k", method="POST", body=b"{}"))
    (sent,) = upstream.requests
    assert [line for line in sent.lines if b"idempotency" in line.lower()] == [
        b"IDEMPOTENCY-key: k"
    ]


# credentials


TWO = [{"bearer": "first"}, {"header": "X-Key", "value": "second"}]
REFRESH = "policies: [{name: r, retry: {on_401: refresh}}]"


def presented(upstream: RawUpstream) -> list[tuple[bytes | None, bytes | None]]:
    """What the upstream was shown, request by request."""
    return [(one.value("authorization"), one.value("x-key")) for one in upstream.requests]


async def test_another_credential_is_taken_where_one_is_refused(upstream: RawUpstream) -> None:
    """A write too; the next call begins with the one that worked, and the agent's own is dropped
    under every name."""
    async with holdfast(upstream, policies=REFRESH, mount={"auth": TWO}) as proxy:
        upstream.then(answer(401))
        for _ in range(2):
            raw = request("/", "Authorization: mine", "X-Key: mine", method="POST", body=b"x")
            got = await proxy.call(raw)
            assert got.status == 200
    assert presented(upstream) == [(b"Bearer first", None), (None, b"second"), (None, b"second")]


async def test_a_401_of_all_credentials_is_the_answer(upstream: RawUpstream) -> None:
    """With the reason, and SDKs are told to stop."""
    async with holdfast(upstream, policies=REFRESH, mount={"auth": TWO}) as proxy:
        upstream.then(answer(401), answer(401))
        got = await proxy.call(request())
        assert (got.status, got.value("holdfast-reason")) == (401, b"no_credential")
        assert (got.value("x-should-retry"), got.value("holdfast-attempts")) == (b"false", b"2")
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("auth", [TWO[0], TWO[:1]])
async def test_one_credential_is_sent_once(upstream: RawUpstream, auth: object) -> None:
    """There is nothing to refresh to, in a list or not."""
    async with holdfast(upstream, policies=REFRESH, mount={"auth": auth}) as proxy:
        upstream.then(answer(401))
        assert (await proxy.call(request())).value("holdfast-reason") == b"no_credential"
    assert presented(upstream) == [(b"Bearer first", None)]


async def test_a_403_may_be_escalated(upstream: RawUpstream) -> None:
    """The upstream's own answer, with the reason; a person finds it in metrics and log."""
    policies = "policies: [{name: e, retry: {on_403: escalate}}]"
    async with holdfast(upstream, policies=policies) as proxy:
        upstream.then(answer(403, "X-Why: no", body=b"no"))
        got = await proxy.call(request())
        assert (got.status, got.value("x-why"), got.body) == (403, b"no", b"no")
        assert got.value("holdfast-reason") == b"escalated"
        assert got.value("x-should-retry") == b"false"
        metrics = await proxy.metrics()
    name = "holdfast_retries_total"
    assert metrics.sum(name, decision="denied", reason="escalated") == 1
