"""A desk with a journal that is a list, which can be lost with its process."""

import asyncio
from typing import Any, TypeVar

import msgspec

from proxy.call import Call
from proxy.clock import NEVER
from proxy.counts import APPROVALS, Counts
from proxy.keep import Keep
from proxy.keys import NEWS
from proxy.news import ApprovalChange, Event, News
from proxy.refusal import Refusal
from proxy.reply import Reply
from proxy.state.asking import Decided, Terms
from proxy.state.case import Case, File, Person, Untold
from proxy.state.desk import Answer, Desk
from tests.fakes import FakeBody, FakeClock, make_attempt, make_call, settled

Fact = TypeVar("Fact")
TERMS = Terms("money", 1, (), 900.0, 600.0)


class Journal:
    """What was noted; `durable` says whether it lasts. A future: nobody knows yet."""

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self.lasts: bool | asyncio.Future[bool] = True

    def note(self, entry: Any) -> None:
        """Part of Noted."""
        self.entries.append(entry)

    async def durable(self) -> bool:
        """Part of Noted."""
        if isinstance(self.lasts, asyncio.Future):
            return await asyncio.shield(self.lasts)
        return self.lasts

    @property
    def types(self) -> list[str]:
        """Of what was noted, without the word that all have."""
        return [entry.type.partition(".")[2] for entry in self.entries]

    def lines(self, after: int = 0) -> list[dict[str, Any]]:
        """As they are read again."""
        return [msgspec.to_builtins(each) | {"type": each.type} for each in self.entries[after:]]


class Folder(Untold):
    """Exhibits in memory. `full`: nothing can be kept."""

    full = False

    async def keep(self, name: str, content: bytes, /) -> None:
        """Part of Exhibits."""
        if self.full:
            raise OSError("no space left")
        await super().keep(name, content)


class Wall(FakeClock):
    """A clock whose wall may be set."""

    def __init__(self) -> None:
        super().__init__(asleep=False)
        self.ahead = 0.0

    def wall(self) -> float:
        """Seconds since 1970, as somebody has set it."""
        return super().wall() + self.ahead


class Held:
    """Part of Hold: until a moment."""

    def __init__(self, until: float, latest: float = NEVER) -> None:
        self.until = until
        self.latest = latest

    def __call__(self) -> float:
        """Until when."""
        return self.until


class Scene:
    """A desk, and what is seen of it. `restart` is another process on the same journal."""

    def __init__(self, begin: bool = True, clock: Wall | None = None) -> None:
        self.clock = clock or Wall()
        self.journal = Journal()
        self.folder = Folder()
        self.heard: list[ApprovalChange] = []
        self.desk = self._made()
        if begin:
            self.desk.begin(self.journal, self.folder)

    def _made(self) -> Desk:
        self.keep = Keep()
        self.keep.of(NEWS, News).listeners.append(self._hear)
        return Desk.of(self.keep, self.clock)

    def _hear(self, event: Event) -> None:
        assert isinstance(event, ApprovalChange)
        self.heard.append(event)

    def restart(self, dumped: tuple[Any, int] | None = None) -> None:
        """The process is gone. `dumped`: a snapshot, and how much of the journal it holds."""
        self.desk.end()
        self.desk = self._made()
        state, after = dumped or (None, 0)
        if state is not None:
            self.desk.load(msgspec.json.decode(msgspec.json.encode(state)))
        for line in self.journal.lines(after):
            self.desk.apply(line)
        self.desk.begin(self.journal, self.folder)

    def attach(self, body: bytes = b"{}", terms: Terms = TERMS, **members: Any) -> Case:
        """The request of such a call."""
        case = self.desk.attach(paying(body, **members), terms)
        assert isinstance(case, Case)
        return case

    async def asked(self, body: bytes = b"{}", terms: Terms = TERMS, **members: Any) -> Case:
        """The same, and people see it."""
        case = self.attach(body, terms, **members)
        await settled()
        return case

    async def comes(
        self, body: bytes = b"{}", terms: Terms = TERMS, *, hold: float = 0.0, **members: Any
    ) -> tuple[Call, Answer | Refusal]:
        """Such a call, and what it comes to; its ticket is the request it has claimed."""
        call = paying(body, **members)
        case = self.desk.attach(call, terms)
        if isinstance(case, Refusal):
            return call, case
        passing = self.clock.spawn(self.desk.passed(case, call, Held(self.clock.now() + hold)))
        await settled()
        if not hold:
            self.clock.advance(0.0)
        answer = await passing
        if answer is None:
            call.ticket = case
        return call, answer

    async def decides(self, word: str, by: str = "alice", **more: Any) -> File:
        """Somebody does, about the newest request."""
        name = more.pop("name", "") or self.desk.files[-1].request.id
        groups = more.pop("groups", ())
        return await self.desk.decide(Decided(name, word, by, **more), Person(by, groups))

    async def sends(self, call: Call, reply: Reply) -> Refusal | None:
        """It is used up and sent; the answer is finished."""
        refusal = await self.desk.consume(call)
        if refusal is None:
            call.attempts.append(make_attempt(call, sent=True))
            self.desk.returns(call, reply, lambda _: False)
            reply.finish()
        return refusal

    @property
    def counted(self) -> dict[str, int]:
        """By state."""
        counts = self.keep.of(APPROVALS.key, lambda: Counts(("state",)))
        return {row[0]: number for row, number in counts.rows.items()}


def paying(body: bytes | None = b"{}", **members: Any) -> Call:
    """A call of ann's that people must approve."""
    told = {"agent": "ann", "tool": "pay", "target": b"/pay"} | members
    return make_call(body=FakeBody(body), **told)
