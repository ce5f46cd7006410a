"""People agree to a call before it is sent, or do not."""

import asyncio
from typing import Any

import msgspec

from proxy.lab.demo.play import APPROVER, Answer, Play
from proxy.lab.demo.policies import AGENT
from proxy.state.price import dollars

_SELLER = "seller-01"
_GOOD, _BAD = 250_000_000, 900_000_000


async def approval(play: Play) -> None:
    """One that is approved, one that is denied."""
    play.rule("escrows")
    await _approved(play)
    await _denied(play)


async def _approved(play: Play) -> None:
    before = play.gateway.calls.total
    asked, waiting = await _held(play, _GOOD)
    held = play.gateway.calls.total == before
    name = asked["id"]
    play.tell("holdfast", f"holds it: approval {name[:8]}, {asked['needs']} person must agree")
    decision = f"/v1/approvals/{name}/decision"
    status, said = await play.ask("agent", "POST", decision, {"decision": "approve"})
    play.tell("agent", f"tries to approve it itself: {status}, {_short(said)}")
    _, page = await play.ask(APPROVER, "GET", f"/v1/approvals/{name}")
    body = (page.get("request") or {}).get("body", "")
    play.tell(APPROVER, f"is shown the exact call: {body}")
    done, _ = await play.ask(
        APPROVER, "POST", decision, {"decision": "approve", "reason": "invoice 17"}
    )
    play.tell(APPROVER, f"approves it, reason: invoice 17; {done}")
    answer = await waiting
    play.tell("holdfast", answer.told())
    record = await play.record(answer)
    named = str(record.get("approval"))
    play.expect(f"its record names approval {named[:8]}", named == name)
    play.expect("nothing was sent before; and no agent approves its own", held and status == 401)
    ran = play.heard(before)
    once = len(ran) == 1 and answer.went
    play.expect("what ran is what was shown, and it ran once", once and _is_that(play, body))
    again = await _again(play)
    same = (again.body == answer.body, play.gateway.calls.total - before) == (True, 1)
    play.expect("the same call once more gets the same answer, and is not sent again", same)


async def _again(play: Play) -> Answer:
    play.tell("agent", "sends the same call once more")
    answer = await _call(play, _GOOD)
    play.tell("holdfast", answer.told())
    return answer


def _short(problem: dict[str, Any]) -> str:
    return str(problem.get("detail")).partition(";")[0]


async def _denied(play: Play) -> None:
    before = play.gateway.calls.total
    asked, waiting = await _held(play, _BAD)
    verdict = {"decision": "deny", "reason": "the price is wrong"}
    status, _ = await play.ask(APPROVER, "POST", f"/v1/approvals/{asked['id']}/decision", verdict)
    play.tell(APPROVER, f"denies it, reason: {verdict['reason']}; {status}")
    answer = await waiting
    play.tell("holdfast", answer.told())
    denied = answer.said("reason") == "approval_denied" and play.gateway.calls.total == before
    play.expect("the gateway heard nothing of it", denied)


async def _held(play: Play, micros: int) -> tuple[dict[str, Any], "asyncio.Task[Answer]"]:
    """The agent calls, and somebody is asked. Raises TimeoutError where nobody is."""
    play.tell("agent", f"calls create_escrow, {dollars(micros)} USD to {_SELLER}")
    waiting = play.clock.spawn(_call(play, micros))
    page = await play.until("/v1/approvals?state=pending", lambda page: bool(page.get("items")))
    asked: dict[str, Any] = page["items"][0]
    return asked, waiting


async def _call(play: Play, micros: int) -> Answer:
    given = {"payer_agent_id": AGENT, "payee_agent_id": _SELLER, "amount": dollars(micros)}
    return await play.call("create_escrow", **given)


def _is_that(play: Play, shown: str) -> bool:
    """Is the one escrow of the gateway's books the one that was shown?"""
    given = msgspec.json.decode(shown or "{}").get("input", {})
    made = [
        (one.payer.agent_id, one.payee.agent_id, dollars(one.amount_micros))
        for one in play.gateway.state.escrows.values()
    ]
    return made == [
        tuple(given.get(name) for name in ("payer_agent_id", "payee_agent_id", "amount"))
    ]
