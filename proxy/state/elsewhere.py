"""What waits for people at other pods, and what somebody here says to it.

All of it is asked of the store when somebody wants to know; nothing is kept here. A decision is
put into the box of the pod that holds the call, and that pod answers what came of it. If it does
not, the decision is withdrawn: one that still lies in the box was not heard and never will be. One
that does not may have been, and whoever decided is told just that.
"""

from collections.abc import Iterator
from typing import NamedTuple

from proxy.clock import NEVER, Clock
from proxy.keep import Keep
from proxy.keys import LINK
from proxy.state.asking import Decided
from proxy.state.asks import NO_KEY
from proxy.state.case import OPEN, PENDING, File, Person, Undecided
from proxy.state.link import Link
from proxy.state.sealed import Envelope
from proxy.state.shared.asks import Board, Boards, Say, Shown, Take, Withdraw
from proxy.state.store import Unreachable
from proxy.state.words import VOID, Answer, Told, Word, closed, opened

PATIENCE = 2.0
"""Seconds that somebody waits for the other pod."""
_LOOK = 0.05
_LASTS = int(VOID * 1000)
MOST = 5_000
"""Requests that are shown."""


class Seen(NamedTuple):
    """A request at another pod."""

    pod: str
    told: Told
    left: float  # seconds until it expires

    @property
    def file(self) -> File:
        """As that pod has it."""
        return self.told.file


class Elsewhere:
    """One for the process."""

    idle = False  # never makes room for others in the Keep

    def __init__(self, clock: Clock, keep: Keep, envelope: Envelope) -> None:
        self._clock = clock
        self._keep = keep
        self._envelope = envelope

    @property
    def link(self) -> Link | None:
        """None: there are no other pods."""
        link: Link | None = self._keep.seen(LINK)
        return link

    async def all(self) -> list[Seen]:
        """What waits at all other pods. Raises Unreachable."""
        link, found = self.link, list[Seen]()
        if link is None:
            return found
        for pod in await link.ask(Boards()):
            if pod != link.pod.id:
                for name, raw in await link.ask(Board(pod)):
                    found.extend(self._seen(link, pod, name, raw))
                    if len(found) >= MOST:
                        return found
        return found

    async def one(self, name: str) -> Seen:
        """Raises Undecided where there is none."""
        try:
            found = [seen for seen in await self.all() if seen.file.request.id == name]
        except Unreachable as why:
            text = f"it does not wait here, and what waits at other pods is not known: {why}"
            raise Undecided("store", text) from why
        if not found:
            raise Undecided("unknown", "nothing of this id waits for people, or it is over")
        return found[0]

    async def shown(self, seen: Seen) -> bytes | None:
        """The exact call; None: there is nothing to be shown."""
        link, name = self.link, seen.file.request.id
        if link is None or not seen.told.shown or seen.file.state not in OPEN:
            return None
        try:
            raw = await link.ask(Shown(seen.pod, name))
        except Unreachable:
            return None
        return self._envelope.open(raw, "shown", seen.pod, name) if self._envelope.sealed else None

    async def decide(self, seen: Seen, decision: Decided, person: Person) -> Seen:
        """Done when the pod that holds it says so. Raises Undecided."""
        link = self.link
        assert link is not None  # or nothing would have been seen
        approves = decision.decision == "approve"
        if approves and not self._envelope.sealed:
            raise Undecided("unseen", NO_KEY)
        if approves and seen.file.state == PENDING and await self.shown(seen) is None:
            text = "the call cannot be shown here: approve it at the pod that holds it, or deny it"
            raise Undecided("unseen", text)
        answer = await self._answer(link, seen, self._word(link, decision, person))
        if answer.kind or answer.file is None:
            raise Undecided(answer.kind, answer.text)
        return Seen(seen.pod, Told(answer.file, 0, seen.told.host, seen.told.shown), answer.left)

    def _seen(self, link: Link, pod: str, name: str, raw: bytes) -> Iterator[Seen]:
        """Nothing, where it is none of the fleet's, or over."""
        told = opened(self._envelope, Told, raw, pod, name)
        if told is not None and told.file.request.id == name:
            left = NEVER if told.due is None else told.due / 1000 - link.wall()
            if left > 0:
                yield Seen(pod, told, left)

    def _word(self, link: Link, decision: Decided, person: Person) -> Word:
        return Word(
            request=decision.id,
            decision="approve" if decision.decision == "approve" else "deny",
            by=person.name,
            groups=person.groups,
            anybody=person.anybody,
            reason=decision.reason,
            break_glass=decision.break_glass,
            pod=link.pod.id,
            at=link.wall(),
            wall=self._clock.wall(),
        )

    async def _answer(self, link: Link, seen: Seen, word: Word) -> Answer:
        """What the other pod says. Raises Undecided where it does not."""
        name = self._clock.uuid()
        said = closed(self._envelope, word, seen.pod, name)
        try:
            if not await link.ask(Say(seen.pod, name, said, _LASTS)):
                raise Undecided("away", f"{_NOT}: the pod that holds it does not hear")
            until = self._clock.now() + PATIENCE
            while self._clock.now() < until:
                for _, raw in await link.ask(Take(name)):
                    answer = opened(self._envelope, Answer, raw, seen.pod, name)
                    if answer is not None:
                        return answer
                await self._clock.sleep(_LOOK)
            unheard = await link.ask(Withdraw(seen.pod, name))
        except Unreachable as why:
            raise Undecided("unsure", f"{_UNSURE}; the store does not answer: {why}") from why
        if unheard:
            raise Undecided("away", f"{_NOT}: the pod that holds it does not answer")
        raise Undecided("unsure", f"{_UNSURE}; the pod that holds it has not answered")


_NOT = "it is not decided"
_UNSURE = f"it is not known whether it is decided, look again in {VOID:.0f} s"
