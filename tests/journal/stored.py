"""A side store in a folder, and what is left of something in its files."""

import os
import sqlite3
from pathlib import Path
from typing import Any

from proxy.journal.kept import FULL, LARGEST, Body, Content, prepared
from proxy.journal.payloads import Commitments, Payloads
from proxy.journal.redaction import Rules
from proxy.journal.rows import Places, Row, Rows
from proxy.journal.sealing import Key, Trouble, Who, new_key
from proxy.journal.taking import Taken, Wish

DAY = 86_400
NO_RULES = Rules()


class Failing(Rows):
    """A database on a disk that fails when it is told to."""

    broken = ""

    def insert(self, keys, rows):
        self._fail()
        super().insert(keys, rows)

    def erase(self, kind, name, *more):
        self._fail()
        return super().erase(kind, name, *more)

    def reopen(self):
        self._fail()
        super().reopen()

    def _fail(self):
        if self.broken:
            raise Trouble(self.broken, "the disk said so")


def put(
    payloads: Payloads,
    record: str,
    who: Who,
    request: bytes | None,
    response: bytes | None,
    mode: str = FULL,
    rules: Rules = NO_RULES,
) -> Commitments:
    """Have whole bodies kept, as `mode` says."""
    bodies = [body_of(body, mode, rules) for body in (request, response)]
    return payloads.keep(record, who, Content(mode, *bodies), request, response)


def body_of(content: bytes | None, mode: str, rules: Rules = NO_RULES) -> Body | None:
    """A whole body, as it is to be kept."""
    if content is None:
        return None
    return prepared(Taken((content,), len(content), True), Wish(mode, rules, LARGEST))[0]


def key_of(task: str = "", agent: str = "", subject: str = "", day: int = 1) -> Key:
    """A new key of somebody."""
    return new_key(day, Who(task, agent, subject), os.urandom)


def row_of(key: Key, record: str, content: bytes) -> Row:
    """A row with this in it."""
    return Row(record, key.id, key.seal(record, content))


def written(rows, task="t", agent="a", subject="s", record="r1", content=b"hunter2", day=1) -> Key:
    """A row of somebody; the key to it."""
    key = key_of(task, agent, subject, day)
    rows.insert([key], [row_of(key, record, content)])
    return key


def files(data_dir: Path) -> list[Path]:
    """All of them."""
    return [path for path in data_dir.rglob("*") if path.is_file()]


def found_in(data_dir: Path, what: bytes) -> list[str]:
    """Names of the files in which these bytes are."""
    return [path.name for path in files(data_dir) if what in path.read_bytes()]


def columns(data_dir: Path, query: str) -> list[Any]:
    """The first column of what a query finds."""
    db = sqlite3.connect(Places(data_dir).database)
    try:
        return [row[0] for row in db.execute(query)]
    finally:
        db.close()
