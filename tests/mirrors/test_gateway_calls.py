"""proxy/mirrors/gateway_calls.py: the envelope, whose it is, and what an answer means."""

import pytest

from proxy.mirrors.gateway_calls import Result
from proxy.posts import Answer
from tests.mirrors.at_gateway import AGENT, Gateway

ANN, BOB = (b"Authorization", b"Bearer ann"), (b"X-Key", b"bob")


async def test_a_call_in_the_envelope():
    """Marked, with the upstream's credential, and a key where it changes something."""
    gateway = Gateway()

    result = await gateway.calls(ANN).call("get_balance", {"agent_id": AGENT}, "k-1")

    assert result.taken
    assert result.result["agent_id"] == AGENT
    assert gateway.asked == [
        (
            "get_balance",
            {"agent_id": AGENT},
            {
                "content-type": "application/json",
                "idempotency-key": "k-1",
                "holdfast-mirror": "ledger",
                "authorization": "Bearer ann",
            },
        )
    ]


async def test_one_that_asks_has_no_key():
    """A gateway would tell what was true when it was asked first."""
    gateway = Gateway()

    assert (await gateway.calls().call("get_balance", {"agent_id": AGENT})).taken

    assert "idempotency-key" not in gateway.asked[0][2]


async def test_after_a_401_the_next_credential_is_sent():
    """And the first one again when that does not do either."""
    gateway = Gateway(Answer(401, "it answered 401"), Answer(401, "it answered 401"))
    calls = gateway.calls(ANN, BOB)

    for _ in range(3):
        await calls.call("get_balance", {"agent_id": AGENT})

    sent = [lines.get("x-key") or lines.get("authorization") for *_, lines in gateway.asked]
    assert sent == ["Bearer ann", "bob", "Bearer ann"]


@pytest.mark.parametrize(
    ("answer", "taken", "blames", "why"),
    [
        (Answer(200, body=b'{"result":{}}'), True, False, "it answered"),
        (Answer(200, body=b'{"error":{"code":"no"}}'), False, False, "it answered no"),
        (Answer(200, body=b"<html>"), False, False, "it answered no_json"),
        (Answer(402, "it answered 402", body=b'{"error":{"code":"x"}}'), False, True,
         "it answered 402 x"),
        (Answer(404, "it answered 404", body=b'{"error":{"code":"unknown_tool"}}'), False, False,
         "it answered 404 unknown_tool"),
        (Answer(409, "it answered 409", body=b"<html>"), False, True, "it answered 409"),
        (Answer(400, "it answered 400", body=b'{"error":"wrong"}'), False, True,
         "it answered 400 wrong"),
        (Answer(503, "it answered 503", body=b"{}"), False, False, "it answered 503"),
        (Answer(401, "it answered 401", body=b'{"result":3}'), False, False, "it answered 401"),
        (Answer(0, "no answer"), False, False, "no answer"),
    ],
)  # fmt: skip
async def test_what_an_answer_means(answer: Answer, taken: bool, blames: bool, why: str):
    """Done; wrong itself, so that it would be refused again; or the gateway's fault."""
    result: Result = await Gateway(answer).calls().call("get_balance", {})

    assert (result.taken, result.blames, result.why) == (taken, blames, why)
