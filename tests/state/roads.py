"""The way from a pod to a store in this process: what is asked may get lost on it, or be late."""

from typing import Any, TypeVar

from proxy.state.memory import Memory
from proxy.state.store import Near, Unreachable, Verb

Answer = TypeVar("Answer")


class Road(Near):
    """`fate` is what happens to the next one that is asked, once."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self.memory = memory
        self.fate = ""
        """lost: it is never done; late: when it arrives; unanswered: done, and nobody knows."""
        self.fates = "all"
        """To whom it happens; the name of a script."""
        self.late: list[Verb[Any]] = []  # on their way
        self.asked: list[Verb[Any]] = []

    async def ask(self, verb: Verb[Answer], within: float) -> Answer:
        """Part of Store."""
        self.asked.append(verb)
        if not self.fate or self.fates not in ("all", verb.script):
            return await super().ask(verb, within)
        fate, self.fate = self.fate, ""
        if fate == "late":
            self.late.append(verb)
        if fate == "unanswered":
            _ = await super().ask(verb, within)
        raise Unreachable(fate)

    def arrive(self) -> None:
        """What was late is done now."""
        for verb in self.late:
            _ = verb.on(self.memory)
        self.late.clear()
