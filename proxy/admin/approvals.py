"""`/v1/approvals`: what waits for people, the exact call, and their decisions (docs/control.md)."""

from base64 import b64encode
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from proxy.admin.answers import NotDone
from proxy.admin.authors import OWNER
from proxy.admin.lists import Item, page
from proxy.admin.routes import Answer, Page, Parameter, Visit
from proxy.admin.sight import Sight
from proxy.config.tokens import Role
from proxy.keys import ELSEWHERE
from proxy.protocols.coding import decoded
from proxy.refusal import Refusal
from proxy.state.asking import Decided, Exhibit, Requested
from proxy.state.case import APPROVED, DENIED, PENDING, REVIEW, USED, File, Person, Undecided
from proxy.state.desk import Desk
from proxy.state.elsewhere import Elsewhere, Seen
from proxy.state.kills import LONGEST
from proxy.state.sealed import Envelope
from proxy.state.store import Unreachable
from proxy.units import in_utc

_DECODED = 4 << 20
"""Bytes of a body that was coded."""
SELDOM = 5.0
"""Seconds from one look at what waits at other pods to the next, for those who only count it."""
_STATES = (PENDING, APPROVED, DENIED, USED, REVIEW)
STATE = Parameter("state", "Only those.", {"type": "string", "enum": list(_STATES)})
_STATUS = {
    "unknown": 404,
    "over": 409,
    "unseen": 409,
    "forbidden": 403,
    "invalid": 400,
    "journal": 503,
    "store": 503,
    "away": 504,
    "unsure": 504,
}


class Listed(Page, frozen=True):
    """A page of what waits for people."""

    unseen: str | None  # why that of other pods is missing


LISTED = Answer("A page of them.", Listed)


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a decision."""

    decision: Literal["approve", "deny"]
    reason: Annotated[str, Meta(max_length=LONGEST)] = ""
    break_glass: bool = False


class Approvals:
    """The handlers, and what they do their work with."""

    def __init__(self, sight: Sight) -> None:
        self._desk = Desk.of(sight.keep, sight.clock)
        self._wall = sight.clock.wall
        self._now = sight.clock.now
        self._look_again = float("-inf")
        self._kept: tuple[list[Seen], str | None] = [], None
        self._elsewhere: Elsewhere = sight.keep.of(
            ELSEWHERE, lambda: Elsewhere(sight.clock, sight.keep, Envelope(b""))
        )

    async def page(self, visit: Visit) -> Item:
        """All that waits, was decided and not used yet, or is to be looked at; the oldest first.
        Of all pods; where the store does not answer, `unseen` says why there is less."""
        query = visit.request.query
        state = query.get("state")
        seen, unseen = await self._afar()
        told = [self._told(file) for file in self._desk.files if state in {None, file.state}]
        told += [_afar(each) for each in seen if state in {None, each.file.state}]
        return {**page(told, _oldest, query), "unseen": unseen}

    async def waiting(self) -> Item:
        """How many calls wait for people, in all pods, and which of them for longest."""
        seen, unseen = await self._lately_afar()
        files = [*self._desk.files, *(each.file for each in seen)]
        asked = [file.request for file in files if file.state == PENDING]
        oldest = min(asked, key=lambda one: one.asked_ms, default=None)
        return {
            "count": len(asked),
            "oldest": None if oldest is None else self._first(oldest),
            "unseen": unseen,
        }

    def _first(self, asked: Requested) -> Item:
        return {
            "id": asked.id,
            "agent": asked.agent or None,
            "tool": asked.tool or None,
            "asked": in_utc(asked.asked_ms / 1000),
            "for": round(max(0.0, self._wall() - asked.asked_ms / 1000), 3),
        }

    async def _lately_afar(self) -> tuple[list[Seen], str | None]:
        """As it was a moment ago: the store is not asked for it each second."""
        if self._now() >= self._look_again:
            self._look_again = self._now() + SELDOM
            self._kept = await self._afar()
        return self._kept

    async def _afar(self) -> tuple[list[Seen], str | None]:
        """What waits at other pods; where the store does not answer, why that is not known."""
        try:
            return await self._elsewhere.all(), None
        except Unreachable as why:
            return [], f"what waits at other pods is not known: {why}"

    async def one(self, visit: Visit) -> Item:
        """One of them. Approvers see the exact call, without its credentials."""
        name = visit.request.match_info["id"]
        may = visit.author.may(Role.APPROVER)
        try:
            if self._desk.has(name):
                told = self._told(self._desk.file(name))
                shown = await self._desk.shown(name) if may else None
            else:
                seen = await self._elsewhere.one(name)
                told = _afar(seen)
                shown = await self._elsewhere.shown(seen) if may else None
        except Undecided as why:
            raise _not_done(why) from why
        return {**told, "request": None if shown is None else _shown(Exhibit.decoded(shown))}

    async def decide(self, visit: Visit) -> Item:
        """Answers when it is decided, durably, by the pod that holds it. Raises NotDone."""
        asked: Decision = visit.body
        name, author = visit.request.match_info["id"], visit.author
        decided = Decided(name, asked.decision, author.name, asked.reason, asked.break_glass)
        person = Person(author.name, author.groups, author is OWNER)
        try:
            if self._desk.has(name):
                return self._told(await self._desk.decide(decided, person))
            seen = await self._elsewhere.one(name)
            return _afar(await self._elsewhere.decide(seen, decided, person))
        except Undecided as why:
            raise _not_done(why) from why

    def _told(self, file: File) -> Item:
        return _item(file, self._desk.left(file.request.id))


def _afar(seen: Seen) -> Item:
    told = _item(seen.file, seen.left)
    return {**told, "pod": seen.pod, "host": seen.told.host}


def _item(file: File, left: float) -> Item:
    asked = file.request
    return {
        "id": asked.id,
        "state": file.state,
        "why": asked.why,
        "agent": asked.agent,
        "workflow": asked.workflow or None,
        "task": asked.task or None,
        "upstream": asked.upstream,
        "tool": asked.tool,
        "method": asked.method,
        "policy": asked.policy,
        "detail": asked.detail or None,
        "needs": asked.needs,
        "groups": list(asked.groups),
        "decided": [
            {
                "decision": each.decision,
                "by": each.by,
                "reason": each.reason or None,
                "break_glass": each.break_glass,
            }
            for each in file.decided
        ],
        "call": asked.call,
        "sent_as": None if file.used is None else file.used.call,
        "digest": asked.digest or None,
        "asked": in_utc(asked.asked_ms / 1000),
        "expires_in": round(left, 3),
        "pod": None,
        "host": None,
    }


def _not_done(why: Undecided) -> NotDone:
    return NotDone(_STATUS[why.kind], str(why))


def _shown(exhibit: Exhibit) -> dict[str, Any]:
    """The body as it reads without its coding, and as text, where it is some."""
    coding = ",".join(value for name, value in exhibit.headers if name == "content-encoding")
    plain = decoded(exhibit.body, coding.encode("latin-1"), _DECODED)
    if isinstance(plain, Refusal):
        plain, coding = exhibit.body, ""
    try:
        body, coded = plain.decode(), False
    except UnicodeDecodeError:
        body, coded = b64encode(plain).decode(), True
    return {
        "method": exhibit.method,
        "path": exhibit.path,
        "headers": [list(header) for header in exhibit.headers],
        "body": body,
        "decoded": coding or None,
        "base64": coded,
    }


def _oldest(item: Item) -> tuple[str, ...]:
    return item["asked"], item["id"]
