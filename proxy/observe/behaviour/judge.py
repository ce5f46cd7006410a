"""What is unusual of a task: far from the baseline of its agent, or over a rule of its own."""

from typing import NamedTuple

from proxy.observe.behaviour.baseline import Baseline, Usual
from proxy.observe.behaviour.rules import Rules
from proxy.observe.behaviour.work import SIGNALS, Work

GROWING = frozenset({"calls", "tools", "tokens", "cost", "counterparts"})
"""What only grows while a task lasts: it need not be over to be too much."""
MICROS = 1e6


class Unusual(NamedTuple):
    """One signal of a task that is not as usual."""

    signal: str
    value: float
    usual: float  # the median; -1: there are too few samples
    score: float  # robust z; 0: there are too few samples
    why: str  # for people


def unusual(work: Work, counterparts: int, baseline: Baseline, rules: Rules) -> list[Unusual]:
    """Of a task that runs, or has ended."""
    found = list(_ratios(work, rules))
    usual = baseline.usual(rules.samples)
    if usual is None:
        return found
    known = {one.signal for one in found}
    row = work.row(counterparts)
    judged = zip(SIGNALS, row, usual, strict=True)
    return found + [
        _told(signal, value, each, rules)
        for signal, value, each in judged
        if signal not in known
        if signal in GROWING or work.calls >= rules.min_calls
        if _is_far(signal, value, each, rules)
    ]


def _ratios(work: Work, rules: Rules) -> list[Unusual]:
    """What holds without any samples."""
    if work.calls < rules.min_calls:
        return []
    told = (
        ("retries", work.retries, rules.retries, "sendings are repetitions"),
        ("escalations", work.escalations, rules.escalations, "calls were put before people"),
    )
    return [
        Unusual(signal, 100 * share, -1.0, 0.0, f"{share:.0%} of its {words}, over {limit:.0%}")
        for signal, share, limit, words in told
        if share > limit
    ]


def _is_far(signal: str, value: float, usual: Usual, rules: Rules) -> bool:
    if usual.score(value) > rules.score:
        return True
    times = {"calls": rules.calls, "cost": rules.cost}.get(signal)
    return times is not None and usual.middle > 0 and value > times * usual.middle


def amount(signal: str, value: float) -> str:
    """As people read it."""
    return f"{value / MICROS:.6f} USD" if signal == "cost" else f"{value:.4g}"


def _told(signal: str, value: float, usual: Usual, rules: Rules) -> Unusual:
    score, middle = usual.score(value), usual.middle
    shown, often = amount(signal, value), amount(signal, middle)
    unit = {"retries": " %", "escalations": " %", "refusals": " %"}.get(signal, "")
    words = {"refusals": "refused calls", "cost": "cost"}.get(signal, signal)
    far = f"robust z {score:.1f}" if score > rules.score else f"{value / middle:.1f} times as much"
    return Unusual(
        signal, value, middle, score, f"{words} {shown}{unit}, usual is {often}{unit} ({far})"
    )
