"""Whose limit it is: what a policy's `per` says, and what a call answers to it.

A tool, or a model, is that of one upstream: what one can do says nothing of another. What one
pipeline is for is known when it is compiled. Who calls, for what work and by which model is read
from each call, for a pipeline may be that of several; but where all its calls are sent as one
model, it is that one.
"""

from collections.abc import Iterable
from typing import Literal

from proxy.call import Call
from proxy.stage import Target

Word = Literal["rule", "tool", "agent", "workflow", "upstream", "model"]
"""What `per` may say; `rule` is the policy itself."""
Key = tuple[str, str, str, str, str, str]

_NAMED = ("upstream", "tool", "agent", "workflow", "model")
_OF_AN_UPSTREAM = frozenset({"tool", "upstream", "model"})


class Per:
    """The `per` of one pipeline."""

    __slots__ = (
        "_agent",
        "_asked",
        "_fixed",
        "_model",
        "_sent_as",
        "_words",
        "_workflow",
        "fixed",
        "words",
    )

    def __init__(self, words: Iterable[str], target: Target) -> None:
        self.words = tuple(words)
        asked = frozenset(self.words)
        upstream = target.upstream if asked & _OF_AN_UPSTREAM else ""
        self._fixed = (upstream, target.tool if "tool" in asked else "")
        # Those who ask for something else have no limit in common, be the answers the same.
        self._asked = "+".join(sorted(asked))
        self._agent = "agent" in asked
        self._workflow = "workflow" in asked
        self._sent_as = target.sent_as if "model" in asked else ""
        self._model = "model" in asked and not self._sent_as
        self.fixed: Key | None = None
        """The key where it is always the same; None: a call must be asked."""
        if not (self._agent or self._workflow or self._model):
            self.fixed = (*self._fixed, "", "", self._sent_as, self._asked)

    def of(self, call: Call) -> Key:
        """The key of a call: upstream, tool, agent, workflow, model, and what was asked."""
        return (
            *self._fixed,
            call.agent if self._agent else "",
            call.workflow if self._workflow else "",
            call.model if self._model else self._sent_as,
            self._asked,
        )

    @property
    def scope(self) -> str:
        """As a refusal has it: `tool,agent`."""
        return ",".join(self.words)

    def told(self, call: Call, rule: str) -> str:
        """Whose it is, to people: `tool search for agent ann`. `rule` names what is no call's."""
        names = dict(zip(_NAMED, self.of(call), strict=False))
        return " for ".join(f"{word} {names.get(word, rule)}" for word in self.words)
