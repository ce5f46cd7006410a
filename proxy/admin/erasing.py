"""`POST /v1/erasures`: what is kept of a task or an agent is destroyed (docs/payloads.md)."""

import msgspec

from proxy.admin.answers import NotDone
from proxy.admin.lists import Item
from proxy.admin.routes import Visit
from proxy.admin.sight import Erase
from proxy.journal.erasures import NO_SUBJECT, Held, is_no_name
from proxy.journal.sealing import Trouble

_LONGEST = 500


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of the request."""

    reason: str
    task: str = ""
    agent: str = ""
    subject: str = ""

    @property
    def wrong(self) -> str:
        """What is; empty: nothing."""
        if self.subject:
            return NO_SUBJECT
        if bool(self.task) == bool(self.agent):
            return "task: expected exactly one of task and agent"
        if not 0 < len(self.reason) <= _LONGEST:
            return f"reason: expected a text of 1 to {_LONGEST} characters"
        return is_no_name(self.task or self.agent)


class Erasing:
    """The handler, and what it does its work with."""

    def __init__(self, erase: Erase) -> None:
        self._erase = erase

    async def erase(self, visit: Visit) -> Item:
        """Answers when all is destroyed and recorded, durably. Raises NotDone."""
        asked: Asked = visit.body
        if asked.wrong:
            raise NotDone(400, asked.wrong)
        what = "task" if asked.task else "agent"
        try:
            done = await self._erase(
                what, asked.task or asked.agent, visit.author.name, asked.reason
            )
        except Held as held:
            raise NotDone(409, str(held)) from held
        except Trouble as trouble:
            detail = f"{trouble}; it may be done in part: ask again"
            raise NotDone(503, detail) from trouble
        return done.answer()
