"""What MCP servers say of their tools' effects, learned from their lists as these pass.

They are hints, and a server is as free to lie as an agent: they are asked only where the operator
trusts them, and never against a policy. What is learned of one upstream is not believed of another
one that took its name.
"""

from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from proxy.call import Effect
from proxy.protocols.names import LONGEST_NAME
from proxy.protocols.protocol import Rules

_MOST_UPSTREAMS = 256
_MOST_TOOLS = 4096


class Annotations(msgspec.Struct, rename="camel", frozen=True):
    """As the protocol has them (`ToolAnnotations`); None: not said."""

    read_only_hint: bool | None = None
    destructive_hint: bool | None = None
    idempotent_hint: bool | None = None

    @property
    def effect(self) -> Effect:
        """What they come to. Whoever says that it destroys something does not just read."""
        if self.read_only_hint and not self.destructive_hint:
            return Effect.READ
        if self.idempotent_hint and not self.read_only_hint:
            return Effect.IDEMPOTENT
        return Effect.WRITE


class Listed(msgspec.Struct, frozen=True):
    """A tool of a list."""

    name: str = ""
    annotations: Annotations | None = None


class Hints:
    """The effects of tools, by their upstreams. Bounded: what was learned first goes first."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, bytes, bytes], OrderedDict[str, Effect]] = OrderedDict()

    def learn(self, rules: Rules, tools: Iterable[Listed]) -> None:
        """A list, or a page of one, came from this upstream."""
        place = _place(rules)
        known = self._known.setdefault(place, OrderedDict())
        self._known.move_to_end(place)
        while len(self._known) > _MOST_UPSTREAMS:
            self._known.popitem(last=False)
        for tool in tools:
            effect = Effect.WRITE if tool.annotations is None else tool.annotations.effect
            if effect is Effect.WRITE:
                known.pop(tool.name, None)  # what nobody knows anything of is one too
            elif len(tool.name) <= LONGEST_NAME:
                known[tool.name] = effect
                known.move_to_end(tool.name)
        while len(known) > _MOST_TOOLS:
            known.popitem(last=False)

    def effect(self, rules: Rules, tool: str) -> Effect:
        """Of a tool of this upstream."""
        known = self._known.get(_place(rules))
        return Effect.WRITE if known is None else known.get(tool, Effect.WRITE)


def _place(rules: Rules) -> tuple[str, bytes, bytes]:
    return rules.upstream, rules.origin, rules.base
