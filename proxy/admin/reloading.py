"""`POST /v1/reload`: policies and tokens are read again, and who asks is told what came of it."""

from proxy.admin.answers import NotDone
from proxy.admin.lists import Item
from proxy.admin.routes import Visit
from proxy.admin.sight import Sight


class Reloading:
    """The handler."""

    def __init__(self, sight: Sight) -> None:
        self._reload = sight.reload
        self._health = sight.health

    async def reload(self, visit: Visit) -> Item:
        """Answers when all is in force. Raises NotDone: what was in force before is still."""
        wrong = await self._reload(visit.author.name)
        if wrong:
            raise NotDone(409, "\n".join(wrong))
        return {"policy_version": self._health.version}
