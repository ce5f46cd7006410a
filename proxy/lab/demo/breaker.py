"""A tool that keeps failing is left alone, and asked again later."""

from proxy.lab.demo.play import OPERATOR, Answer, Play
from proxy.lab.demo.policies import AGENT

_EVENT = {"agent_id": AGENT, "event_type": "price.changed"}
_FAILURES = 3
_LONGEST_WAIT = 5.0  # seconds


async def breaker(play: Play) -> None:
    """It opens, refuses, and closes again."""
    play.rule("events")
    play.tell("agent", f"calls publish_event {_FAILURES} times")
    play.script({"tool": "publish_event", "status": 500, "times": _FAILURES})
    failed = [await play.call("publish_event", **_EVENT) for _ in range(_FAILURES)]
    play.tell("gateway", f"answers {', '.join(str(each.status) for each in failed)}")
    play.tell("agent", "calls it once more")
    before = play.gateway.calls.total
    refused = await play.call("publish_event", **_EVENT)
    play.tell("holdfast", refused.told())
    asked = play.gateway.calls.total - before
    play.expect("the gateway is left in peace: it heard nothing of that", asked == 0)
    other = await play.call("get_balance", agent_id=AGENT)
    play.expect(f"its other tools still answer: get_balance {other.status}", other.went)
    await _recovers(play, refused)


async def _recovers(play: Play, refused: Answer) -> None:
    wait = min(_LONGEST_WAIT, int(refused.headers.get("retry-after-ms", "0")) / 1000)
    play.tell("agent", "waits as long as retry-after-ms says, and calls again")
    await play.clock.sleep(wait)
    probe = await play.call("publish_event", **_EVENT)
    play.tell("holdfast", probe.told())
    _, page = await play.ask(OPERATOR, "GET", "/v1/breakers")
    states = {each["key"]: each["state"] for each in page.get("items", [])}
    state = states.get("gateway/publish_event")
    play.expect(f"one good answer, and the circuit is {state}", probe.went and state == "closed")
