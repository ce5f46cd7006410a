"""`POST /v1/erasures`: what is kept of a task or an agent is destroyed (docs/payloads.md)."""

import msgspec
from aiohttp import web

from proxy.admin.answers import problem, said
from proxy.admin.sight import Erase
from proxy.journal.erasures import NO_SUBJECT, Held, is_no_name
from proxy.journal.sealing import Trouble
from proxy.protocols.document import members_written

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


async def erased(body: bytes, erase: Erase) -> web.Response:
    """Answers when all is destroyed and recorded, durably."""
    try:
        asked = msgspec.json.decode(body, type=Asked)
    except msgspec.DecodeError as error:
        return problem(400, "Bad Request", str(error))
    # What cannot be undone is not guessed at: of a member that stands twice only one would count.
    twice = members_written(body, 2) > 2
    wrong = asked.wrong or ("expected task or agent, and reason, each once" if twice else "")
    if wrong:
        return problem(400, "Bad Request", wrong)
    what = "task" if asked.task else "agent"
    try:
        done = await erase(what, asked.task or asked.agent, "admin.sock", asked.reason)
    except Held as held:
        return problem(409, "Conflict", str(held))
    except Trouble as trouble:
        return problem(503, "Service Unavailable", f"{trouble}; it may be done in part: ask again")
    return said(200, done.answer())
