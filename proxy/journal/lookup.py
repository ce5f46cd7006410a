"""Finds rows of the side store, from any thread and any process, beside the one that writes."""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from proxy.journal.rows import INDEX, PATIENCE, Places, blinded, masters_of, told, unwrapped
from proxy.journal.sealing import Who


class Found(NamedTuple):
    """A row and the key to it."""

    key: bytes
    secret: bytes
    sealed: bytes


def find(places: Places, record: str) -> Found | None:
    """The row of a record. Raises Trouble."""
    query = (
        "SELECT keys.id, keys.wrapped, payloads.sealed "
        "FROM payloads JOIN keys ON keys.id = payloads.key WHERE record = ?"
    )
    with _reading(places) as db:
        row = None if db is None else db.execute(query, (record,)).fetchone()
    if row is None:
        return None
    name, wrapped, sealed = row
    return Found(name, unwrapped(masters_of(places), name, wrapped, places), sealed)


def keys_of(places: Places, who: Who) -> list[tuple[bytes, int, bytes]]:
    """All keys of somebody that are left: id, day, secret. Raises Trouble."""
    query = "SELECT id, day, wrapped FROM keys WHERE task IS ? AND agent IS ? AND subject IS ?"
    with _reading(places) as db:
        if db is None:
            return []
        (kept,) = db.execute("SELECT value FROM meta WHERE name = 'index'").fetchone()
        masters = masters_of(places)
        index = unwrapped(masters, INDEX, kept, places)
        rows = db.execute(query, blinded(index, who)).fetchall()
    return [(name, day, unwrapped(masters, name, wrapped, places)) for name, day, wrapped in rows]


@contextlib.contextmanager
def _reading(places: Places) -> Iterator[sqlite3.Connection | None]:
    """None: there is no side store yet."""
    if not places.database.exists():
        yield None
        return
    with told():
        db = sqlite3.connect(
            places.database.absolute().as_uri() + "?mode=ro", uri=True, timeout=PATIENCE
        )
        try:
            yield db
        finally:
            db.close()
