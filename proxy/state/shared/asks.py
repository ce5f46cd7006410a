"""What pods share of approvals: boards and boxes.

**A board** is a pod's own: all requests that wait there, as others may see them. Only that pod
writes on it, in messages that have numbers: one that comes late, behind a later one, is void; one
that builds on something else than what stands there is void too, and the pod, which is told what
number does stand there, tells all again. A board is gone `LASTS` after the last message.

**A box** takes what one pod says to another one, once: who takes it empties it. What lies there
still can be withdrawn, and then it was never heard.

What is in them is nothing to the store: it is closed (`proxy/state/sealed.py`).
"""

from typing import Any, NamedTuple

import msgspec

from proxy.state.memory import Memory
from proxy.state.shared.names import text_of
from proxy.state.store import Argument, Verb

LASTS = 15_000
"""Milliseconds for which a board stands without a word of its pod."""
MOST = 64
"""Messages of a box."""
PODS = 1_000
"""Boards that are listed."""
TOPIC = "asks"


class Note(msgspec.Struct, frozen=True):
    """One request on a board."""

    id: str
    told: bytes  # what it is, and how it stands
    shown: bytes | None = None  # the exact call; empty: it is not there; None: as it was


class _Board(NamedTuple):
    number: int
    told: dict[str, bytes]
    shown: dict[str, bytes]


class Post(Verb[int], frozen=True):
    """Something changes on the board of a pod, or stays. Gives the number that stands there."""

    script = "asks_post"

    pod: str
    number: int
    base: int
    """What it builds on; 0: whatever is there goes first."""
    notes: tuple[Note, ...] = ()
    gone: tuple[str, ...] = ()

    def on(self, memory: Memory) -> int:
        """Part of Verb."""
        name = f"board:{self.pod}"
        board: _Board = memory.seen(name) or _Board(0, {}, {})
        if self.number <= board.number or self.base not in (0, board.number):
            return board.number
        if not self.base:
            board = _Board(0, {}, {})
        for each in self.gone:
            board.told.pop(each, None)
            board.shown.pop(each, None)
        for note in self.notes:
            board.told[note.id] = note.told
            if note.shown:
                board.shown[note.id] = note.shown
            elif note.shown is not None:
                board.shown.pop(note.id, None)
        memory.put(name, board._replace(number=self.number))
        memory.of("boards", dict)[self.pod] = memory.now() + LASTS
        for kept in (name, "boards"):
            memory.ends(kept, LASTS)
        return self.number

    def args(self) -> list[Argument]:
        """Part of Verb."""
        head: list[Argument] = [self.pod, self.number, self.base, LASTS, len(self.notes)]
        for note in self.notes:
            kept = note.shown is None
            head += [note.id, note.told, int(kept), note.shown or b""]
        return [*head, *self.gone]

    def answer(self, reply: Any) -> int:
        """Part of Verb."""
        return int(reply)


class Boards(Verb[tuple[str, ...]], frozen=True):
    """The pods that have one."""

    script = "asks_boards"

    def on(self, memory: Memory) -> tuple[str, ...]:
        """Part of Verb."""
        known: dict[str, int] = memory.seen("boards") or {}
        now = memory.now()
        return tuple(sorted(pod for pod, until in known.items() if until > now)[:PODS])

    def args(self) -> list[Argument]:
        """Part of Verb."""
        return []

    def answer(self, reply: Any) -> tuple[str, ...]:
        """Part of Verb."""
        return tuple(sorted(text_of(pod) for pod in reply)[:PODS])


class Board(Verb[tuple[tuple[str, bytes], ...]], frozen=True):
    """What is on that of one pod: each request by its id."""

    script = "asks_board"

    pod: str

    def on(self, memory: Memory) -> tuple[tuple[str, bytes], ...]:
        """Part of Verb."""
        board: _Board | None = memory.seen(f"board:{self.pod}")
        return () if board is None else tuple(sorted(board.told.items()))

    def args(self) -> list[Argument]:
        """Part of Verb."""
        return [self.pod]

    def answer(self, reply: Any) -> tuple[tuple[str, bytes], ...]:
        """Part of Verb."""
        return _pairs(reply)


class Shown(Verb[bytes], frozen=True):
    """The exact call of one request; empty: it is not there."""

    script = "asks_shown"

    pod: str
    id: str

    def on(self, memory: Memory) -> bytes:
        """Part of Verb."""
        board: _Board | None = memory.seen(f"board:{self.pod}")
        return b"" if board is None else board.shown.get(self.id, b"")

    def args(self) -> list[Argument]:
        """Part of Verb."""
        return [self.pod, self.id]

    def answer(self, reply: Any) -> bytes:
        """Part of Verb."""
        return bytes(reply)


class Say(Verb[bool], frozen=True):
    """Put something into a box; who listens hears which. False: it is full."""

    script = "asks_say"

    box: str
    id: str
    said: bytes
    lasts: int
    """Milliseconds for which the box is kept then."""

    def on(self, memory: Memory) -> bool:
        """Part of Verb."""
        name = f"box:{self.box}"
        box: dict[str, bytes] = memory.of(name, dict)
        if len(box) >= MOST:
            return False
        box[self.id] = self.said
        memory.ends(name, self.lasts)
        memory.publish(TOPIC, self.box.encode())
        return True

    def args(self) -> list[Argument]:
        """Part of Verb."""
        return [self.box, self.id, self.said, self.lasts, MOST, TOPIC]

    def answer(self, reply: Any) -> bool:
        """Part of Verb."""
        return bool(reply)


class Take(Verb[tuple[tuple[str, bytes], ...]], frozen=True):
    """All that is in a box: it is empty then."""

    script = "asks_take"

    box: str

    def on(self, memory: Memory) -> tuple[tuple[str, bytes], ...]:
        """Part of Verb."""
        name = f"box:{self.box}"
        found = tuple(sorted((memory.seen(name) or {}).items()))
        memory.drop(name)
        return found

    def args(self) -> list[Argument]:
        """Part of Verb."""
        return [self.box]

    def answer(self, reply: Any) -> tuple[tuple[str, bytes], ...]:
        """Part of Verb."""
        return _pairs(reply)


class Withdraw(Verb[bool], frozen=True):
    """Take back what was said. False: it is not there, so it may have been heard."""

    script = "asks_withdraw"

    box: str
    id: str

    def on(self, memory: Memory) -> bool:
        """Part of Verb."""
        box: dict[str, bytes] = memory.seen(f"box:{self.box}") or {}
        return box.pop(self.id, None) is not None

    def args(self) -> list[Argument]:
        """Part of Verb."""
        return [self.box, self.id]

    def answer(self, reply: Any) -> bool:
        """Part of Verb."""
        return bool(reply)


def _pairs(reply: Any) -> tuple[tuple[str, bytes], ...]:
    pairs = ((text_of(reply[at]), bytes(reply[at + 1])) for at in range(0, len(reply), 2))
    return tuple(sorted(pairs))
