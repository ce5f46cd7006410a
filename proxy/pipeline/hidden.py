"""Tools that agents are not even shown: `deny: {hide: true}`.

A list of tools is asked for like anything that sets calls up, so its pipeline has nothing of what
its tools' policies say. What they hide is asked for each tool, when its list has come. Not a wall:
who calls a hidden tool by its name is refused by `deny` itself.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial

from proxy.call import Call
from proxy.config.cascade import candidates, merge
from proxy.config.types import Policy
from proxy.reply import Reply
from proxy.stage import Handler


class Hidden:
    """Which tools the policies hide. False where they hide none."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._policies = [policy for policy in policies if "deny" in policy.sections]
        self._some = any(policy.sections["deny"].fields.get("hide") for policy in self._policies)

    def __bool__(self) -> bool:
        return self._some

    def told(self, facts: Callable[[Call], dict[str, str]], inner: Handler) -> Handler:
        """The same handler, for calls that may ask for a list. `facts`: what policies match."""

        def handle(call: Call) -> Awaitable[Reply]:
            call.hides = partial(self.hides, facts(call))
            return inner(call)

        return handle

    def hides(self, facts: Mapping[str, str], tool: str) -> bool:
        """Is this tool hidden from who asks? Not where a condition decides if it is denied: that
        is only known when it is called."""
        there = candidates(self._policies, {**facts, "tool": tool})
        if any(policy.match.when is not None for policy in there):
            return False
        deny = merge(there).sections.get("deny")
        if deny is None or deny.fields.get("when") is not None:
            return False
        return bool(deny.fields.get("hide", False))
