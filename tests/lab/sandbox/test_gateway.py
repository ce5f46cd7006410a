"""proxy/lab/sandbox/gateway.py, over real sockets."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from proxy.lab.sandbox import gateway
from proxy.lab.sandbox.faults import ScriptError
from proxy.lab.sandbox.gateway import Sandbox, start

PATIENCE_SECONDS = 10.0


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    running = await start("127.0.0.1:0", seed=7)
    yield running
    await running.close()


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    async with aiohttp.ClientSession(sandbox.url, timeout=timeout) as session:
        yield session


async def post(
    client: aiohttp.ClientSession, path: str, body: object, **headers: str
) -> tuple[int, Any, Any]:
    """Status, JSON and headers of the answer; `_` in a header's name stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.post(path, json=body, headers=named) as response:
        return response.status, await response.json(), response.headers


async def call(
    client: aiohttp.ClientSession, tool: str, given: Mapping[str, object], **headers: str
) -> tuple[int, Any, Any]:
    return await post(client, "/v1", {"tool": tool, "input": given}, **headers)


async def script(client: aiohttp.ClientSession, *items: object) -> None:
    status, answer, _ = await post(client, "/_script", list(items))
    assert status == 200, answer


DEPOSIT: dict[str, object] = {"agent_id": "seller-01", "amount": "5.00"}


def balance(sandbox: Sandbox) -> int:
    return sandbox.state.wallet_of("seller-01").balance_micros


async def test_both_forms_are_answered(client: aiohttp.ClientSession) -> None:
    """The envelope on any path and the tool in the path give the same result."""
    given = {"agent_id": "local-agent"}
    first = await call(client, "get_balance", given)
    second = await post(client, "/v1/get_balance", given)
    assert first[0] == 200
    assert first[1]["result"]["balance"] == "1000.00"
    assert first[:2] == second[:2]


@pytest.mark.parametrize(("tool", "given", "status", "code"), [
    ("deposit", {"agent_id": "local-agent", "amount": -1}, 400, "invalid_input"),
    ("get_balance", {"agent_id": "nobody"}, 404, "wallet_not_found"),
    ("release_escrow", {"escrow_id": "esc_x"}, 404, "escrow_not_found"),
    ("no_such_tool", {}, 404, "unknown_tool"),
    ("record_transaction", {"agent_id": "seller-01", "amount": 1}, 402, "insufficient_funds"),
    ("create_wallet", {"agent_id": "seller-01"}, 409, "wallet_exists"),
])  # fmt: skip
async def test_errors_have_true_statuses(
    client: aiohttp.ClientSession, tool: str, given: dict[str, object], status: int, code: str
) -> None:
    """What a tool refuses comes as its HTTP status, with a code and a message."""
    got, answer, _ = await call(client, tool, given)
    assert (got, answer["error"]["code"]) == (status, code)
    assert answer["error"]["message"]


async def test_amounts_are_exact_over_the_wire(
    client: aiohttp.ClientSession, sandbox: Sandbox
) -> None:
    """Ten deposits of 0.1 make exactly one dollar."""
    for _ in range(10):
        await call(client, "deposit", {"agent_id": "seller-01", "amount": 0.1})
    assert balance(sandbox) == 1_000_000


async def test_a_body_too_large_is_413(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, and the answer says so, on calls and scripts alike."""
    monkeypatch.setattr(gateway, "LARGEST_BODY", 1000)
    sandbox = await start("127.0.0.1:0")
    async with aiohttp.ClientSession(sandbox.url) as client:
        for path in ("/v1", "/_script"):
            status, answer, _ = await post(client, path, "x" * 1000)
            assert (status, answer["error"]["code"]) == (413, "body_too_large")
    await sandbox.close()


async def test_a_compressed_body_is_read(client: aiohttp.ClientSession) -> None:
    """gzip is undone, and what only claims to be gzip is 400."""
    body = json.dumps({"tool": "get_balance", "input": {"agent_id": "local-agent"}}).encode()
    for sent, status in ((gzip.compress(body), 200), (body, 400)):
        async with client.post("/v1", data=sent, headers={"Content-Encoding": "gzip"}) as response:
            assert response.status == status


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/healthz", 200), ("GET", "/nothing", 405), ("DELETE", "/v1", 405),
    ("GET", "/_calls?last=many", 400),
    ("GET", "/_calls?last=" + "9" * 5000, 400),
])  # fmt: skip
async def test_other_requests_are_answered_in_json(
    client: aiohttp.ClientSession, method: str, path: str, status: int
) -> None:
    """Also what is no call gets a JSON answer."""
    async with client.request(method, path) as response:
        assert response.status == status
        assert await response.json()


async def test_a_key_makes_a_repeat_harmless(
    client: aiohttp.ClientSession, sandbox: Sandbox
) -> None:
    """The same request with the same key gets the same answer and runs once."""
    first = await call(client, "deposit", DEPOSIT, idempotency_key="k1")
    again = await call(client, "deposit", {**DEPOSIT, "idempotency_key": "k1"})
    assert again[:2] == first[:2]
    assert "idempotency-replayed" not in first[2]
    assert again[2]["idempotency-replayed"] == "true"
    assert balance(sandbox) == 5_000_000


async def test_a_twin_of_a_waiting_call_is_409(
    client: aiohttp.ClientSession, sandbox: Sandbox
) -> None:
    """While the first call is under way its duplicate is refused; only one runs."""
    await script(client, {"slow": 3600, "tool": "deposit"})
    first = asyncio.ensure_future(call(client, "deposit", DEPOSIT, idempotency_key="k1"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await sandbox.calls.until(lambda calls: calls.by_tool["deposit"] == 1)
    status, answer, _ = await call(client, "deposit", DEPOSIT, idempotency_key="k1")
    assert (status, answer["error"]["code"]) == (409, "idempotency_conflict")
    first.cancel()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await sandbox.calls.until(lambda calls: calls.left == 1)
    assert (await call(client, "deposit", DEPOSIT, idempotency_key="k1"))[0] == 200
    assert balance(sandbox) == 5_000_000


async def test_statuses_come_in_order(client: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """A scripted status is sent with its headers and body, and the tool does not run."""
    await script(
        client,
        {"status": 503, "headers": {"Retry-After": "1"}, "body": {"busy": True}},
        {"status": 500, "body": "plain words"},
        {"pass": True},
        502,
    )
    status, answer, headers = await call(client, "deposit", DEPOSIT)
    assert (status, answer, headers["Retry-After"]) == (503, {"busy": True}, "1")
    async with client.post("/v1/deposit", json=DEPOSIT) as response:
        assert (response.status, await response.text()) == (500, "plain words")
    assert (await call(client, "deposit", DEPOSIT))[0] == 200
    status, answer, _ = await call(client, "deposit", DEPOSIT)
    assert (status, answer["error"]["code"]) == (502, "scripted_fault")
    assert balance(sandbox) == 5_000_000


async def test_a_status_without_body_has_none(client: aiohttp.ClientSession) -> None:
    """204 is sent as HTTP wants it, and the connection goes on."""
    await script(client, 204)
    async with client.post("/v1/deposit", json=DEPOSIT) as response:
        assert (response.status, await response.read()) == (204, b"")
    assert (await call(client, "deposit", DEPOSIT))[0] == 200


async def test_the_limit_comes_after_n(client: aiohttp.ClientSession) -> None:
    """rate_limit_after lets N calls pass and says when to come back."""
    await script(client, {"rate_limit_after": 1})
    answers = [await call(client, "deposit", DEPOSIT) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 429, 429]
    assert answers[2][2]["Retry-After"] == "1"


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize("key", [{}, {"idempotency_key": "k"}])
async def test_slow_still_answers(
    client: aiohttp.ClientSession, sandbox: Sandbox, executed: bool, key: dict[str, str]
) -> None:
    """A slow call runs once and its answer comes."""
    await script(client, {"slow": 0.001, "executed": executed})
    status, answer, _ = await call(client, "deposit", DEPOSIT, **key)
    assert (status, answer["result"]["balance"]) == (200, "5.00")
    assert sandbox.calls.executed["deposit"] == 1


@pytest.mark.parametrize("executed", [False, True])
async def test_a_hanging_call_ends_with_its_peer(
    client: aiohttp.ClientSession, sandbox: Sandbox, executed: bool
) -> None:
    """Nothing is answered until the client leaves; the tool ran only if asked to."""
    await script(client, {"hang": True, "executed": executed})
    hanging = asyncio.ensure_future(call(client, "deposit", DEPOSIT))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await sandbox.calls.until(lambda calls: calls.by_tool["deposit"] == 1)
        hanging.cancel()
        await sandbox.calls.until(lambda calls: calls.left == 1)
    assert sandbox.calls.under_way == 0
    assert balance(sandbox) == (5_000_000 if executed else 0)


@pytest.mark.parametrize("close", [False, True])
async def test_a_stream_goes_on_until_somebody_ends_it(
    client: aiohttp.ClientSession, sandbox: Sandbox, close: bool
) -> None:
    """One event after the other, until the peer leaves or the gateway closes."""
    await script(client, {"stream": 0.001})
    async with asyncio.timeout(PATIENCE_SECONDS):
        async with client.post("/v1/deposit", json=DEPOSIT) as response:
            assert response.content_type == "text/event-stream"
            assert await response.content.readuntil(b"\n\n") == b'data: {"n": 1}\n\n'
            assert await response.content.readuntil(b"\n\n") == b'data: {"n": 2}\n\n'
            if close:
                await sandbox.close()
                rest = await response.content.read()
                assert rest.count(b"data") == rest.count(b"\n\n")
            else:
                response.close()
                await sandbox.calls.until(lambda calls: calls.left == 1)
    assert sandbox.calls.under_way == 0
    assert balance(sandbox) == 0


@pytest.mark.parametrize(("kind", "error"), [
    ("reset", aiohttp.ClientOSError),
    ("truncated", aiohttp.ClientPayloadError),
    ("malformed", aiohttp.ClientResponseError),
])  # fmt: skip
@pytest.mark.parametrize("executed", [False, True])
async def test_broken_answers_break(
    client: aiohttp.ClientSession,
    sandbox: Sandbox,
    kind: str,
    error: type[Exception],
    executed: bool,
) -> None:
    """Each fault on the wire is seen as what it is; the tool ran only if asked to."""
    await script(client, {kind: True, "executed": executed})
    with pytest.raises(error):
        await call(client, "deposit", DEPOSIT)
    assert balance(sandbox) == (5_000_000 if executed else 0)
    assert sandbox.calls.last[-1].status is None
    assert sandbox.calls.last[-1].fault == kind
    assert (await call(client, "get_balance", {"agent_id": "seller-01"}))[0] == 200


async def test_an_unknown_outcome_can_be_resolved_with_a_key(
    client: aiohttp.ClientSession, sandbox: Sandbox
) -> None:
    """After a failure that came too late, the key finds out what happened, harmlessly."""
    await script(client, {"reset": True, "executed": True})
    with pytest.raises(aiohttp.ClientOSError, match="reset"):
        await call(client, "deposit", DEPOSIT, idempotency_key="k")
    status, _, headers = await call(client, "deposit", DEPOSIT, idempotency_key="k")
    assert (status, headers["idempotency-replayed"]) == (200, "true")
    assert balance(sandbox) == 5_000_000


async def test_duplicate_runs_twice(client: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """A faulty gateway doubles the effect, whatever the key says."""
    await script(client, {"duplicate": True})
    status, answer, _ = await call(client, "deposit", DEPOSIT, idempotency_key="k")
    assert (status, answer["result"]["balance"]) == (200, "5.00")
    assert balance(sandbox) == 10_000_000


async def test_a_header_asks_for_a_fault(client: aiohttp.ClientSession) -> None:
    """x-sandbox-fault concerns its own request and leaves the script alone."""
    await script(client, 500)
    statuses = [
        (await call(client, "deposit", DEPOSIT, x_sandbox_fault="status=503"))[0],
        (await call(client, "deposit", DEPOSIT, x_sandbox_fault="nonsense"))[0],
        (await call(client, "deposit", DEPOSIT))[0],
    ]
    assert statuses == [503, 400, 500]


async def test_calls_are_shown(client: aiohttp.ClientSession) -> None:
    """GET /_calls has the counters and what is known of each call."""
    await script(client, {"pass": True}, 503)
    for key in ("a", "a", "a"):
        await call(client, "deposit", DEPOSIT, idempotency_key=key)
    await call(client, "no_such_tool", {})
    async with client.get("/_calls?last=3") as response:
        shown = await response.json()
    assert (shown["total"], shown["by_tool"], shown["executed"]) == (
        4, {"deposit": 3}, {"deposit": 1},
    )  # fmt: skip
    assert shown["by_status"] == {"200": 2, "503": 1, "404": 1}
    assert [(each["tool"], each["status"], each["fault"], each["replayed"])
            for each in shown["calls"]] == [
        ("deposit", 503, "status", False),
        ("deposit", 200, None, True),
        (None, 404, None, False),
    ]  # fmt: skip
    assert shown["calls"][0]["idempotency_key"] == "a"


async def test_the_script_shows_what_is_left(client: aiohttp.ClientSession) -> None:
    """GET /_script is the queue; POST replaces it, an empty list clears it."""
    await script(client, {"status": 503, "times": 2}, {"reset": True})
    await call(client, "deposit", DEPOSIT)
    async with client.get("/_script") as response:
        left = (await response.json())["script"]
    assert left == [
        {"tool": "*", "times": 1, "status": 503, "headers": {}},
        {"tool": "*", "times": 1, "reset": True},
    ]
    await script(client)
    assert (await call(client, "deposit", DEPOSIT))[0] == 200


@pytest.mark.parametrize(("body", "code"), [
    (b"{", "invalid_json"), (b"\xff", "invalid_json"), (b"[" * 100_000, "invalid_json"),
    (b'[{"status": 1}]', "invalid_script"),
    (b'{"status": 503}', "invalid_script"),
])  # fmt: skip
async def test_a_wrong_script_changes_nothing(
    client: aiohttp.ClientSession, body: bytes, code: str
) -> None:
    """What cannot be used is 400, and the old queue stays."""
    await script(client, 503)
    async with client.post("/_script", data=body) as response:
        assert response.status == 400
        assert (await response.json())["error"]["code"] == code
    assert (await call(client, "deposit", DEPOSIT))[0] == 503


async def test_reset_returns_to_the_seed() -> None:
    """State, ids, keys, counters and script are as they were at the start."""
    sandbox = await start("127.0.0.1:0", seed=3, script=[503], now=lambda: 1_000_000.0)
    async with aiohttp.ClientSession(sandbox.url) as client:
        rounds = []
        for _ in range(2):
            answers = [await call(client, "deposit", DEPOSIT, idempotency_key="k") for _ in "123"]
            rounds.append([answer[:2] for answer in answers])
            assert sandbox.calls.total == 3
            assert (await post(client, "/_reset", None))[0] == 200
        assert rounds[0] == rounds[1]
        assert [status for status, _ in rounds[0]] == [503, 200, 200]
        assert sandbox.calls.total == 0
    await sandbox.close()


async def test_closing_cuts_what_hangs() -> None:
    """close() does not wait for calls that never end, and may be repeated."""
    sandbox = await start("127.0.0.1:0", script=[{"hang": True}, {"slow": 3600}])
    async with aiohttp.ClientSession(sandbox.url) as client:
        hanging = asyncio.ensure_future(call(client, "deposit", DEPOSIT))
        slow = asyncio.ensure_future(call(client, "deposit", DEPOSIT))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await sandbox.calls.until(lambda calls: calls.total == 2)
            await sandbox.close()
            await sandbox.close()
            ended = await asyncio.gather(hanging, slow, return_exceptions=True)
    assert any(isinstance(end, aiohttp.ClientError) for end in ended)


async def test_a_peer_that_leaves_in_mid_body_is_noted(sandbox: Sandbox) -> None:
    """A request that never becomes whole is counted as left."""
    _, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
    writer.write(b"POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    async with asyncio.timeout(PATIENCE_SECONDS):
        await sandbox.calls.until(lambda calls: calls.under_way == 1)
        writer.close()
        await sandbox.calls.until(lambda calls: calls.left == 1)


@pytest.mark.parametrize("listen", ["", "8790", ":8790", "host:", "host:x", "host:65536"])
async def test_an_address_is_host_and_port(listen: str) -> None:
    """What is not host:port is refused before anything starts."""
    with pytest.raises(ValueError, match="host:port"):
        await start(listen)


async def test_an_address_that_is_taken_is_an_error(sandbox: Sandbox) -> None:
    """Two sandboxes cannot share a port, and the second leaves nothing behind."""
    with pytest.raises(OSError, match="in use"):
        await start(f"127.0.0.1:{sandbox.port}")


async def test_a_wrong_script_stops_the_start() -> None:
    """Errors in the script given at the start are raised."""
    with pytest.raises(ScriptError):
        await start("127.0.0.1:0", script=[{"status": 1}])


async def test_ipv6_is_written_in_brackets() -> None:
    """`[::1]:0` works, and the URL can be used as it is."""
    sandbox = await start("[::1]:0")
    async with aiohttp.ClientSession() as client:
        assert sandbox.url.startswith("http://[::1]:")
        assert (await post(client, f"{sandbox.url}/v1/get_balance", {}))[0] == 400
    await sandbox.close()
