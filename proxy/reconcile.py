"""Settles the money of a pod that died and never comes back, from its data dir.

It is a start and a clean stop of that pod, without a call between them. The journal says what was
spent; a new life of the pod tells that to the store, and what it held besides is free again
(`proxy/state/leases.py`). Then it leaves, so that nobody waits for it any more.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec

from proxy.clock import Clock
from proxy.config.loaded import Loaded
from proxy.config.settings import Settings
from proxy.config.store_url import MEMORY
from proxy.control import Control
from proxy.journal.pod_file import FILE, is_kept
from proxy.journal.records import Records
from proxy.keep import Keep
from proxy.keys import NEWS
from proxy.news import News
from proxy.observe.logs import Log
from proxy.sharing import Sharing
from proxy.state.account import Account
from proxy.state.allotment import Allotment
from proxy.state.leases import Leases
from proxy.state.ledger import Ledger
from proxy.state.shared.fleet import Known, Pod
from proxy.state.shared.holds import Holding
from proxy.state.shared.money import name_of
from proxy.state.store import Unreachable
from proxy.trail import Trail, terms_of

REASON = "its money was settled by holdfast budget reconcile"
_NONE = Holding(0, {})


class Unsettled(Exception):
    """Why it was not done, and what to do."""

    def __init__(self, why: str, *, unreadable: bool = False) -> None:
        """`unreadable`: there is nothing to read."""
        super().__init__(why)
        self.unreadable = unreadable


class Line(msgspec.Struct, frozen=True):
    """One limit of one key. Amounts are micro-dollars."""

    budget: str
    per: str
    key: str
    window: str
    seconds: int  # of a window that rolls
    limit: int
    spent: int  # in the window, by this pod
    late: int  # of that, what the store had not heard of
    back: int  # what it held and had not spent


class Settled(msgspec.Struct, frozen=True):
    """What came of it."""

    pod: Pod
    lines: tuple[Line, ...]
    rest: int  # went back besides, of windows that are over, or of budgets that there are no more
    grants: bool  # the store
    waits_for: tuple[Known, ...]  # that have not told yet what they hold


async def settle(settings: Settings, loaded: Loaded) -> Settled:
    """The money of the data dir that the settings name, by these budgets.

    Raises Unsettled; Locked, BadKey, Trouble or OSError as the journal does; Rejected for a store
    that does not want us.
    """
    _check(settings)
    async with _opened(settings, loaded) as (sharing, ledger):
        before = await _held(sharing, settings)
        for account in ledger.accounts():  # what a snapshot tells is of no window yet
            account.windows(ledger.wall())
        await sharing.begin()
        _see_that_it_is_heard(sharing)
        await _see_that_all_is_told(sharing, ledger)
        lines = tuple(_lines(ledger, before))
        rest = sum(holding.held for holding in _unnamed(ledger, before))
        if not await sharing.end():
            raise Unsettled(_LATE)
        link, pod = sharing.link, sharing.link.pod
        others = (known for known in sharing.pods if known.pod.id != pod.id)
        missing = [known for known in others if not (link.fleet.open or known.gathered)]
        return Settled(pod, lines, rest, link.fleet.open, tuple(missing))


_LATE = (
    "the store went away while it was told: what was settled of it is not known; do it again, "
    "nothing counts twice"
)


def _check(settings: Settings) -> None:
    """Raises Unsettled, before anything is touched."""
    folder, store = Path(settings.data_dir), settings.store
    if store == MEMORY:
        raise Unsettled("no store is named, and only what pods share has to be settled; --store")
    records = Records(folder)
    if not records.there:
        raise Unsettled(f"there is no journal in {folder}; name a data dir", unreadable=True)
    if not is_kept(folder):
        raise Unsettled(
            f"{folder / FILE} is not there, or is cut off, so that nobody knows which pod it was:"
            " where one is missing, holdfast budget reconcile --accept says that it is lost"
        )
    fleet, ours = records.origin().split("/")[1:2], terms_of(settings).fleet
    if fleet and fleet != [ours]:
        raise Unsettled(
            f"{folder} is of the fleet {fleet[0]}, and the settings say {ours} (agent.fleet): use"
            " the settings of its own fleet"
        )


@contextlib.asynccontextmanager
async def _opened(settings: Settings, loaded: Loaded) -> AsyncIterator[tuple[Sharing, Ledger]]:
    """The pod of the data dir, as its journal knows it; nobody is served."""
    clock, keep = Clock(), Keep()
    log = Log(clock, "error", settings.log.format)
    control = Control(keep, clock, Path(settings.data_dir))
    control.obey(loaded)
    ledger = control.ledger
    news = keep.of(NEWS, News)
    trail = Trail(settings, clock, news, log, None, control.rooms)
    try:
        await trail.start()
        ledger.note = trail.note
        sharing = Sharing(settings, clock, keep, lambda link: (Leases(ledger, link),))
        try:
            yield sharing, ledger
        finally:
            await sharing.close()
    finally:
        await clock.stop()
        await trail.stop(REASON)
        log.close()


async def _held(sharing: Sharing, settings: Settings) -> dict[str, Holding]:
    try:
        return await sharing.holds()
    except Unreachable as error:
        raise Unsettled(
            f"the store at {settings.store} does not answer: {error}; nothing was settled, do it"
            " again when it does"
        ) from error


def _see_that_it_is_heard(sharing: Sharing) -> None:
    link = sharing.link
    if not link.up:
        raise Unsettled(_LATE)
    if not link.fleet.ours:
        raise Unsettled(
            "the store knows a later life of this pod than this data dir does: it is an old copy;"
            " settle the newest one"
        )


async def _see_that_all_is_told(sharing: Sharing, ledger: Ledger) -> None:
    """Another epoch may have begun meanwhile, and then nothing was taken. Raises Unsettled."""
    try:
        told = await sharing.holds()
    except Unreachable as error:
        raise Unsettled(_LATE) from error
    for account in _shared(ledger):
        for one in account.windows():
            if one.spent > _told(told.get(_name(account, one), _NONE), one):
                raise Unsettled("the store was started anew meanwhile; do it again")


def _shared(ledger: Ledger) -> Iterator[Account]:
    """Each pod keeps to itself what limits nothing, such as budgets in shadow."""
    return (account for account in ledger.accounts() if account.shares)


def _lines(ledger: Ledger, before: dict[str, Holding]) -> Iterator[Line]:
    for account in _shared(ledger):
        cap = account.cap
        for one in account.windows(ledger.wall()):
            holding = before.get(_name(account, one), _NONE)
            if not (one.spent or holding.held):
                continue
            late = max(0, one.spent - _told(holding, one))
            yield Line(
                cap.name,
                cap.per,
                account.key,
                one.limit.window,
                one.limit.seconds,
                one.limit.micros,
                one.spent,
                late,
                max(0, holding.held - late),
            )


def _unnamed(ledger: Ledger, before: dict[str, Holding]) -> Iterator[Holding]:
    ours = {_name(account, one) for account in ledger.accounts() for one in account.windows()}
    return (holding for name, holding in before.items() if name not in ours)


def _told(holding: Holding, one: Allotment) -> int:
    """What the store knows that was spent in the window that is on."""
    oldest = one.line[1]
    return sum(micros for part, micros in holding.told.items() if part >= oldest)


def _name(account: Account, one: Allotment) -> str:
    limit = one.limit
    return name_of(account.cap.name, account.key, limit.window, limit.seconds, one.line[0])
