"""What only an overlap of policies brings about: it is not refused at load, but made safe when a
pipeline is compiled, and a person is told (spec 1.3).

Each policy is right by itself, and for its own match; only where two of them hold for the same call
do they contradict each other, and which calls there will be nobody knows before.
"""

from collections.abc import Iterator

from proxy.call import Effect
from proxy.config.cascade import Effective, Merged
from proxy.stages import READS_ONLY
from proxy.stages.timeout import MIN_ATTEMPT


def clamped(effective: Effective, effect: Effect) -> list[str]:
    """What was made safe for calls with this effect, in words."""
    sections = effective.sections
    found = [*_attempt(sections.get("timeout")), *_always(sections.get("retry"), effect)]
    for name in READS_ONLY:
        section = sections.get(name)
        if section is not None and effect is not Effect.READ:
            found.append(f"{name} ({_from(section)}) is off: it is for reads, this is {effect}")
    limit = sections.get("rate_limit")
    if limit is not None and not (limit.fields.get("rate") or limit.fields.get("tokens")):
        found.append(f"rate_limit ({_from(limit)}) is off: it has neither a rate nor tokens")
    return found


def _attempt(timeout: Merged | None) -> Iterator[str]:
    if timeout is None:
        return
    attempt, total = timeout.fields.get("attempt"), timeout.fields.get("total")
    if attempt is not None and total is not None and attempt >= total:
        yield (
            f"timeout.attempt ({attempt:g}s, {_from(timeout, 'attempt')}) "
            f"is cut to total ({total:g}s, {_from(timeout, 'total')})"
        )
    least = timeout.fields.get("min_attempt", MIN_ATTEMPT)
    if total is not None and total <= least:
        yield (
            f"timeout.min_attempt ({least:g}s, {_from(timeout, 'min_attempt')}) "
            f"is cut to half of total ({total:g}s, {_from(timeout, 'total')})"
        )


def _always(retry: Merged | None, effect: Effect) -> Iterator[str]:
    if retry is not None and retry.fields.get("safe") == "always" and effect is Effect.WRITE:
        yield f"retry.safe: always ({_from(retry, 'safe')}) counts as auto: this is a write"


def _from(section: Merged, field: str = "") -> str:
    """Who says so, and where."""
    place = section.places.get(field, section.place)
    return f"{section.policies.get(field, section.policy)}, {place.short}"
