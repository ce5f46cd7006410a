"""The tip of the journal: where the next record goes, and the line that it becomes there."""

import time
from collections.abc import Callable, Iterator

import msgspec

from proxy.journal.chain import BEGINNING, Opened, Place, chained
from proxy.journal.entries import TYPES, VERSION, Entry
from proxy.journal.merkle import Frontier


def rfc3339(nanoseconds: int) -> str:
    """A moment in UTC, with its nanoseconds."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09}Z"


class Tip:
    """The end of the chain, and the tree up to there."""

    __slots__ = ("place", "tree")

    def __init__(self, place: Place = BEGINNING, tree: Frontier | None = None) -> None:
        self.place = place
        self.tree = tree or Frontier(place.seq)

    def copy(self) -> "Tip":
        """One that goes on by itself, and is thrown away if the disk does not follow."""
        return Tip(self.place, self.tree.copy())


class Encoder:
    """Makes lines."""

    def __init__(self, writer: str, drill: int = 1) -> None:
        """`writer` stands in every line; in a drill so does how fast windows run."""
        self._rest = f',"writer":{msgspec.json.encode(writer).decode()}'
        if drill > 1:
            self._rest += f',"drill":{drill}'
        self._at = -1
        self._openings: dict[type, bytes] = {}  # of that moment

    def lines(self, entries: list[tuple[int, Entry]], tip: Tip) -> list[bytes]:
        """Of some entries, each with its time in nanoseconds since 1970; the tip goes on."""
        lines, hashes = chained(self._opened(entries), tip.place)
        tip.place = Place(tip.place.seq + len(hashes), hashes[-1])
        tip.tree.extend(hashes)
        return lines

    def _opened(self, entries: list[tuple[int, Entry]]) -> Iterator[Opened]:
        for at, entry in entries:
            if at != self._at:
                self._at, self._openings = at, {}
            yield entry, self._openings.get(type(entry)) or self._opening(entry)

    def _opening(self, entry: Entry) -> bytes:
        """Made once for all entries of a type that one moment has."""
        kind = type(entry)
        if entry.type not in TYPES or entry.__struct_fields__[0] != "id":
            raise TypeError(f"{kind.__name__} is no entry of the journal")
        text = f',"ts":"{rfc3339(self._at)}","type":"{entry.type}","v":{VERSION}'
        self._openings[kind] = f"{text}{self._rest}".encode()
        return self._openings[kind]


def stamps(wall: Callable[[], float]) -> Callable[[], int]:
    """A clock of nanoseconds since 1970 from one of seconds, which has them to a quarter µs."""

    def stamp() -> int:
        now = wall()
        seconds = int(now)
        return seconds * 1_000_000_000 + int((now - seconds) * 1e9)

    return stamp
