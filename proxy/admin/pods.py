"""`/v1/pods`: who shares a store with this pod, who is missing, and that one will not come back.

A pod that died holds money that nobody else may spend, and a store that gathers waits for it
(`proxy/state/shared/fleet.py`). Its data dir tells what it spent (`holdfast budget reconcile DIR`);
where that is lost, a person says so here, and all that it held counts as spent.
"""

import contextlib

from proxy.admin.answers import NotDone
from proxy.admin.lists import Item, page
from proxy.admin.routes import Visit
from proxy.admin.sight import Fellows, Sight
from proxy.journal.entries import Accepted
from proxy.state.shared.fleet import ALIVE, Fleet, Known
from proxy.state.store import Unreachable
from proxy.units import in_utc

LONGEST = 500
"""Characters of a reason."""
_ALONE = "this proxy shares nothing with others: its settings name no store"
_UNWRITTEN = "the journal cannot be written, so nothing was done; ask again when it can"
_AGAIN = "it is recorded, but the store did not take it; ask again when it answers"


class Pods:
    """The handlers."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    async def page(self, visit: Visit) -> Item:
        """All that are known; where the store is not there, as of when it was. Raises NotDone."""
        fellows = self._fellows
        try:
            fleet = await fellows.look()
        except Unreachable:
            fleet = fellows.known
        us = fellows.link.pod.id
        items = (_shown(known, fleet, us) for known in fleet.pods)
        shown = page(items, lambda item: (item["pod"],), visit.request.query)
        return {**_standing(fellows, fleet), **shown}

    async def give_up(self, visit: Visit) -> Item:
        """Answers when what it held counts as spent. It is recorded first. Raises NotDone."""
        reason, fellows = visit.request.query.get("reason", ""), self._fellows
        if not 0 < len(reason) <= LONGEST:
            raise NotDone(400, f"reason: expected a text of 1 to {LONGEST} characters")
        fleet = await self._looked(fellows)
        known = _known(visit.request.match_info["id"], fleet)
        if _is_alive(known, fleet, fellows.link.pod.id):
            why = f"pod {known.pod.id} is alive: stop it, and it gives back what it holds"
            raise NotDone(409, why)
        await self._recorded(known, visit.author.name, reason)
        try:
            await fellows.give_up(known.pod)
        except Unreachable as error:
            raise NotDone(503, f"{_AGAIN}: {error}") from error
        with contextlib.suppress(Unreachable):  # what is done is done
            fleet = await fellows.look()
        left = _standing(fellows, fleet)
        return {**_named(known), "by": visit.author.name, "reason": reason, **left}

    @property
    def _fellows(self) -> Fellows:
        if self._sight.fellows is None:
            raise NotDone(404, _ALONE)
        return self._sight.fellows

    async def _looked(self, fellows: Fellows) -> Fleet:
        try:
            fleet = await fellows.look()
        except Unreachable as error:
            raise NotDone(503, f"the store is not there: {error}; nothing was done") from error
        if not fleet.ours:
            raise NotDone(503, f"{fellows.link.trouble}; ask another pod")
        return fleet

    async def _recorded(self, known: Known, by: str, reason: str) -> None:
        pod, name = known.pod, self._sight.clock.uuid()
        seen = _seen(known) or ""
        entry = Accepted(name, pod.id, by, reason, pod.life, _word(pod.name), seen)
        if not await self._sight.written(entry):
            raise NotDone(503, _UNWRITTEN)


def _known(asked: str, fleet: Fleet) -> Known:
    for known in fleet.pods:
        if known.pod.id == asked:
            return known
    raise NotDone(404, "no pod has this id, or it has left; /v1/pods has all that are known")


def _is_alive(known: Known, fleet: Fleet, us: str) -> bool:
    return known.pod.id == us or known.seen > fleet.now - ALIVE


def _standing(fellows: Fellows, fleet: Fleet) -> Item:
    """How the store does, as this pod sees it."""
    link = fellows.link
    missing = [each.pod.id for each in fleet.pods if not (fleet.open or each.gathered)]
    return {
        "us": link.pod.id,
        "up": link.up,
        "why": link.trouble or None,
        "grants": link.up and fleet.open and fleet.ours,
        "epoch": fleet.epoch,
        "waits_for": missing,
    }


def _shown(known: Known, fleet: Fleet, us: str) -> Item:
    alive = _is_alive(known, fleet, us)
    return {**_named(known), "alive": alive, "told": fleet.open or known.gathered}


def _named(known: Known) -> Item:
    pod = known.pod
    return {
        "pod": pod.id,
        "name": _word(pod.name) or None,
        "life": pod.life or None,
        "seen": _seen(known),
    }


def _seen(known: Known) -> str | None:
    return in_utc(known.seen / 1000) if known.seen else None


def _word(name: str) -> str:
    """Of its machine; empty: it is not known."""
    return "" if name == "-" else name
