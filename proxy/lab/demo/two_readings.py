"""A body that says two things."""

from proxy.lab.demo.play import Play

_BODY = b'{"tool": "get_balance", "tool": "deposit", "input": {"agent_id": "local-agent"}}'


async def two_readings(play: Play) -> None:
    """A policy could see the one tool, the gateway run the other."""
    play.tell("agent", f"sends {_BODY.decode()}")
    before = play.gateway.calls.total
    answer = await play.post(_BODY)
    play.tell("holdfast", answer.told())
    refused = answer.said("reason") == "ambiguous_call" and play.gateway.calls.total == before
    play.expect("the gateway heard nothing of it", refused)
