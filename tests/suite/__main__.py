"""`python -m tests.suite`: aiohttp's tests of its client, direct, behind a relay, behind Holdfast.

Ends with 1 if a pass is lost without a reason. docs/compatibility.md says how to read it.
"""

import argparse
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from tests.suite.source import fetch, run
from tests.suite.verdict import Outcomes, Reason, Verdict, judge, reasons


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.suite")
    parser.add_argument("--peer", help="run behind this one only, and judge nothing")
    parser.add_argument("tests", nargs="*", help="node ids of pytest's; needs --peer")
    options = parser.parse_args()
    if options.tests and not options.peer:
        parser.error("some tests alone cannot be judged: say behind which --peer")
    source = fetch(Path(sys.prefix) / "aiohttp-tests")
    if options.peer:
        run(source, options.peer, options.tests, failures="short")
        return 0
    came_of: dict[str, Outcomes] = {}
    for peer in ("direct", "relay", "holdfast"):
        print(f"--- {peer}", flush=True)
        came_of[peer] = run(source, peer, [])
    known = reasons()
    print("--- again, what is in doubt", flush=True)
    verdict = judge(came_of["relay"], came_of["holdfast"], known, partial(run, source))
    print("\n".join(report(came_of, known, verdict)))
    return 1 if verdict.faults else 0


def report(came_of: dict[str, Outcomes], known: list[Reason], verdict: Verdict) -> list[str]:
    """What there is to say, in lines."""
    served = [test for test, came in came_of["relay"].items() if came.servers]
    lines = ["", f"{len(came_of['relay'])} tests; of those, {len(served)} put up a server:"]
    for peer, outcomes in came_of.items():
        counts = Counter(outcomes[test].outcome for test in served)
        said = ", ".join(f"{counts[one]} {one}" for one in ("passed", "failed", "skipped"))
        carried = sum(came.carried for came in outcomes.values())
        lines.append(f"  {peer:9} {said}; carried {carried}")
    lines += ["", f"{len(verdict.lost)} passes lost behind Holdfast:"]
    for reason in known:
        setting = f" [they pass with {reason.setting}]" if reason.setting else ""
        number = len(reason.excused(verdict.lost))
        lines.append(f"  {number:2}  spec {reason.spec}: {reason.why}{setting}")
    lines.append(f"  {len(verdict.in_company):2}  pass when run alone {verdict.in_company}")
    return [*lines, "", *(verdict.faults or ["no pass is lost without a reason"])]


if __name__ == "__main__":
    sys.exit(main())
