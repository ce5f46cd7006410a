"""Calls a second and their latency: every peer in turn, several rounds, medians."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.bench.load import Load, Outcome
from tests.bench.own_time import Buckets, overhead, quantile, since
from tests.bench.peers import Peer

CONNECTIONS = (1, 32)
REST = 10.0
"""Seconds that a peer has for what it has left for later."""
LOOKS = 0.2
"""Seconds from look to look."""
AT_REST = 0.1
"""The share of a core that who is at rest takes at most."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How long and how often."""

    rounds: int
    seconds: int
    warm_up: int


@dataclass(frozen=True)
class Figures:
    """One peer at one number of connections: medians over the rounds. Times in seconds."""

    rate: float
    p50: float
    p99: float
    lowest: float  # rate of the worst round
    highest: float
    cpu: float | None  # processor time of the peer for one call
    busy: float | None  # share of its core that the peer had
    own_p50: float | None  # Holdfast's own word, from its histogram
    errors: dict[str, int]
    rates: tuple[float, ...] = ()  # of each round


@dataclass
class Seen:
    """What the rounds of one peer at one number of connections gave."""

    outcomes: list[Outcome] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # seconds of processor time, one a round
    own: Buckets = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One peer. `rss_mb` is taken after the last round."""

    figures: dict[int, Figures]
    rss_mb: float | None


def measure(peers: Sequence[Peer], load: Load, plan: Plan, say: Say) -> dict[str, Row]:
    """Rounds interleave the peers, so that what disturbs the machine disturbs all of them, and turn
    their order around, so that none has the same neighbours each time."""
    for peer in peers:
        load.run(peer.listen, CONNECTIONS[-1], plan.warm_up)
    seen = {(peer.name, n): Seen() for peer in peers for n in CONNECTIONS}
    for number in range(plan.rounds):
        say(f"  round {number + 1} of {plan.rounds}")
        for peer in peers[:: -1 if number % 2 else 1]:
            for connections in CONNECTIONS:
                _round(peer, connections, load, plan.seconds, seen[peer.name, connections])
                _rest(peer)
    return {peer.name: _row(peer, seen) for peer in peers}


def _round(peer: Peer, connections: int, load: Load, seconds: int, seen: Seen) -> None:
    own_before = overhead(peer.metrics())
    cpu_before = _cpu(peer)
    seen.outcomes.append(load.run(peer.listen, connections, seconds))
    cpu_after = _cpu(peer)
    if cpu_before is not None and cpu_after is not None:
        seen.cpu.append(cpu_after - cpu_before)
    for edge, count in since(own_before, overhead(peer.metrics())).items():
        seen.own[edge] = seen.own.get(edge, 0.0) + count


def _rest(peer: Peer) -> None:
    """Wait until it has done what it has left for later (segments to compress, spans to post): it
    would do so on the core of the next one."""
    until = time.monotonic() + REST
    before, now = None, _cpu(peer)
    while now is not None and time.monotonic() < until:
        if before is not None and now - before <= AT_REST * LOOKS:
            return
        time.sleep(LOOKS)
        before, now = now, _cpu(peer)


def _row(peer: Peer, seen: dict[tuple[str, int], Seen]) -> Row:
    figures = {n: summarise(seen[peer.name, n]) for n in CONNECTIONS}
    return Row(figures, peer.process.rss_mb if peer.process else None)


def summarise(seen: Seen) -> Figures:
    """Medians over the rounds; errors are added up."""
    outcomes = seen.outcomes
    rates = [outcome.rate for outcome in outcomes]
    errors: dict[str, int] = {}
    for outcome in outcomes:
        for kind, count in outcome.errors.items():
            errors[kind] = errors.get(kind, 0) + count
    pairs = [(cpu, run) for cpu, run in zip(seen.cpu, outcomes, strict=False) if run.calls]
    return Figures(
        rate=statistics.median(rates),
        p50=statistics.median(outcome.p50 for outcome in outcomes),
        p99=statistics.median(outcome.p99 for outcome in outcomes),
        lowest=min(rates),
        highest=max(rates),
        cpu=_median([cpu / run.calls for cpu, run in pairs]),
        busy=_median([cpu / run.seconds for cpu, run in pairs]),
        own_p50=quantile(seen.own, 0.5),
        errors=errors,
        rates=tuple(rates),
    )


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _cpu(peer: Peer) -> float | None:
    return peer.process.cpu_seconds if peer.process else None
