"""`fleet` in `/v1/status`: what all pods that share a store counted of late, as one.

Counts and the buckets of latencies are summed; rates and quantiles are made of the sums. Of money
it has what the fleet spent in these minutes, and the fullest budgets that pods share: of those this
pod hears what all have spent.
"""

from functools import partial

from proxy.admin.budgets import of_fleet
from proxy.admin.lists import Item
from proxy.admin.rates import Lately
from proxy.admin.sight import Sight
from proxy.keys import LEDGER, SUMS
from proxy.observe.sums import durations
from proxy.state.fleet_sums import MINUTES, FleetSums
from proxy.state.ledger import Ledger
from proxy.state.price import dollars
from proxy.state.shared.sums import Summed, Totals
from proxy.units import in_utc

_FULLEST = 5
_SECONDS = 60
_NOTHING = Summed(0, {}, ())


def fleet(sight: Sight) -> Item | None:
    """All pods; null: this one shares nothing. What they counted is null until it was heard."""
    link = sight.health.store
    if link is None:
        return None
    sums: FleetSums | None = sight.keep.seen(SUMS)
    ledger: Ledger | None = sight.keep.seen(LEDGER)
    seen = None if sums is None else sums.seen
    counted = _counted(seen or _NOTHING)
    return {
        "name": link.name,
        "pods": link.live,
        "minutes": MINUTES,
        **(dict.fromkeys(counted) if seen is None else counted),
        "budgets": [] if ledger is None else of_fleet(ledger, _FULLEST),
    }


def _counted(seen: Summed) -> Item:
    minute, counts = seen.at // 1000 // _SECONDS, seen.counts
    number = partial(_sum, counts)
    took = Lately(0.0, number("calls"), 0, {}, durations(counts))
    p50, p99 = took.quantile(0.5), took.quantile(0.99)
    return {
        "at": in_utc(seen.at / 1000),
        "since": in_utc((minute - MINUTES + 1) * _SECONDS),
        "told": len(seen.pods),
        "calls": number("calls"),
        "succeeded": number("ok", "fallback", "stale"),
        "failed": number("failed", "truncated"),
        "refused": number("refused"),
        "attempts": number("attempts"),
        "p50": None if p50 is None else round(p50, 6),
        "p99": None if p99 is None else round(p99, 6),
        "spent": dollars(number("micros")),
    }


def _sum(counts: Totals, *names: str) -> int:
    return sum(counts.get(name, 0) for name in names)
