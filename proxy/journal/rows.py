"""The rows of the side store, in SQLite: one database, one process that writes.

SQLite and not files: payloads are many and small, they come in groups that one fsync makes durable,
they are looked for by record, task, agent, subject and day, and they must be gone when they are
deleted. `secure_delete` overwrites what is deleted, and a checkpoint that truncates the WAL takes
away the last copies; for files the file system would have to do that, and does not.

What a row is about is not to be read in it: tasks, agents and subjects stand there blinded.

Here is who writes; `lookup.py` reads, from any process.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

from proxy.journal.sealing import (
    Key,
    Master,
    Trouble,
    Who,
    blind,
    new_master,
    read_master,
    write_master,
)

FORMAT = 1
PATIENCE = 5.0
"""Seconds for others to get out of the way."""
INDEX = b"index"
"""Under this name the key to what is blinded is wrapped, and stands in `meta`."""
_CHUNK = 200  # keys whose rows are deleted in one transaction
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (
    id BLOB PRIMARY KEY, day INTEGER NOT NULL, task BLOB, agent BLOB, subject BLOB,
    master TEXT NOT NULL, wrapped BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_by_task ON keys (task);
CREATE INDEX IF NOT EXISTS keys_by_agent ON keys (agent);
CREATE INDEX IF NOT EXISTS keys_by_subject ON keys (subject);
CREATE INDEX IF NOT EXISTS keys_by_day ON keys (day);
CREATE TABLE IF NOT EXISTS payloads (
    record TEXT PRIMARY KEY, key BLOB NOT NULL, sealed BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS payloads_by_key ON payloads (key);
CREATE TABLE IF NOT EXISTS dead (key BLOB PRIMARY KEY) WITHOUT ROWID;
"""
_SETTINGS = (
    "PRAGMA auto_vacuum=INCREMENTAL",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA temp_store=MEMORY",
)
_KINDS = {
    "SQLITE_FULL": "full",
    "SQLITE_BUSY": "busy",
    "SQLITE_LOCKED": "busy",
    "SQLITE_CORRUPT": "damaged",
    "SQLITE_NOTADB": "damaged",
}


Between: TypeAlias = Callable[[], None]


def _nothing() -> None:
    """Nothing is to be done between."""


class Row(NamedTuple):
    """A payload, sealed."""

    record: str
    key: bytes
    sealed: bytes


class Erased(NamedTuple):
    """What was destroyed."""

    payloads: int
    keys: int


class Places:
    """Where the side store is in a data dir."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "payloads"
        self.database = self.folder / "payloads.db"
        self.lock = self.folder / "lock"
        self.master = data_dir / "keys" / "payload.key"


class Rows:
    """The database, as the one process has it that writes there. For one thread at a time."""

    def __init__(self, places: Places) -> None:
        """Takes the lock. Raises Trouble."""
        self._places = places
        try:
            places.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _locked(places.lock)
        except OSError as error:
            raise Trouble("disk", f"{places.folder}: {error.strerror or error}") from error
        try:
            self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self) -> None:
        with told():
            self._db = _connected(self._places.database)
        try:
            with told():
                self._db.executescript(_TABLES)
                self._check_format()
                self._read_master()
            self._tidy()
        except BaseException:
            self._db.close()
            raise

    def reopen(self) -> None:
        """After an error that may have come from the disk: nothing is taken for granted."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        self._open()

    def close(self) -> None:
        """Once more does nothing."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        held, self._lock = self._lock, -1
        if held >= 0:
            os.close(held)

    # --- rows ---

    def insert(self, keys: Iterable[Key], rows: Iterable[Row]) -> None:
        """All of them, durable; or none. Raises Trouble."""
        index, master = self._index, self._master
        wrapped = [
            (key.id, key.day, *blinded(index, key.who), master.id, master.wrap(key.id, key.secret))
            for key in keys
        ]
        with told(), self._transaction() as db:
            db.executemany("INSERT OR IGNORE INTO keys VALUES (?,?,?,?,?,?,?)", wrapped)
            db.executemany("INSERT OR REPLACE INTO payloads VALUES (?,?,?)", rows)

    def erase(self, kind: str, name: str, between: Between = _nothing) -> Erased:
        """All of a task, an agent or a subject. Raises Trouble: then ask once more.

        `between` is called between its transactions; it may insert.
        """
        return self._destroy(f"{kind} = ?", blind(self._index, kind, name), between)

    def prune(self, day: int, between: Between = _nothing) -> Erased:
        """All of the days before. Raises Trouble."""
        erased = self._destroy("day < ?", day, between)
        with told():
            self._db.executescript("PRAGMA incremental_vacuum")  # execute would do one page
        self._scrub()
        return erased

    def _destroy(self, where: str, value: bytes | int, between: Between) -> Erased:
        """First the keys, so that all is unreadable at once; then what they sealed."""
        killed = f"INSERT OR IGNORE INTO dead SELECT id FROM keys WHERE {where}"  # noqa: S608 -- ours
        deleted = f"DELETE FROM keys WHERE {where}"  # noqa: S608 -- ours
        with told(), self._transaction() as db:
            db.execute(killed, (value,))
            keys = db.execute(deleted, (value,)).rowcount
        self._scrub()
        count = self._bury(between)
        return Erased(count, keys)

    def _bury(self, between: Between = _nothing) -> int:
        """Delete what was sealed with keys that are no more; also what a crash left of that."""
        count = 0
        with told():
            while dead := self._db.execute("SELECT key FROM dead LIMIT ?", (_CHUNK,)).fetchall():
                with self._transaction() as db:
                    deleted = db.executemany("DELETE FROM payloads WHERE key = ?", dead)
                    count += max(0, deleted.rowcount)
                    db.executemany("DELETE FROM dead WHERE key = ?", dead)
                between()
        if count:
            self._scrub()
        return count

    def _tidy(self) -> None:
        """What a crash left undone. A reader may be in the way of it; whoever asked asks again."""
        try:
            self._bury()
            self._scrub()
        except Trouble as trouble:
            if trouble.kind != "busy":
                raise

    def _scrub(self) -> None:
        """No copy of what was deleted is left in the WAL."""
        with told():
            busy, _, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Trouble(
                "busy", "somebody reads the side store, and copies of what was erased are left in "
                "its log: erase once more when he is done"
            )  # fmt: skip

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    # --- the master key ---

    def _check_format(self) -> None:
        db = self._db
        db.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (FORMAT,))
        (found,) = db.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
        if found != FORMAT:
            raise Trouble("damaged", f"the side store has format {found}, this reads {FORMAT}")

    def _read_master(self) -> None:
        kept = self._db.execute("SELECT value FROM meta WHERE name = 'index'").fetchone()
        try:
            self._master = read_master(self._places.master)
        except FileNotFoundError:
            if kept is not None:
                raise Trouble("key", _missing(self._places)) from None
            self._master = _made(self._places.master)
        if kept is None:
            self._index = os.urandom(32)
            wrapped = self._master.wrap(INDEX, self._index)
            self._db.execute("INSERT INTO meta VALUES ('index', ?)", (wrapped,))
        else:
            self._index = unwrapped(self._master, INDEX, kept[0], self._places)


def unwrapped(master: Master, name: bytes, wrapped: bytes, places: Places) -> bytes:
    """A key, or the index. Raises Trouble."""
    try:
        return master.unwrap(name, wrapped)
    except Trouble:
        text = f"{places.master} is not the key that {places.database} was written with"
        raise Trouble("key", text) from None


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What SQLite and the system say becomes Trouble."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorname", None) or ""
        kind = next((kind for name, kind in _KINDS.items() if code.startswith(name)), "disk")
        raise Trouble(kind, f"the side store: {error} ({code or 'no code'})") from error
    except OSError as error:
        raise Trouble("disk", f"the side store: {error}") from error


def master_of(places: Places) -> Master:
    """The one that its keys are wrapped with. Raises Trouble."""
    try:
        return read_master(places.master)
    except FileNotFoundError:
        raise Trouble("key", _missing(places)) from None


def _missing(places: Places) -> str:
    return (
        f"{places.master} is missing, and without it nothing in {places.folder} can be read: "
        f"put it back, or move {places.folder} away to begin anew"
    )


def _made(path: Path) -> Master:
    master = new_master(os.urandom)
    write_master(path, master)
    return master


def blinded(index: bytes, who: Who) -> tuple[bytes | None, ...]:
    """Empty: not known, and so found by nobody who looks for it."""
    pairs = zip(who._fields, who, strict=True)
    return tuple(blind(index, kind, name) if name else None for kind, name in pairs)


def _connected(path: Path) -> sqlite3.Connection:
    if not path.exists():  # SQLite would make it readable for others
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        for setting in _SETTINGS:
            db.execute(setting).fetchall()
    except BaseException:
        db.close()
        raise
    return db


def _locked(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        text = f"{path.parent} is in use by another process: give each process its own data dir"
        raise Trouble("in_use", text) from None
    return file
