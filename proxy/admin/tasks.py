"""`POST /v1/tasks/{id}/outcome`: somebody says how a task ended (docs/slos.md).

An operator may of any task. An agent may of its own, by the credential that it calls with, where
`identity: [key]` tells agents apart: it is told nothing of other agents' tasks.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from proxy.admin.answers import NotDone
from proxy.admin.lists import Item
from proxy.admin.routes import Visit
from proxy.admin.sight import Sight, Watched
from proxy.observe.slo.following import Outcome, Several, Unknown, Untrue
from proxy.protocols.identity import LONGEST

_UNKNOWN = (
    "no task of this name is open, or has ended of late: one is known once a call of it has ended "
    "that an SLO with per: task is for"
)


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of the request."""

    outcome: Annotated[
        Literal["success", "failure"], Meta(description="How it ended, whatever its calls did.")
    ]
    agent: Annotated[
        str | None,
        Meta(description="Whose it is. null: that of the one agent that has one of this name."),
    ] = None


class TaskOutcomes:
    """The handler."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    async def end(self, visit: Visit) -> Item:
        """Answers when it counts, and will be known after a restart. Raises NotDone."""
        author, said = visit.author, visit.body
        task = visit.request.match_info["id"][:LONGEST]  # as of calls
        watched = self._sight.watched
        if author.agent and said.agent not in (None, author.agent):
            raise NotDone(403, f"this is the credential of {author.agent}: it ends its own tasks")
        if watched is None:
            raise NotDone(404, _UNKNOWN)
        by = f"agent:{author.agent}" if author.agent else author.name
        done = _ended(watched, task, said, by, author.agent or said.agent or "")
        if not await watched.tasks.durable():
            raise NotDone(
                503, "it counts, but the journal cannot be written: a restart would forget it"
            )
        return {
            "task": task,
            "agent": done.agent,
            "outcome": said.outcome,
            "slos": list(done.slos),
            "already": not done.slos,
        }


def _ended(watched: Watched, task: str, said: Said, by: str, agent: str) -> Outcome:
    try:
        return watched.tasks.end(task, said.outcome, by, agent)
    except Unknown as unknown:
        raise NotDone(404, _UNKNOWN) from unknown
    except Several as several:
        detail = f"tasks of {several} are called so: say whose it is, by agent"
        raise NotDone(409, detail) from several
    except Untrue as untrue:
        raise NotDone(409, f"it has ended already: {untrue}") from untrue
