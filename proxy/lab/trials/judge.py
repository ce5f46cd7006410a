"""What was expected and what came, side by side."""

import difflib
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from proxy.call import Effect
from proxy.config.loaded import Loaded
from proxy.lab.trials.play import Outcome, Unplayable, play
from proxy.lab.trials.written import Trial
from proxy.pipeline.explain import Explanation, Source, flat, values
from proxy.protocols.identity import Identity
from proxy.stages import IN_FORCE
from proxy.units import DURATION_PATTERN, SIZE_PATTERN, Seconds, Size

_INSTANT = 0.0005
"""Seconds that are no difference: a test says milliseconds."""


class Miss(msgspec.Struct, frozen=True, rename={"at": "from"}):
    """An expectation that was not met."""

    file: str
    line: int
    path: str  # in the test: expect.values.retry.attempts
    expected: Any
    found: Any
    why: str = ""  # what is known of it
    at: str = ""  # where what was found is written
    policy: str = ""  # by which policy


class Judged(msgspec.Struct, frozen=True):
    """A test that was played."""

    name: str
    file: str
    line: int
    ok: bool
    misses: list[Miss]


def judge(trial: Trial, loaded: Loaded, identity: Identity) -> Judged:
    """Play it, and compare."""
    try:
        outcome = play(trial.case, loaded, identity)
    except Unplayable as error:
        misses = [_miss(trial, error.path, None, None, why=error.why)]
    else:
        misses = [*_results(trial, outcome), *_in_force(trial, outcome.explained)]
    place = trial.place
    return Judged(trial.case.name, place.file, place.line, not misses, misses)


def _results(trial: Trial, outcome: Outcome) -> Iterator[Miss]:
    """What became of the call."""
    expect, found = trial.case.expect, _found(outcome)
    for name, value in found.items():
        wanted = getattr(expect, name)
        if wanted is not UNSET and wanted != value:
            yield _miss(trial, f"expect.{name}", wanted, value, why=_why(name, outcome))
    if expect.took is not UNSET and abs(expect.took - outcome.took) > _INSTANT:
        yield _miss(trial, "expect.took", f"{expect.took:g}s", f"{round(outcome.took, 3):g}s")


def _found(outcome: Outcome) -> dict[str, Any]:
    record, explained = outcome.record, outcome.explained
    return {
        "verdict": "refuse" if record.decision == "refuse" else "allow",  # `shadow` says the rest
        "code": record.code,
        "policy": _policy(outcome),
        "outcome": record.outcome,
        "status": outcome.status,
        "executed": str(record.executed),
        "attempts": len(record.attempts),
        "served_by": record.served_by,
        "tier": record.tier,
        "policies": tuple(policy.name for policy in explained.policies),
        "shadow": outcome.shadow,
    }


def _policy(outcome: Outcome) -> str:
    """Whose refusal it was, not who would have refused it."""
    return "" if outcome.record.decision == "shadow" else outcome.record.policy


def _why(name: str, outcome: Outcome) -> str:
    """For whoever wonders how the call could be refused, or fail."""
    refusal = outcome.explained.verdict.refusal
    record = outcome.record
    if name not in {"verdict", "code", "policy", "outcome", "status"} or not record.code:
        return ""
    if record.decision == "refuse" and refusal is not None and refusal.code == record.code:
        return f"{outcome.explained.verdict.stage} says: {refusal.detail}"
    policy = _policy(outcome)
    of = f" of policy {policy}" if policy else ""
    return f"it came to {record.code}{of}"


def _in_force(trial: Trial, explained: Explanation) -> Iterator[Miss]:
    """What policies say for it."""
    expect, effect = trial.case.expect, explained.effect
    if expect.effect is not UNSET and expect.effect is not Effect(effect.value):
        yield _unlike(trial, "expect.effect", expect.effect.value, effect)
    known = values(explained)
    for path, wanted in ({} if expect.values is UNSET else expect.values).items():
        for inside, value in flat(path, wanted):
            yield from _value(trial, f"expect.values.{path}", inside, value, known)


def _value(
    trial: Trial, place: str, path: str, wanted: Any, known: dict[str, Source]
) -> Iterator[Miss]:
    section = path.partition(".")[0]
    if path in IN_FORCE:
        on = any(name.startswith(f"{path}.") for name in known)
        if wanted is not on:
            yield _miss(trial, place, wanted, on, why=f"{path} is {'on' if on else 'off'}")
    elif path in known:
        if not alike(wanted, known[path].value):
            yield _unlike(trial, place, wanted, known[path])
    elif section in IN_FORCE and not any(name.startswith(f"{section}.") for name in known):
        yield _miss(trial, place, wanted, None, why=f"{section} is off")
    else:
        close = difflib.get_close_matches(path, known, 1, 0.6)
        hint = f"; did you mean {close[0]}?" if close else ""
        yield _miss(trial, place, wanted, None, why=f"there is no such value{hint}")


def alike(wanted: Any, found: Any) -> bool:
    """The same value, however it is spelled: 60s is 1m, and a glob-like list is a list."""
    if isinstance(wanted, list) and isinstance(found, list):
        pairs = zip(wanted, found, strict=False)
        return len(wanted) == len(found) and all(alike(*pair) for pair in pairs)
    return _measure(wanted) == _measure(found)


def _measure(value: Any) -> tuple[object, Any]:
    if isinstance(value, str) and re.fullmatch(DURATION_PATTERN, value):
        return "seconds", round(Seconds.parse(value), 9)
    if isinstance(value, str) and re.fullmatch(SIZE_PATTERN, value):
        return "bytes", Size.parse(value)
    return isinstance(value, bool), value


def _unlike(trial: Trial, path: str, wanted: Any, source: Source) -> Miss:
    return _miss(trial, path, wanted, source.value, at=source.at, policy=source.policy or "")


def _miss(
    trial: Trial,
    path: str,
    expected: Any,
    found: Any,
    *,
    why: str = "",
    at: str = "",
    policy: str = "",
) -> Miss:
    place = trial.places.get(path, trial.place)  # what is at fault may not be written at all
    return Miss(place.file, place.line, path, expected, found, why, at, policy)
