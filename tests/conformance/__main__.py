"""`python -m tests.conformance`: suites that nobody here wrote, direct and behind Holdfast.

The MCP conformance suite, newest and newest pre-release, and llmock's own tests of the vendors'
SDKs. Ends with 1 if a pass is lost without a reason, or a connection stays open.
docs/compatibility.md says how to read it.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial

from tests.conformance import scenarios, vendors
from tests.conformance.verdict import Outcomes, Verdict, judge, reasons

Run = Callable[[str, list[str] | None], tuple[Outcomes, list[str]]]
"""Some cases, or all, behind a Holdfast that speaks so, or direct; and what is wrong with that."""
MODELS = "auto"
"""How llmock is spoken to: it plays several vendors at once."""


def main() -> int:
    """What a run of all, or of some, comes to."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance")
    parser.add_argument("only", nargs="*", help="pieces of the names of cases; `llmock` for its")
    parser.add_argument("--protocol", default="mcp", help="how MCP is spoken to; default: mcp")
    options = parser.parse_args()
    legs = [
        leg
        for suite in scenarios.SUITES
        for leg in scenarios.legs(suite)
        if not options.only or any(piece in str(leg) for piece in options.only)
    ]
    ends = 0
    if legs:
        ends |= both("MCP conformance", partial(scenarios.run, legs), options.protocol)
    if not options.only or "llmock" in options.only:
        ends |= both("llmock", vendors.run, MODELS)
    return ends


def both(name: str, run: Run, protocol: str) -> int:
    """One suite, direct and behind; 1: with a fault."""
    direct, _ = run("", None)
    behind, faults = run(protocol, None)

    def again(cases: list[str], other: str | None) -> tuple[Outcomes, Outcomes]:
        return run("", cases)[0], run(other or protocol, cases)[0]

    known = [one for one in reasons() if one.cases & direct.keys()]
    verdict = judge(direct, behind, known, again)
    print("\n".join(report(name, direct, behind, verdict)))
    print("\n".join(faults := faults + verdict.faults) or "no pass is lost without a reason")
    return 1 if faults else 0


def report(name: str, direct: Outcomes, behind: Outcomes, verdict: Verdict) -> list[str]:
    """What there is to say, in lines."""
    lines = [f"{name}: {len(direct)} cases"]
    for where, came in (("direct", direct), ("Holdfast", behind)):
        passes = sum(map(Counter.total, came.values()))
        lines.append(f"  {where:9} {passes} checks passed")
    return lines + [f"  lost      {case}: {', '.join(gone)}" for case, gone in verdict.lost.items()]


if __name__ == "__main__":
    sys.exit(main())
