"""What the runs come to: which passes were lost on the way, and whether each has its reason."""

import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REASONS = Path(__file__).with_name("reasons.toml")

Outcomes = dict[str, Counter[str]]
"""Case -> how often each of its checks passed."""
Again = Callable[[list[str], str | None], tuple[Outcomes, Outcomes]]
"""Run some cases once more, direct and behind Holdfast: as before, or one that speaks otherwise."""


@dataclass(frozen=True)
class Reason:
    """Why checks may be lost. reasons.toml tells what the fields are."""

    spec: str
    why: str
    cases: frozenset[str]
    setting: str | None = None


def reasons(path: Path = REASONS) -> list[Reason]:
    """Those of the list."""
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("reason", [])
    return [
        Reason(row["spec"], row["why"], frozenset(row["cases"]), row.get("with")) for row in rows
    ]


def lost(direct: Outcomes, behind: Outcomes) -> dict[str, list[str]]:
    """The checks that passed direct, and not as often behind Holdfast."""
    gone = {case: sorted(passed - behind[case]) for case, passed in direct.items()}
    return {case: checks for case, checks in gone.items() if checks}


@dataclass(frozen=True)
class Verdict:
    """What was lost, and what is wrong with that."""

    lost: dict[str, list[str]]
    faults: list[str]
    """In lines. None: each pass that was lost has its reason."""


def judge(direct: Outcomes, behind: Outcomes, known: list[Reason], again: Again) -> Verdict:
    """Cases that are in doubt are run again, twice: machines are slow at times."""
    gone = lost(direct, behind)
    excused = {case for reason in known for case in reason.cases}
    doubted = [case for case in gone if case not in excused]
    for _ in range(2):
        if doubted:
            doubted = list(lost(*again(doubted, None)))
    stays = {case: checks for case, checks in gone.items() if case in excused or case in doubted}
    faults = [f"{case}: {', '.join(stays[case])}" for case in doubted]
    faults += [
        f"{case}: has a reason, and nothing is lost"
        for case in sorted(excused & direct.keys() - gone.keys())
    ]
    for reason in known:
        faults += unproven(reason, gone, again)
    if not any(behind.values()):
        faults.append("nothing passed behind Holdfast")
    return Verdict(stays, faults)


def unproven(reason: Reason, gone: dict[str, list[str]], again: Again) -> list[str]:
    """What is lost too with the setting that is said to help."""
    excused = sorted(reason.cases & gone.keys())
    if reason.setting is None or not excused:
        return []
    still = lost(*again(excused, reason.setting))
    return [f"{case}: with {reason.setting}, {', '.join(still[case])}" for case in still]
