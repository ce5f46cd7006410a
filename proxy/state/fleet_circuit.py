"""A circuit that this pod shares with the others of its fleet.

It is a circuit as any other (`circuit.py`), and decides by itself when it opens. It then has a vote
(`shared/circuits.py`); if the fleet's circuit opens, it is open for as long as that is, whether it
had a reason of its own or not. From then on it belongs to the fleet (`fleet`): what its probes come
to is told, and a probe needs the fleet's lease beside its own. Its own comes first, so two calls of
this pod never ask the store at once.

Nothing here waits but `probe`, which a call awaits that is to try an upstream. What is to be told
lies in `result` and in its state until the store has heard it (`fleet_circuits.py`), and always is
all there is to say: the newest result stands for those before.

If there is no store, it stays open for as long as the fleet had it open, and then tries by its own
lease. What comes of that is told as soon as there is a store again.
"""

from collections.abc import Callable

import msgspec

from proxy.attempt import Attempt
from proxy.clock import Clock
from proxy.state.circuit import BUSY, Changed, Circuit, Event, Outcome, State
from proxy.state.circuit_rules import CircuitRules
from proxy.state.link import Link
from proxy.state.shared.circuits import KEPT, LONGEST, Held, Probe, Probed, View, Vote
from proxy.state.store import Unreachable

FLEET = "fleet"
"""Why a circuit opened or closed, where other pods had it so."""


class Result(msgspec.Struct, frozen=True):
    """What a probe came to, for the store."""

    generation: int
    number: int  # of its lease; 0: it had none
    came_to: str  # passed | failed | back
    passed: int = 0  # in a row
    until: float = 0.0  # it failed: open until then, on `Clock.now`


class Ties(msgspec.Struct, frozen=True):
    """What ties a circuit to the fleet."""

    id: str  # the same in all pods
    link: Link
    number: Callable[[], int]  # of its next probe: greater than any before of this pod
    stir: Callable[["FleetCircuit"], None]  # it has something to tell


class FleetCircuit(Circuit):
    """See the head of this file."""

    __slots__ = (
        "_busy",
        "_heard_at",
        "_number",
        "_ties",
        "_untold",
        "_urgent",
        "_view",
        "generation",
        "result",
        "voted",
    )

    def __init__(
        self,
        rules: CircuitRules,
        chance: Callable[[], float],
        changed: Changed,
        ties: Ties,
    ) -> None:
        super().__init__(rules, chance, changed)
        self.generation = 0
        """The newest of the fleet's that it has heard of."""
        self.result: Result | None = None
        """What the store is still to hear."""
        self.voted = False
        """The store may have its vote."""
        self._ties = ties
        self._view = View(ties.id, 0, 0)
        self._heard_at = 0.0
        self._number = 0  # of the fleet's lease; 0: it has none
        self._busy = 0.0  # another pod tries until then
        self._urgent = False  # one vote is enough: the upstream speaks for itself
        self._untold = False  # it was made open, and nobody was told yet

    @property
    def id(self) -> str:
        """Its name in the store."""
        return self._ties.id

    @property
    def link(self) -> Link:
        """To the store."""
        return self._ties.link

    @property
    def idle(self) -> bool:
        """Part of Circuit."""
        return super().idle and self.result is None

    # --- what the fleet says ---

    def begin(self, view: View, heard_at: float, now: float) -> None:
        """It is made after the fleet had it so. Who first asks for it has that told."""
        self._take(view, heard_at)
        if view.open:
            self.state, self.closed, self._untold = State.OPEN, False, True
            self.since, self.why = now, FLEET
            self._set(now)

    def obey(self, view: View, now: float) -> None:
        """It was opened or closed for all. What is older than what it knows is nothing to it."""
        ends = self.fleet and not view.open and view.generation == self.generation
        if not ends and not is_newer(view, self.generation, self._ties.link):
            return
        known = self._has_failed()
        self._take(view, now)
        self.voted = False
        if self.forced:
            return
        if view.open:
            self._set(now)
            if known:
                return
            self._become(State.OPEN, now, FLEET, round(self.until - now, 3))
        elif not self.closed:
            self._close(now, FLEET)

    def _has_failed(self) -> bool:
        """Is it open by what its own probe came to, of which everybody here has heard?"""
        result = self.result
        if result is None or self.state is not State.OPEN:
            return False
        return result.came_to == "failed" and result.generation == self.generation

    def _take(self, view: View, heard_at: float) -> None:
        self._view, self._heard_at = view, heard_at
        self.generation, self.fleet = view.generation, bool(view.open)

    def _set(self, now: float) -> None:
        """As the fleet's is open."""
        view, left = self._view, min(self._view.left, LONGEST) / 1000
        self._forget()
        self._span, self._for_slowness = view.span / 1000, bool(view.slow)
        self.opened_at, self.until = now, max(now, self._heard_at + left)

    def held(self, now: float) -> Held:
        """What it knows, for a store that has forgotten it."""
        left = _ms(self.until - now) if self.state is State.OPEN else 0
        lease = _ms(self._lease_until - now) if self._number else 0
        return Held(self._known(left), self._number if lease else 0, lease)

    def _known(self, left: int = 0) -> View:
        return View(
            self.id,
            self.generation,
            1,
            left,
            _ms(self._span),
            int(self._for_slowness),
            self._passed,
        )

    # --- what it says ---

    def vote(self, now: float) -> Vote | None:
        """Whether it is open by itself; None: there is nothing to say of that."""
        own = self.state is State.OPEN and not (self.forced or self.fleet) and self.until > now
        if not (own or self.voted):
            return None
        quorum = self.rules.quorum or int(self._urgent)
        return Vote(
            self.id,
            self._ties.link.pod.id,
            self.generation,
            _ms(self.until - now) if own else 0,
            self._at(),
            _ms(self._span),
            int(self._for_slowness),
            quorum,
        )

    def tried(self, now: float) -> Probed | None:
        """What its probe came to, if that is to be told."""
        result = self.result
        if result is None:
            return None
        return Probed(
            self.id,
            result.generation,
            self._ties.link.pod.id,
            result.number,
            result.came_to,
            self._at(),
            result.passed,
            self.rules.probes,
            _ms(result.until - now),
            _ms(self._span),
            int(self._for_slowness),
        )

    def _at(self) -> int:
        return round(self._ties.link.wall() * 1000)

    def _tells(self, came_to: str, number: int, passed: int = 0) -> None:
        self.result = Result(self.generation, number, came_to, passed, self.until)
        self._ties.stir(self)

    # --- a probe ---

    async def probe(self, attempt: Attempt, clock: Clock) -> None:
        """Make the lease that the attempt has here one of the fleet. It has none any more where
        another pod tries, or where it need not be tried."""
        link, number, now = self._ties.link, self._ties.number(), clock.now()
        lease = _ms(self._lease_until - now)
        ask = Probe(self._known(), link.pod.id, number, lease, self._at())
        try:
            leased = await link.ask_now(ask)
        except Unreachable:
            self._tells("back", number)  # it may have been granted
            return
        now, until, mine = clock.now(), self._lease_until, self.owner is attempt
        if leased.view is not None:
            self.obey(leased.view, now)
        if not leased.granted:
            self._busy = now + min(BUSY, leased.wait / 1000)
            if self.owner is attempt:
                self.owner = None
        elif mine and self._keeps(attempt, until, now):
            self._number = number
            if leased.view is not None:
                self._passed = leased.view.passed
        else:
            self._tells("back", number)

    def _keeps(self, attempt: Attempt, until: float, now: float) -> bool:
        """It has its lease here still, or again: the fleet had opened it once more meanwhile."""
        if self.owner is None and self.wait(now) <= 0:
            self.lease(attempt, until)
        return self.owner is attempt

    # --- parts of Circuit ---

    def wait(self, now: float) -> float:
        """Part of Circuit."""
        self._tell_first(now)
        return super().wait(now)

    def left(self, now: float) -> float:
        """Part of Circuit."""
        left = super().left(now)
        if not left and self.fleet and self.owner is None and not self.closed:
            return max(0.0, self._busy - now)
        return left

    def settle(self, attempt: Attempt, outcome: Outcome) -> str:
        """Part of Circuit. A probe whose lease in the store is over decides nothing."""
        if self.owner is attempt and self._number and outcome.at >= self._lease_until:
            self.owner, self._number = None, 0
            return "lost"
        return super().settle(attempt, outcome)

    def force(self, now: float, *, closed: bool, by: str) -> None:
        """Part of Circuit. A hand is of this pod alone."""
        if self._number:
            self._tells("back", self._number)
        super().force(now, closed=closed, by=by)
        self._ties.stir(self)

    def release(self, now: float, by: str) -> None:
        """Part of Circuit. The fleet's word counts again."""
        was = self.forced
        super().release(now, by)
        if was and self.fleet:
            self._set(now)
            self._become(State.OPEN, now, FLEET, round(self.until - now, 3))

    def _failed(self, outcome: Outcome) -> None:
        super()._failed(outcome)
        self._urgent = not self.closed and _is_urgent(outcome)

    def _probed(self, outcome: Outcome) -> str:
        fleet, number, passed = self.fleet, self._number, self._passed + 1
        self._number = 0
        came_to = super()._probed(outcome)
        if came_to == "failed":
            self._urgent = _is_urgent(outcome)
        if not fleet:
            return came_to
        if came_to == "failed":
            self._tells("failed", number)
        elif came_to == "passed" and (number or self.closed):
            self._tells("passed", number, passed)
        elif number:
            self._tells("back", number)
        return came_to

    def _open(self, now: float, why: str, floor: float) -> None:
        self._urgent = False  # but for what is heard to open it
        super()._open(now, why, floor)
        self._ties.stir(self)

    def _close(self, now: float, why: str = "probes_passed") -> None:
        self.fleet = False
        super()._close(now, why)
        self._ties.stir(self)

    def _become(
        self, state: State, now: float, why: str, open_for: float = 0.0, by: str = ""
    ) -> None:
        self._tell_first(now)
        self._number = 0
        super()._become(state, now, why, open_for, by)

    def _tell_first(self, now: float) -> None:
        if self._untold:
            self._untold = False
            open_for = round(max(0.0, self.until - now), 3)
            self._changed(State.CLOSED, State.OPEN, FLEET, open_for, "")


def is_newer(view: View, than: int, link: Link) -> bool:
    """Was it opened or closed since then? Numbers are moments of the store. Whoever can publish one
    far ahead of them would have the last word, for nothing that follows could be newer."""
    return than < view.generation < link.wall() * 1000 + KEPT


def _ms(seconds: float) -> int:
    """Milliseconds, as the store has them: none is for ever, and none is less than nothing."""
    return round(min(max(0.0, seconds * 1000), LONGEST))


def _is_urgent(outcome: Outcome) -> bool:
    return outcome.throttled or outcome.event is Event.THROTTLED
