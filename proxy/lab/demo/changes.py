"""Policies change while it runs; a bad file changes nothing."""

from proxy.lab.demo.play import OPERATOR, Play
from proxy.lab.demo.policies import AGENT, PARTS, policies


async def changes(play: Play) -> None:
    """A good file, then a bad one."""
    before = await play.call("get_balance", agent_id=AGENT)
    once = PARTS["reads"].replace("attempts: 3", "attempts: 1")
    text = policies(play.gateway.url, {**PARTS, "reads": once})
    play.yaml(OPERATOR, f"saves {once}")
    play.expect("it is in force, without a restart", play.cast.load(text))
    play.script(503)
    play.tell("agent", "calls get_balance")
    single = await play.call("get_balance", agent_id=AGENT)
    play.tell("gateway", f"answers {single.status}")
    play.tell("holdfast", single.told())
    play.expect("one attempt now", (single.status, single.said("attempts")) == (503, "1"))
    play.tell(OPERATOR, "saves a file with a mistake in it: atempts")
    kept = not play.cast.load(text.replace("attempts", "atempts"))
    after = await play.call("get_balance", agent_id=AGENT)
    rules = after.said("policy") == single.said("policy") != before.said("policy")
    play.expect("it is rejected, and the version before it still rules", kept and rules)
