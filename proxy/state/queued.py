"""How many attempts at one tool stand in queues of ours now."""

from proxy.keys import QueuedKey
from proxy.stage import Ground, Target


class Queued:
    """One number for all queues that calls of a tool may stand in."""

    __slots__ = ("__weakref__", "now")

    def __init__(self) -> None:
        self.now = 0

    @classmethod
    def of(cls, ground: Ground, target: Target) -> "Queued":
        """The tool's, shared by all stages that make its calls wait in a queue."""
        return ground.kept(QueuedKey(target.domain, target.upstream, target.tool), cls)

    @property
    def idle(self) -> bool:
        """May it make room for others in the Keep?"""
        return not self.now
