"""Policies that hold under a condition (`match.when`): which do is known when a call is there.

What a call is matched by is looked up, and found once for all calls alike (`table.py`). A condition
is asked of each call. So where policies may hold that have one, the lookup finds a `Conditional`
instead of a pipeline: it asks, in the order of the policies, and finds the pipeline by the answers.
Where no such policy may hold, nothing of this is there.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeAlias, TypeVar

from proxy.call import Call
from proxy.config.cascade import Effective, merge, settled
from proxy.config.types import Mode, Policy
from proxy.protocols.condition import Condition
from proxy.refusal import Refusal
from proxy.reply import Reply, refusing
from proxy.stage import Ground, Handler

Found = TypeVar("Found", bound=Handler)
Outcomes: TypeAlias = tuple[bool | None, ...]
"""What the conditions came to, in the order of their policies; None: it failed."""


class Conditions:
    """The conditions of the policies that may hold for some calls."""

    __slots__ = ("_asked", "_policies")

    def __init__(self, policies: list[Policy], ground: Ground) -> None:
        """`policies` match those calls but for their conditions."""
        self._policies = [policy for policy in policies if policy.mode is not Mode.OFF]
        self._asked = tuple(
            (Condition(policy.match.when, policy.name, "match", ground), _enforces(policy))
            for policy in self._policies
            if policy.match.when is not None
        )

    def __bool__(self) -> bool:
        """Are there any?"""
        return bool(self._asked)

    @property
    def policies(self) -> list[Policy]:
        """Those that have one, in their order."""
        return [policy for policy in self._policies if policy.match.when is not None]

    def outcomes(self, call: Call) -> Outcomes | Refusal:
        """A refusal: its arguments can be read in two ways, and what is enforced depends on them.

        What only a shadow depends on has failed then, for shadows refuse nobody.
        """
        found: list[bool | None] = []
        for condition, enforced in self._asked:
            answer = condition.holds(call)
            if type(answer) is Refusal:
                if enforced:
                    return answer
                answer = None
            found.append(answer)
        return tuple(found)

    def effective(self, outcomes: Outcomes) -> Effective:
        """What is in force where they come to this."""
        return merge(settled(self._policies, outcomes))


def _enforces(policy: Policy) -> bool:
    says = bool(policy.says) and policy.mode is Mode.ENFORCE
    return says or any(part.mode is Mode.ENFORCE for part in policy.sections.values())


class Conditional(Generic[Found]):
    """Called like a pipeline: asks which one is the call's, and calls it. Likewise for links."""

    __slots__ = ("_conditions", "_find")

    def __init__(self, conditions: Conditions, find: Callable[[Call, Outcomes], Found]) -> None:
        """`find` knows the pipeline for such a call, where the conditions came to this."""
        self._conditions = conditions
        self._find = find

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """The call's reply, at its commit."""
        found = self.of(call)
        return refusing(found) if type(found) is Refusal else found(call)

    def of(self, call: Call) -> Found | Refusal:
        """The call's own, or what says no where it cannot be told which one that is."""
        outcomes = self._conditions.outcomes(call)
        return outcomes if isinstance(outcomes, Refusal) else self._find(call, outcomes)
