"""What the runs come to: which passes were lost on the way, and whether each has its reason."""

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

REASONS = Path(__file__).with_name("reasons.toml")
MOST = 0.95
"""Of the tests that put up a server a relay keeps so many, or the relay is broken."""


@dataclass(frozen=True)
class Outcome:
    """What came of one test."""

    outcome: str
    """As pytest calls it: passed, failed, skipped."""
    said: str = ""
    servers: int = 0
    """How many it put up, each with a peer in front."""
    carried: int = 0
    """How many calls these peers carried."""
    troubles: tuple[str, ...] = ()
    """What a peer said that only a bug can cause."""

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"


Outcomes = dict[str, Outcome]
"""By pytest's node id."""
Run = Callable[[str, list[str]], Outcomes]
"""Run some tests behind a peer; no tests: all."""


@dataclass(frozen=True)
class Reason:
    """Why the passes of some tests may be lost. reasons.toml tells what the fields are."""

    spec: str
    why: str
    tests: frozenset[str]
    setting: str | None = None

    def excused(self, tests: Iterable[str]) -> list[str]:
        return [test for test in tests if plain(test) in self.tests]


def reasons(path: Path = REASONS) -> list[Reason]:
    """Those of the list."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["reason"]
    return [
        Reason(row["spec"], row["why"], frozenset(row["tests"]), row.get("with")) for row in rows
    ]


def plain(test: str) -> str:
    """A node id without its folder and its parameters."""
    return test.removeprefix("tests/").partition("[")[0]


def lost(relay: Outcomes, holdfast: Outcomes) -> list[str]:
    """What passes behind a relay and not behind Holdfast."""
    return [test for test, kept in relay.items() if kept.passed and not holdfast[test].passed]


def unexplained(tests: Iterable[str], known: list[Reason]) -> list[str]:
    """Those that no reason excuses."""
    names = {name for reason in known for name in reason.tests}
    return [test for test in tests if plain(test) not in names]


def stale(holdfast: Outcomes, known: list[Reason]) -> list[str]:
    """Names on the list that nothing fails of."""
    failing = {plain(test) for test, came in holdfast.items() if not came.passed}
    return sorted(name for reason in known for name in reason.tests - failing)


@dataclass(frozen=True)
class Verdict:
    """What was lost, and what is wrong with that."""

    lost: list[str]
    in_company: list[str]
    """Lost without a reason, and not lost when run again alone: what a test that fails leaves lying
    about is laid at the next one's door."""
    faults: list[str]
    """In lines. None: each pass that was lost has its reason."""


def judge(relay: Outcomes, holdfast: Outcomes, known: list[Reason], run: Run) -> Verdict:
    """Tests that are in doubt are run again."""
    gone = lost(relay, holdfast)
    again = {test: run("holdfast", [test])[test] for test in unexplained(gone, known)}
    faults = [f"{test}: {came.said}" for test, came in again.items() if not came.passed]
    for reason in known:
        faults += unproven(reason, gone, run)
    faults += [f"{name}: has a reason, and nothing fails" for name in stale(holdfast, known)]
    faults += [f"{test}: {line}" for test, came in holdfast.items() for line in came.troubles]
    faults += hollow(relay, holdfast)
    return Verdict(gone, [test for test, came in again.items() if came.passed], faults)


def hollow(relay: Outcomes, holdfast: Outcomes) -> list[str]:
    """Why the run proves nothing, though nothing was lost."""
    served = [came for came in relay.values() if came.servers]
    kept = sum(came.passed for came in served)
    few = [f"the relay kept {kept} of {len(served)}"] if kept < len(served) * MOST else []
    reached = any(came.carried for came in holdfast.values())
    return few if reached else [*few, "nothing reached Holdfast"]


def unproven(reason: Reason, gone: list[str], run: Run) -> list[str]:
    """What does not pass with the setting that is said to help."""
    excused = reason.excused(gone)
    if reason.setting is None or not excused:
        return []
    came_of = run(reason.setting, excused)
    return [
        f"{test}: with {reason.setting}, {came_of[test].said}"
        for test in excused
        if not came_of[test].passed
    ]
