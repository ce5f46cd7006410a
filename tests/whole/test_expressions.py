"""Conditions and routes on real sockets, as the YAML says (spec 1.4, 3.13)."""

import gzip
import json

import pytest

from tests.harness import Proxy, RawUpstream, chunked, holdfast, request
from tests.harness.loops import THE_LOOP

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

JSON = "Content-Type: application/json"
RULES = """
policies:
  - name: all
    timeout: {total: 4s}
    retry: {attempts: 2, on: [503], backoff: {base: 1ms, max: 2ms}}
  - name: large
    match: {tool: pay, when: "double(input.amount) > 100.0"}
    deny: {when: "headers['x-team'] != 'treasury'", reason: only the treasury pays so much}
"""


def pay(arguments: str, *lines: str) -> bytes:
    """A payment."""
    body = f'{{"tool": "pay", "input": {arguments}}}'.encode()
    return request("/", JSON, *lines, method="POST", body=body)


async def test_a_call_is_denied_by_what_it_asks_for(upstream: RawUpstream) -> None:
    """Nothing of it is sent; the agent is told by whom, and why."""
    async with holdfast(upstream, "tools", RULES) as proxy:
        got = await proxy.call(pay('{"amount": 150}', "X-Team: sales"))
        assert (got.status, got.value("holdfast-reason")) == (403, b"denied")
        assert (got.value("holdfast-policy") or b"").startswith(b"large@")
        assert got.value("x-should-retry") == b"false"
        problem = json.loads(got.body)
        assert (problem["code"], problem["executed"]) == ("denied", "no")
        assert problem["detail"] == "only the treasury pays so much"
        assert upstream.requests == []


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ('{"amount": 50}', ("X-Team: sales",)),
        ('{ "amount":"50" , "x":"\\u0061"}', ("X-Team: sales",)),
        ('{"amount": 150}', ("X-TEAM: treasury",)),
    ],
)
async def test_other_calls_pass_byte_for_byte(
    upstream: RawUpstream, arguments: str, lines: tuple[str, ...]
) -> None:
    """However they are written: what is read of them is not what is sent."""
    async with holdfast(upstream, "tools", RULES) as proxy:
        raw = pay(arguments, *lines)
        got = await proxy.call(raw)
        assert got.status == 200
        assert (await upstream.seen()).body == raw.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("arguments", ["{}", '{"amount": "a lot"}', '{"amount": {"x": 1}}'])
async def test_a_condition_that_fails_opens_nothing(upstream: RawUpstream, arguments: str) -> None:
    """The policy's refusal is asked as if its condition held, and the failure is counted."""
    async with holdfast(upstream, "tools", RULES) as proxy:
        got = await proxy.call(pay(arguments))
        assert got.status == 403
        metrics = await proxy.metrics()
        name = "holdfast_expression_errors_total"
        assert metrics.sum(name, policy="large", where="match") == 1
        assert metrics.sum(name, policy="large", where="deny") == 1


async def test_arguments_with_two_readings_are_a_bad_request(upstream: RawUpstream) -> None:
    """Where a policy that applies reads them; elsewhere they pass."""
    async with holdfast(upstream, "tools", RULES) as proxy:
        twice = '{"amount": 1, "amount": 150}'
        got = await proxy.call(pay(twice))
        assert (got.status, json.loads(got.body)["code"]) == (400, "ambiguous_call")
        assert upstream.requests == []
        metrics = await proxy.metrics()
        assert metrics.sum("holdfast_bad_requests_total", reason="ambiguous_call") == 1
        other = pay(twice).replace(b"pay", b"say")
        assert (await proxy.call(other)).status == 200


async def test_a_coded_body_is_read_through_its_coding(upstream: RawUpstream) -> None:
    """And goes on as it came."""
    async with holdfast(upstream, "tools", RULES) as proxy:
        large, small = (
            gzip.compress(b'{"tool": "pay", "input": {"amount": %d}}' % amount)
            for amount in (150, 50)
        )
        for body, status in ((large, 403), (small, 200)):
            lines = (JSON, "Content-Encoding: gzip")
            got = await proxy.call(request("/", *lines, method="POST", body=body))
            assert got.status == status
        assert (await upstream.seen()).body == small


ROUTES = """
policies:
  - name: models
    timeout: {total: 4s}
    effect: read
    retry: {attempts: 2, on: [503], backoff: {base: 1ms, max: 2ms}}
    route:
      - {when: "tokens < 20", model: small-one}
"""
SHORT = b'{ "model":"frontier-xl", "messages":[{"model":"x"}]}'
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"


def ask(body: bytes, *lines: str) -> bytes:
    """A request to a model, as plain HTTP."""
    return request("/v1/chat/completions", JSON, *lines, method="POST", body=body)


async def test_a_model_is_rewritten_on_the_wire(upstream: RawUpstream) -> None:
    """In every attempt; its length is right, all else is as it came; the answer says so."""
    async with holdfast(upstream, "http", ROUTES) as proxy:
        upstream.then(BUSY)
        got = await proxy.call(ask(SHORT, "X-A: b"))
        assert (got.status, got.value("holdfast-served-by")) == (200, b"small-one")
        assert got.value("holdfast-attempts") == b"2"
        expected = SHORT.replace(b"frontier-xl", b"small-one")
        for seen in (await upstream.seen(1), await upstream.seen(2)):
            assert seen.body == expected
            assert seen.values("content-length") == [b"%d" % len(expected)]
            assert (seen.value("x-a"), seen.value("transfer-encoding")) == (b"b", None)


async def test_a_model_is_rewritten_whichever_credential_is_sent(upstream: RawUpstream) -> None:
    """Where an upstream has several."""
    mount = {"auth": [{"bearer": "one"}, {"bearer": "two"}]}
    async with holdfast(upstream, "http", ROUTES, mount) as proxy:
        assert (await proxy.call(ask(SHORT))).status == 200
        seen = await upstream.seen()
        assert seen.body == SHORT.replace(b"frontier-xl", b"small-one")
        assert seen.value("authorization") == b"Bearer one"


async def test_what_is_not_routed_is_as_it_came(upstream: RawUpstream) -> None:
    """Too long for the small one; on the same connection as one that was rewritten."""
    long = SHORT.replace(b'"x"', b'"' + b"x" * 200 + b'"')
    async with holdfast(upstream, "http", ROUTES) as proxy, await proxy.connect() as agent:
        for body in (SHORT, long, SHORT):
            got = await agent.call(ask(body))
            assert got.status == 200
            assert (got.value("holdfast-served-by") is None) == (body is long)
        assert (await upstream.seen(2)).body == long
        assert (await upstream.seen(3)).body == SHORT.replace(b"frontier-xl", b"small-one")


async def test_a_chunked_body_that_is_here_is_sent_in_one_piece(upstream: RawUpstream) -> None:
    """With its length, instead of its chunks; an expectation has been answered by then."""
    async with holdfast(upstream, "http", ROUTES) as proxy:
        head = request(
            "/", JSON, "Transfer-Encoding: chunked", "Expect: 100-continue", method="POST"
        )
        got = await proxy.call(head + chunked(SHORT[:9], SHORT[9:]))
        assert got.status == 200
        seen = await upstream.seen()
        assert seen.body == SHORT.replace(b"frontier-xl", b"small-one")
        assert seen.values("content-length") == [b"%d" % len(seen.body)]
        assert seen.value("transfer-encoding") is None
        assert seen.value("expect") is None


async def test_what_has_no_model_is_not_sent(upstream: RawUpstream) -> None:
    """It would be sent as another than the one that was chosen."""
    async with holdfast(upstream, "http", ROUTES) as proxy:
        got = await proxy.call(ask(b'{"messages": []}'))
        assert (got.status, json.loads(got.body)["code"]) == (404, "no_route")
        assert got.value("holdfast-served-by") is None
        assert upstream.requests == []


STANDS_IN = """
policies:
  - name: models
    effect: read
    fallback: [{model: small-one}, {static: {status: 200, body: sorry}}]
"""


async def test_another_model_may_stand_in(upstream: RawUpstream) -> None:
    """It is sent with the other one in its body; what has no model is answered by the next."""
    async with holdfast(upstream, "http", STANDS_IN) as proxy:
        upstream.then(BUSY)
        got = await proxy.call(ask(SHORT))
        assert (got.status, got.value("holdfast-served-by")) == (200, b"small-one")
        assert (await upstream.seen(1)).body == SHORT
        assert (await upstream.seen(2)).body == SHORT.replace(b"frontier-xl", b"small-one")
        upstream.then(BUSY)
        got = await proxy.call(ask(b"{}"))
        assert (got.status, got.body) == (200, b"sorry")
        assert len(upstream.requests) == 1


async def test_policies_with_conditions_are_reloaded(upstream: RawUpstream) -> None:
    """The next call meets the new ones."""
    async with holdfast(upstream, "tools", RULES) as proxy:
        await denied(proxy, 150, 403)
        proxy.write_policies(RULES.replace("> 100.0", "> 1000.0"))
        assert proxy.app.reload()
        await denied(proxy, 150, 200)
        await denied(proxy, 1500, 403)


async def denied(proxy: Proxy, amount: int, status: int) -> None:
    """A call's status."""
    assert (await proxy.call(pay(f'{{"amount": {amount}}}'))).status == status
