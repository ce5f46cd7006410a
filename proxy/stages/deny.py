"""`deny`: the call is refused.

Not by itself a wall around a tool: an expression is asked of what the agent sends. Where it fails
(a member that is missing, a type that is another), the call is refused as well.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from proxy.call import Call
from proxy.expression import Expression
from proxy.protocols.condition import Condition
from proxy.refusal import Refusal
from proxy.stage import Check, Said, Section, Site


class Deny(Section, frozen=True, kw_only=True):
    """Calls that are refused: all, or those for which a condition holds."""

    restricts: ClassVar[bool] = True
    by_true: ClassVar[Mapping[str, Any]] = MappingProxyType({"when": None})
    """No condition, whatever a policy before said: who writes `deny: true` means every call."""

    when: Annotated[
        Expression | None,
        Meta(description="A condition in CEL; where it fails the call is refused. Default: all."),
    ] = None
    reason: Annotated[str, Meta(min_length=1, max_length=500, description="Told to the agent.")] = (
        "a policy denies this call"
    )
    hide: Annotated[
        bool,
        Meta(
            description="Leave the tool out of the lists of MCP servers, where no condition "
            "decides if it is denied."
        ),
    ] = False


class Denial(Check):
    """The gate of one pipeline."""

    __slots__ = ("_condition", "_refusal")

    def __init__(self, section: Deny, site: Site) -> None:
        self._condition = Condition.of(section.when, "deny", site)
        self._refusal = Refusal("denied", section.reason, policy=site.policy, scope="tool")

    def admit(self, call: Call) -> Refusal | None:
        """Refuses `denied`, unless its condition does not hold."""
        return self._verdict(self._condition is None or self._condition.holds(call))

    def says(self, call: Call) -> Said:
        """What it would do with the call now."""
        if self._condition is None:
            return Said("denies every call", self._refusal)
        holds = self._condition.look(call)
        said = "can be read in two ways" if isinstance(holds, Refusal) else _SAID[holds]
        return Said(f"its condition {said}", self._verdict(holds))

    def _verdict(self, holds: bool | Refusal | None) -> Refusal | None:
        if holds is False:
            return None
        return holds if type(holds) is Refusal else self._refusal


_SAID = {True: "holds", False: "does not hold", None: "fails, which counts as holding"}
