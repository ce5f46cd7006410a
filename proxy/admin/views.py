"""What `/v1` shows. Each view is made of what is there at one moment, and changes nothing.

The shapes are written down in `docs/admin.md`. Times are RFC 3339 in UTC; durations are seconds.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from proxy import __version__
from proxy.admin.budgets import money
from proxy.admin.fleet_sums import fleet
from proxy.admin.health import shared, standing
from proxy.admin.lists import Item
from proxy.admin.rates import Key, Lately, Rates, together
from proxy.admin.sight import Sight
from proxy.config.match import Match
from proxy.config.schema import spelled, veiled
from proxy.config.types import WRITTEN, Part, Policy
from proxy.keys import CircuitKey, InFlightKey, PulseKey, QueuedKey
from proxy.state.circuit import Circuit, State
from proxy.state.price import dollars
from proxy.units import in_utc

_NEVER = Lately(0.0, 0, 0, {}, ())


def status(sight: Sight, rates: Rates) -> Item:
    """One screen of all."""
    lately, now = rates.lately(), _now(sight)
    everything = together([*lately.values()])
    health, wall = sight.health, sight.clock.wall()
    rejected = {"at": in_utc(health.rejected_at), "why": health.rejected}
    return {
        "version": __version__,
        "started": in_utc(health.began),
        "uptime": round(wall - health.began, 3),
        "ready": health.ready,
        "draining": health.draining,
        "listen": health.listen or None,
        "policies": {
            "version": health.version or None,
            "loaded": in_utc(health.loaded_at),
            "rejected": rejected if health.rejected else None,
        },
        "journal": journal(sight),
        "store": None if health.store is None else shared(health.store),
        "fleet": fleet(sight),
        "kills": _kills(sight),
        "money": money(sight),
        "seconds": round(everything.seconds, 3),
        "together": _together(everything, now),
        "upstreams": list(_upstreams(sight, lately, now)),
        "tools": list(_tools(lately, now)),
        "refused": everything.refused,
    }


def _kills(sight: Sight) -> Item:
    """How much is killed, and the newest of it."""
    items = sight.kills.items()
    return {"count": len(items), "items": [kill.shown() for kill in items[: -_MOST - 1 : -1]]}


_MOST = 20
"""Kills on one screen; `/v1/kills` has all."""


def journal(sight: Sight) -> Item | None:
    """How the journal does, and how far it is; None: it is not open yet."""
    kept = sight.health.journal
    if kept is None:
        return None
    since = sight.clock.wall() - (sight.clock.now() - kept.state.since)
    return {
        **standing(kept, sight.health.webhooks),
        "since": in_utc(since),
        "origin": kept.terms.origin,
        "seq": kept.seq,
        "checkpointed": kept.checkpointed,
        "segment_bytes": kept.terms.segment_bytes,
        "retention_days": kept.terms.retention_days,
    }


def tools(sight: Sight, rates: Rates) -> Iterator[Item]:
    """Every tool that has a name in the metrics; the others share `other`."""
    return _tools(rates.lately(), _now(sight))


def _upstreams(sight: Sight, lately: dict[Key, Lately], now: "_Now") -> Iterator[Item]:
    """Every upstream of the policies, and its own circuit."""
    for name, upstream in sight.table().loaded.upstreams.items():
        own = [of for (there, _), of in lately.items() if there == name]
        pulse = sight.keep.seen(PulseKey(name))
        yield {
            "name": name,
            "address": upstream.url.origin.authority,
            "protocol": upstream.protocol,
            "path": None if upstream.path is None else str(upstream.path),
            "circuit": now.circuits.get((name, "")),
            "well": pulse.well if pulse is not None and pulse.probed else None,
            "in_flight": sum(n for (there, _), n in now.flights.items() if there == name),
            "queued": sum(n for (there, _), n in now.queues.items() if there == name),
            **_rate(together(own)),
        }


def _together(everything: Lately, now: "_Now") -> Item:
    """All calls as if they were of one tool."""
    return {
        "in_flight": now.flights.total(),
        "queued": now.queues.total(),
        **_rate(everything),
        **_quantiles(everything),
    }


def _tools(lately: dict[Key, Lately], now: "_Now") -> Iterator[Item]:
    for key in sorted({*lately, *now.flights}):
        of = lately.get(key, _NEVER)
        yield {
            "upstream": key[0],
            "tool": key[1],
            "circuit": now.circuits.get(key),
            "in_flight": now.flights[key],
            "queued": now.queues[key],
            **_rate(of),
            **_quantiles(of),
        }


class _Now(NamedTuple):
    """What goes up and down, by the names that metrics show."""

    circuits: dict[Key, str]  # where several share a name, that which is least well
    flights: Counter[Key]
    queues: Counter[Key]


def _now(sight: Sight) -> _Now:
    """In one walk: this runs on the loop, and much may be kept."""
    now = _Now({}, Counter(), Counter())
    for key, kept in sight.keep.items():
        if not isinstance(key, CircuitKey | InFlightKey | QueuedKey) or key.shadow:
            continue
        shown = sight.metrics.shown(key.upstream, key.tool)
        if isinstance(key, CircuitKey):
            before = State(now.circuits.get(shown, State.CLOSED))
            now.circuits[shown] = max(before, kept.state, key=_WORSE.index).value
        else:
            (now.flights if isinstance(key, InFlightKey) else now.queues)[shown] += kept.now
    return now


_WORSE = (State.CLOSED, State.HALF_OPEN, State.OPEN)


def _rate(of: Lately) -> Item:
    return {
        "calls": of.calls,
        "per_second": round(of.per_second, 3),
        "errors": None if of.errors is None else round(of.errors, 4),
        "refused": of.refused,
        "cost_per_hour": dollars(of.micros_per_hour),
    }


def _quantiles(of: Lately) -> Item:
    """Seconds in which so many calls were over; null: there were none."""
    p95, p99 = of.quantile(0.95), of.quantile(0.99)
    return {
        "p95": None if p95 is None else round(p95, 6),
        "p99": None if p99 is None else round(p99, 6),
    }


def breakers(sight: Sight) -> Iterator[Item]:
    """Every circuit that was made: of upstreams, of tools, and those of shadow policies."""
    now, wall = sight.clock.now(), sight.clock.wall()
    for key, circuit in sight.keep.each(CircuitKey):
        forced = circuit.forced
        yield {
            "key": f"{key.upstream}/{key.tool}" if key.tool else key.upstream,
            "upstream": key.upstream,
            "tool": key.tool or None,
            "bulkhead": key.bulkhead or None,
            "shadow": bool(key.shadow),
            "state": circuit.state.value,
            "since": None if circuit.since is None else in_utc(wall - (now - circuit.since)),
            "for": None if circuit.since is None else round(now - circuit.since, 3),
            "why": circuit.why or None,
            "next_probe_in": None if circuit.closed or forced else round(circuit.left(now), 3),
            "forced": forced,
            "fleet": circuit.fleet,
            **_counted(circuit, now),
        }


def _counted(circuit: Circuit, now: float) -> Item:
    seen, rules = circuit.window.seen(now), circuit.rules
    return {
        "window": {
            "seconds": rules.window,
            "calls": seen.calls,
            "failures": seen.failures + seen.held,
            "slow": seen.slow,
        },
        "in_a_row": circuit.streak,
        "opens_at": {"in_a_row": rules.consecutive, "rate": rules.rate, "calls": rules.min_calls},
        "probes": {
            "passed": circuit.passed,
            "needed": rules.probes,
            "under_way": circuit.owner is not None,
        },
    }


def policies(sight: Sight) -> Iterator[Item]:
    """Every policy that is loaded, in the order in which they apply."""
    for number, policy in enumerate(sight.table().loaded.policies):
        yield {
            "number": number,
            "name": policy.name,
            "from": policy.place.short,
            "mode": policy.mode.value,
            "match": _match(policy.match),
            **{WRITTEN.get(field, field): _word(policy, field) for field in _WORDS},
            "sections": {name: _part(part) for name, part in policy.sections.items()},
        }


_WORDS = ("effect", "risk", "unrecorded")


def _word(policy: Policy, field: str) -> Item | None:
    """What a policy says in one word, and where; None: it does not say it."""
    value = getattr(policy, field)
    place = policy.places.get(WRITTEN.get(field, field), policy.place)
    return None if value is None else {"value": value.value, "from": place.short}


def number_of(item: Item) -> tuple[str, ...]:
    """The place of a policy among the others, so that it sorts as text."""
    return (f"{item['number']:08}",)


def _match(match: Match) -> Item:
    asked: Item = {
        key: [*globs.wanted, *(f"!{out}" for out in globs.excluded)]
        for key, globs in match.globs.items()
    }
    return asked if match.when is None else {**asked, "when": str(match.when)}


def _part(part: Part) -> Item:
    return {
        "from": part.place.short,
        "on": part.on,
        "mode": part.mode.value,
        "fields": {
            name: veiled(spelled(value), part.hidden) for name, value in part.fields.items()
        },
    }
