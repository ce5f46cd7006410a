"""A folder in which payloads of two calls are kept, and whose process has stopped."""

from pathlib import Path

from proxy.clock import Clock
from proxy.config.settings import Settings
from proxy.journal.entries import Entry
from proxy.journal.redaction import rules_of
from proxy.journal.sealing import Who
from proxy.journal.taking import Parcel, Taken, Wish
from proxy.news import News
from proxy.observe.logs import Log
from proxy.trail import Trail
from tests.observe.records import record

EVIL = b"\x1b]0;owned\x07 \xe2\x80\xae"


async def keep(folder: Path, *first: Entry) -> None:
    """Of the tasks t-1 and t-2 of ann; `first` is noted before."""
    clock = Clock()
    log = Log(clock, "error")
    trail = Trail(Settings(data_dir=str(folder)), clock, News(), log)
    await trail.start()
    trail.side_store.open()
    for entry in first:
        trail.note(entry)
    wish = Wish("full", rules_of(()), 1000)
    for name, task, bodies in (
        ("c1", "t-1", (b"asked\n" + EVIL, b"\xff")),
        ("c2", "t-2", (b"two", None)),
    ):
        asked, told = (None if body is None else _taken(body) for body in bodies)
        parcel = Parcel(record(id=name), Who(task, "ann"), wish, asked, told, clock.now())
        trail.side_store.keep(parcel)
    await trail.stop()
    log.close()


def _taken(body: bytes) -> Taken:
    return Taken((body,), len(body), True)
