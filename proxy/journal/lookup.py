"""Finds rows of the side store, from any thread and any process, beside the one that writes."""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from proxy.journal.rows import PATIENCE, Places, master_of, told, unwrapped


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
    return Found(name, unwrapped(master_of(places), name, wrapped, places), sealed)


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
