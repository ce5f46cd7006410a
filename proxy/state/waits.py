"""Agents that wait for each other at several pods, and the one call that is stopped (spec 4.6).

Most rings are closed by a call whose chain shows it (`state/chains.py`), and are refused at once.
Where an agent hands no chain on, or the ring goes through pods that do not see each other's calls,
only all of them together know it: each tells the store who waits for whom for which work, and the
store says which calls close a ring (`state/shared/waits.py`).

**What is told.** Calls to agents under a `loop` section that has `deadlock`, for a work that has a
name: without one, calls have nothing to do with each other. Only those that last: it is told from
beside their path, a moment after they began. Names of work and of agents go as digests, and that of
who calls is told for people as well, cut short.

**When it counts.** A ring may be gone before anybody acts, or be of edges that have ended. So it is
found once more `CONFIRMED` seconds later, with the same calls; no edge lives so long without its
pod. Then its victim is stopped, by its own pod; all pods agree which it is, so it is one.

Without the store nothing is known of other pods, and nobody is stopped for them.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from proxy.call import Call, Stop
from proxy.clock import Clock
from proxy.counts import LOOPS
from proxy.keep import Keep
from proxy.keys import CHAINS
from proxy.refusal import Refusal
from proxy.state.chains import Chains, Work
from proxy.state.link import Link
from proxy.state.shared.names import digest
from proxy.state.shared.waits import Edge, Ring, Wait, Waiting

EVERY = 0.1
BEAT = 1.0
"""Seconds in which it is said again that they wait."""
CONFIRMED = 5.0
"""Seconds for which a ring must be there. Longer than an edge lives without its pod."""
MOST = 4_096
"""Calls of this pod that are told of."""
_WORKS = 64
_EDGES = 256
"""Of one message."""
_AT_ONCE = 4
"""Messages of one exchange: there are other parts."""
_NAME = 48


class _Waits(msgspec.Struct):
    """A call to an agent."""

    call: Call
    policy: str
    began: float  # seconds since 1970
    edge: Edge | None = None  # once it was told
    ring: tuple[str, ...] = ()  # the calls of the ring that it closes
    found: float = 0.0  # when it was found first


class _Work(msgspec.Struct, eq=False):
    """What is told of one work."""

    id: str
    where: Work
    waits: dict[str, _Waits] = {}
    gone: dict[str, None] = {}  # calls that the store may still have
    due: float = 0.0  # on the clock that only goes forward; 0: now


class Waits:
    """Part of Part, and of Beyond."""

    topic = "waits"
    every = EVERY

    def __init__(self, clock: Clock, keep: Keep) -> None:
        self._clock = clock
        self._keep = keep
        self._counts = keep.of(LOOPS.key, LOOPS.counts)
        self._new: dict[str, _Waits] = {}  # since the last exchange: most have ended at the next
        self._works: dict[Work, _Work] = {}
        self._where: dict[str, Work] = {}

    # --- on the path of calls ---

    def begin(self, call: Call, policy: str) -> None:
        """Part of Beyond."""
        if call.task and len(self._new) + len(self._where) < MOST:
            self._new[call.id] = _Waits(call, policy, self._clock.wall())

    def end(self, call_id: str) -> None:
        """Part of Beyond."""
        if self._new.pop(call_id, None) is not None:
            return
        where = self._where.pop(call_id, None)
        if where is not None:
            work = self._works[where]
            del work.waits[call_id]
            work.gone[call_id] = None
            work.due = 0.0

    # --- beside it ---

    async def exchange(self, link: Link) -> None:
        """Part of Part."""
        self._keep.of(CHAINS, Chains).beyond = self
        if not link.fleet.ours:
            return
        self._sort(link)
        now = self._clock.now()
        late = (work for work in self._works.values() if work.due <= now)
        due = deque(sorted(late, key=lambda work: work.due))
        for _ in range(_AT_ONCE):
            works = list(_some(due))
            if not works:
                return
            told = tuple(_told(work) for work in works)
            at = int(link.wall() * 1000)
            rings = await link.ask(Wait(link.pod.id, at, told))
            for work, waiting in zip(works, told, strict=True):
                self._was_told(work, waiting)
            self._judge(works, rings)

    def _sort(self, link: Link) -> None:
        """Those that are new, by their work."""
        for name, waits in self._new.items():
            call = waits.call
            where = call.workflow, call.task
            work = self._works.get(where)
            if work is None:
                work = self._works[where] = _Work(digest(*where), where)
            since = int((waits.began + link.ahead) * 1000)
            agent = call.agent.encode()[:_NAME].decode(errors="ignore")
            waits.edge = Edge(name, digest(call.agent), digest(call.upstream), since, agent)
            work.waits[name] = waits
            work.due = 0.0
            self._where[name] = where
        self._new.clear()

    def _was_told(self, work: _Work, waiting: Waiting) -> None:
        for name in waiting.gone:
            work.gone.pop(name, None)
        if not work.gone:
            work.due = self._clock.now() + BEAT
            if not work.waits:
                del self._works[work.where]

    def _judge(self, works: Iterable[_Work], rings: Iterable[Ring]) -> None:
        """Who closes a ring, as he did `CONFIRMED` seconds ago, is stopped."""
        closed = {ring[0].call: ring for ring in rings if ring}
        for work in works:
            for name, waits in tuple(work.waits.items()):
                ring = closed.get(name, ())
                calls = tuple(each.call for each in ring)
                if calls != waits.ring:
                    waits.ring, waits.found = calls, self._clock.now()
                elif ring and self._clock.now() >= waits.found + CONFIRMED:
                    self._stop(waits, ring)

    def _stop(self, waits: _Waits, ring: Ring) -> None:
        waits.ring = ()  # if it goes on nonetheless, it has as long again
        agents = tuple(each.name for each in (*ring, ring[0]))
        why = f"agents wait for each other, and this call closed the ring: {' > '.join(agents)}"
        facts = (("rule", "deadlock"), ("cycle", agents))
        refusal = Refusal("deadlock", why, policy=waits.policy, scope="workflow", facts=facts)
        self._counts.add("deadlock", "refuse")
        waits.call.stop(Stop.DEADLOCK, refusal)

    def heard(self, said: bytes) -> None:
        """Part of Part: nothing is published of it."""

    def anew(self) -> None:
        """Part of Part: all of it is said again soon, in any case."""

    def lost(self) -> None:
        """Part of Part: what was found before is not known any more."""
        for work in self._works.values():
            for waits in work.waits.values():
                waits.ring = ()

    async def leave(self, link: Link) -> None:
        """Part of Part: no call is under way any more, and edges end by themselves."""


def _some(due: deque[_Work]) -> Iterator[_Work]:
    """As many as go into one message."""
    works = edges = 0
    while due and works < _WORKS:
        size = len(due[0].waits) + len(due[0].gone)
        if works and edges + size > _EDGES:
            return
        works, edges = works + 1, edges + size
        yield due.popleft()


def _told(work: _Work) -> Waiting:
    edges = (waits.edge for waits in islice(work.waits.values(), _EDGES))
    return Waiting(work.id, tuple(edge for edge in edges if edge), tuple(islice(work.gone, _EDGES)))
