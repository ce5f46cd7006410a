"""What a process that died left behind, read as a stranger would read it: line by line."""

import gzip
import json
from pathlib import Path
from typing import Any

from proxy.journal.chain import ZERO
from proxy.journal.checkpoint import read_checkpoints
from proxy.journal.verify import Verdict, verify

Record = dict[str, Any]


class Remains:
    """The journal of a data dir, over all lives. Each look reads what is new, and checks it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.records: list[Record] = []
        self.intents: dict[str, Record] = {}
        self.ends: dict[str, Record] = {}
        self.unknown: set[str] = set()
        """Ids of calls that had an intent and no end at one of the looks."""
        self._segment = 0

    def look(self) -> Verdict:
        """After a death. What was there is still there, `seq` has no gap, and all of it verifies.

        A call has one intent at most and one end at most, the intent first.
        """
        known = self._last_of(self._segment - 1)
        fresh = [json.loads(line) for line in self._lines() if line.endswith(b"\n")]
        before = self.records[known:]
        assert fresh[: len(before)] == before, "what was there has changed"
        for record in fresh[len(before) :]:
            self._take(record)
        self.unknown |= self.open
        verdict = verify(self.data_dir)
        assert (verdict.exit, verdict.integrity.bad, verdict.completeness.missing) == (0, [], [])
        assert verdict.integrity.ok
        assert verdict.completeness.ok
        assert verdict.integrity.records == len(self.records)
        anchoring = verdict.anchoring
        assert anchoring.anchored + anchoring.unanchored == self.records[-1]["seq"]
        assert anchoring.ok or not read_checkpoints(self.data_dir / "checkpoints", [])
        return verdict

    @property
    def open(self) -> set[str]:
        """Ids of calls that have an intent and no end."""
        return set(self.intents) - set(self.ends)

    def told(self, *types: str) -> list[Record]:
        """The records of some types."""
        return [record for record in self.records if record["type"] in types]

    def _take(self, record: Record) -> None:
        last: Record = self.records[-1] if self.records else {"seq": 0, "hash": ZERO.hex()}
        assert (record["seq"], record["prev"]) == (last["seq"] + 1, last["hash"])
        self.records.append(record)
        if record["type"] == "checkpoint":
            self._segment = record["segment"]
        elif record["type"] == "call.intent":
            assert record["id"] not in self.intents.keys() | self.ends.keys()
            self.intents[record["id"]] = record
        elif record["type"] == "call.finished":
            assert record["id"] not in self.ends
            self.ends[record["id"]] = record

    def _last_of(self, segment: int) -> int:
        """How many records there were up to the end of a segment."""
        heads = (each["seq"] for each in self.records if each.get("segment", 0) == segment + 1)
        return next(heads, len(self.records) + 1) - 1

    def _lines(self) -> list[bytes]:
        """Of the last segment that is known, and all behind it."""
        content = b""
        for number in range(max(1, self._segment), 100_000):
            plain = self.data_dir / "journal" / f"{number:08}.jsonl"
            packed = plain.with_name(plain.name + ".gz")
            if plain.exists():
                content += plain.read_bytes()
            elif packed.exists():
                content += gzip.decompress(packed.read_bytes())
            else:
                break
        return content.splitlines(keepends=True)
