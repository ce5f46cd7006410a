"""A read is sent again; a write of which nobody knows whether it ran is not."""

from proxy.lab.demo.play import Answer, Play
from proxy.lab.demo.policies import AGENT
from proxy.lab.sandbox.calls import Received
from proxy.state.price import dollars

_AMOUNT = 5_000_000


async def retry(play: Play) -> None:
    """Both."""
    play.rule("reads")
    await _read(play)
    await _write(play)


async def _read(play: Play) -> None:
    play.tell("agent", "calls get_balance, which only reads")
    play.script(503)
    before = play.gateway.calls.total
    answer = await play.call("get_balance", agent_id=AGENT)
    heard = play.heard(before)
    play.tell("gateway", f"answers {_statuses(heard)}")
    play.tell("holdfast", answer.told())
    got = answer.body.get("result", {}).get("balance")
    play.expect(f"the agent has its balance, {got}, and saw no error", answer.went)
    play.expect("the gateway was asked twice", len(heard) == 2)
    record = await play.record(answer)
    attempts = ", ".join(str(each["status"]) for each in record["attempts"])
    cost = dollars(record.get("cost_micros", 0))
    play.expect(
        f"its record has both attempts: {attempts}; together {cost} USD", attempts == "503, 200"
    )


async def _write(play: Play) -> None:
    play.tell("agent", f"calls deposit, amount {dollars(_AMOUNT)}")
    play.script({"tool": "deposit", "reset": True, "executed": True})
    before, had = play.gateway.calls.total, play.balance_micros
    answer = await play.call("deposit", agent_id=AGENT, amount=dollars(_AMOUNT))
    heard = play.heard(before)
    play.tell("gateway", f"{_statuses(heard)}, after it ran the call {_times(heard)}")
    play.tell("holdfast", answer.told())
    play.tell("model", f"is told: {_for_model(answer)}")
    executed = answer.body.get("executed")
    play.expect(f"whether it ran is called {executed}, not guessed", executed == "unknown")
    booked = play.balance_micros - had
    once = len(heard) == 1 and booked == _AMOUNT
    play.expect(f"it was sent once, and {dollars(booked)} is booked, not twice that", once)


def _statuses(heard: list[Received]) -> str:
    told = ["resets the connection" if each.status is None else str(each.status) for each in heard]
    return ", then ".join(told)


def _times(heard: list[Received]) -> str:
    ran = sum(each.executed for each in heard)
    return "once" if ran == 1 else f"{ran} times"


def _for_model(answer: Answer) -> str:
    return str(answer.body.get("message_for_model", "nothing"))
