"""`route`: which upstream or model a call goes to, by the first choice whose condition holds (spec
3.13).

It stands inside everything that is for the call as such, and before everything that is for one
upstream: whoever repeats, hedges or breaks does so where the call was sent.
"""

from collections.abc import Awaitable
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from proxy.call import Call
from proxy.expression import Expression
from proxy.protocols.condition import Condition
from proxy.refusal import Refusal
from proxy.reply import Reply, refusing
from proxy.stage import Said, Section, Site

Named = Annotated[str, Meta(pattern="^[ -~]{1,128}$")]  # it stands in headers


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where such calls go: to a model, an upstream, or both."""

    when: Annotated[
        Expression | None,
        Meta(description="A condition in CEL; where it fails it does not hold. Default: always."),
    ] = None
    model: Annotated[
        Named | None,
        Meta(description="Takes the place of the body's own `model`; nothing else is changed."),
    ] = None
    upstream: Annotated[
        Named | None, Meta(description="The name of one that speaks the same protocol.")
    ] = None

    def __post_init__(self) -> None:
        """Raises ValueError where it leads nowhere."""
        if self.model is None and self.upstream is None:
            raise ValueError("a choice needs a model or an upstream")


class Route(Section, frozen=True, kw_only=True):
    """Which upstream or model a call goes to. Where no choice holds, to its own."""

    written_as_list: ClassVar[str] = "choices"

    choices: Annotated[
        tuple[Choice, ...], Meta(min_length=1, description="The first one that holds counts.")
    ] = ()


class Fork:
    """Sends each call by the first choice that holds."""

    def __init__(self, section: Route, site: Site) -> None:
        self._inner = site.inner
        self._links = site.ground.links
        self._choices = tuple(
            (choice, Condition.of(choice.when, "route", site)) for choice in section.choices
        )

    def handle(self, call: Call) -> Awaitable[Reply]:
        """The reply of what was chosen."""
        for choice, condition in self._choices:
            holds = condition is None or condition.holds(call)
            if holds is True:
                if choice.model is None and choice.upstream == call.upstream:
                    break  # where it goes anyway
                return self._by(choice, call)
            if holds:
                return refusing(holds)
        return self._inner(call)

    def says(self, call: Call) -> Said:
        """What it would do with the call now."""
        for choice, condition in self._choices:
            holds = condition is None or condition.look(call)
            if isinstance(holds, Refusal):
                return Said("its arguments can be read in more than one way", holds)
            if holds:
                names = filter(None, (choice.upstream, choice.model))
                return Said(f"goes to {' as '.join(names)}")
        return Said("goes to its own upstream")

    async def _by(self, choice: Choice, call: Call) -> Reply:
        upstream, model = choice.upstream or "", choice.model or ""
        reply = await self._links(call, upstream, model)(call)
        if not reply.refused:
            reply.by(reply.tier, _other(call, upstream, model))
        return reply


def _other(call: Call, upstream: str, model: str) -> str:
    """What is not as the call asked for it."""
    return upstream if upstream not in {"", call.upstream} else model if model != call.model else ""
