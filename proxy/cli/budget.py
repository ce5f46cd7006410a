"""`holdfast budget`: what may be spent and what was, whose money it is, and what to allow.

`list`, `show` and `attribute` ask a running proxy (`/v1/budgets`, docs/admin.md); `suggest` reads a
journal, whether anything runs or not. `reconcile` is in a file of its own.
"""

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.budget_reconcile import reconcile
from proxy.cli.journals import Failed, records_of
from proxy.cli.page import cut, paint, say, table
from proxy.cli.reaching import to_look

if TYPE_CHECKING:
    from proxy.journal.records import Records
    from proxy.state.allocation import Proposal, Usage

_JSON = click.option("--json", "as_json", is_flag=True)
_FULL, _NEARLY = 1.0, 0.75
_BASELINE, _SAFETY = 7 * 86_400, "3.0"
_VIEWS = ("self", "caller_pays", "proportional", "pool")


@click.group()
def budget() -> None:
    """Show budgets, whose money a workflow's is, and what to allow.

    \b
    Examples:
      holdfast budget list
      holdfast budget show agent
      holdfast budget attribute trip-42 --by caller_pays
      holdfast budget suggest --baseline 7d
      holdfast budget reconcile
    """


budget.add_command(reconcile)


@budget.command(name="list")
@to_look
@click.option("--key", metavar="KEY", help="Only of this agent, workflow, tool …")
@_JSON
def listed(admin: str | None, key: str | None, as_json: bool) -> int:
    """Show every budget of a running proxy: limits, what is spent and reserved of them.

    \b
    Examples:
      holdfast budget list
      holdfast budget list --key pricing-01 --json | jq '.items[].windows'
    Exit codes: 0 shown, 1 no proxy answers, 2 cannot read the settings, 64 wrong usage.
    """
    return _shown(admin, {} if key is None else {"key": key}, as_json)


@budget.command()
@click.argument("name")
@to_look
@click.option("--key", metavar="KEY", help="Only of this agent, workflow, tool …")
@_JSON
def show(name: str, admin: str | None, key: str | None, as_json: bool) -> int:
    """Show one budget of a running proxy, each of its keys.

    \b
    Examples:
      holdfast budget show agent
      holdfast budget show bulkhead/shop --json
    Exit codes: 0 shown, 1 there is none of this name, or no proxy answers, 2 cannot read the
    settings, 64 wrong usage.
    """
    query = {"budget": name} | ({} if key is None else {"key": key})
    return _shown(admin, query, as_json, f"no budget {name}")


def _shown(admin: str | None, query: dict[str, str], as_json: bool, lacking: str = "") -> int:
    from proxy.cli.asking import admin_of_settings, every, understood

    address = admin or admin_of_settings()
    items = every(address, "/v1/budgets", query)
    if lacking and not items:
        whose = f" has a key {query['key']}" if "key" in query else ""
        raise Failed(f"{lacking}{whose}; holdfast budget list shows all there are")
    if as_json:
        print(json.dumps({"items": items, "next": None}, indent=2))
        return 0
    with understood(address):
        lines = list(accounts(items))
    say(lines)
    return 0


def accounts(items: list[dict[str, Any]]) -> Iterator[str]:
    """A row for each window of each account, as `/v1/budgets` has them."""
    if not items:
        yield "  there is no budget"
        return
    head = ("BUDGET", "FOR", "WINDOW", "SPENT", "RESERVED", "LIMIT", "USED", "RESETS (UTC)")
    rows = [_row(item, one) for item in items for one in item["windows"]]
    yield from table(head, rows, "lllrrrrl")


def _row(item: dict[str, Any], one: dict[str, Any]) -> list[str]:
    used = float(one["share"])
    colour = "red" if used >= _FULL else "yellow" if used >= _NEARLY else ""
    whose = item["per"] if item["key"] is None else f"{item['per']} {item['key']}"
    window = f"{one['seconds']} s" if one["seconds"] else one["window"]
    resets = one["resets_at"]
    return [
        paint(cut(item["budget"], 20), bold=True),
        paint(cut(whose, 26)),
        paint(window),
        paint(one["spent"]),
        paint(one["reserved"]),
        paint(one["limit"]),
        paint(f"{used:.0%}", colour),
        paint("–" if resets is None else f"{resets[:16]}".replace("T", " ")),
    ]


@budget.command()
@click.argument("workflow")
@click.option("--by", type=click.Choice(_VIEWS), default="self", show_default=True)
@to_look
@_JSON
def attribute(workflow: str, by: str, admin: str | None, as_json: bool) -> int:
    """Show what each agent of a workflow is charged.

    self: who spent it. caller_pays: who waited for them. proportional: by each one's share of the
    calls. pool: evenly. Each of them adds up to the same sum.

    \b
    Example:
      holdfast budget attribute trip-42 --by caller_pays
    Exit codes: 0 shown, 1 nothing is known of it, or no proxy answers, 2 cannot read the settings,
    64 wrong usage.
    """
    from proxy.cli.asking import admin_of_settings, ask, every, understood

    address, query = admin or admin_of_settings(), {"workflow": workflow, "by": by}
    told = ask(address, "/v1/budgets", {**query, "limit": "1"})
    with understood(address):
        told |= {"items": every(address, "/v1/budgets", query), "next": None}
    if as_json:
        print(json.dumps(told, indent=2))
        return 0
    with understood(address):
        lines = list(_charged(told))
    say(lines)
    return 0


def _charged(told: dict[str, Any]) -> Iterator[str]:
    rows = [
        [
            paint(cut(item["agent"] or "–", 32), bold=True),
            paint(item["spent"]),
            paint(f"{float(item['share']):.1%}"),
            paint(item["calls"]),
        ]
        for item in told["items"]
    ]
    rows.append([paint("together", dim=True), paint(told["total"]), "", ""])
    yield from table(("AGENT", "USD", "SHARE", "CALLS"), rows, "lrrr")


@budget.command()
@click.option("--baseline", metavar="TIME", help="So much of the past, such as 7d.")
@click.option("--safety", metavar="N", help="1 to 100.")
@click.option("--data-dir", metavar="DIR", help="Of the journal; else the settings'.")
@_JSON
def suggest(baseline: str | None, safety: str | None, data_dir: str | None, as_json: bool) -> int:
    """Propose a budget a day for each agent, from what its tasks cost.

    It is the median cost of a task, times SAFETY, times tasks a day, of tasks that cost something.
    A call without a task counts as one. Of fewer than 30 tasks nothing is proposed. What is not
    given is that of the first budget that has `allocation`; else 7d, and 3.

    \b
    Examples:
      holdfast budget suggest
      holdfast budget suggest --baseline 14d --safety 2 --json
    Exit codes: 0 proposed, 1 there are too few tasks, 2 cannot read, 64 wrong usage.
    """
    from proxy.state.allocation import FEWEST, Usage

    usual, usually = (_BASELINE, _SAFETY) if baseline and safety else _allocation()
    safety = safety or usually
    times, seconds = _times(safety), _seconds(baseline, usual)
    usage = Usage()
    with records_of(data_dir) as records:
        covered = _noted(records, usage, seconds)
    found = list(usage.proposals(covered, times))
    if as_json:
        print(json.dumps({"seconds": covered, "safety": safety, "items": [*map(_item, found)]}))
    elif found:
        say(_proposed(found))
    if any(one.day is not None for one in found):
        return 0
    most = max((one.tasks for one in found), default=0)
    raise Failed(
        f"too few tasks to propose anything: {most} that cost something by one agent, and it takes"
        f" {FEWEST}; let it run on, or look further back with --baseline"
    )


def _times(safety: str) -> Fraction:
    try:
        times = Fraction(safety)
    except (ValueError, ZeroDivisionError):
        times = Fraction(0)
    if not 1 <= times <= 100:
        raise click.UsageError(f"--safety must be a number of 1 to 100, not {safety}")
    return times


def _allocation() -> tuple[int, str]:
    """Baseline and safety, as policies have them."""
    from proxy.cli.problems import loading
    from proxy.config.load import load_policies
    from proxy.config.settings import load_settings

    with loading():
        loaded = load_policies(load_settings().policies)
    for one in loaded.budgets:
        if one.allocation is not None:
            return int(one.allocation.baseline), str(one.allocation.safety)
    return _BASELINE, _SAFETY


def _seconds(baseline: str | None, usual: int) -> int:
    from proxy.units import Seconds

    try:
        return usual if baseline is None else max(1, int(Seconds.parse(baseline)))
    except ValueError as error:
        raise click.UsageError(f"--baseline: {error}") from error


def _noted(records: "Records", usage: "Usage", seconds: int) -> int:
    """What was spent since then. How many seconds of that there are records of."""
    from proxy.clock import Clock
    from proxy.journal.lines import rfc3339
    from proxy.journal.query import facts
    from proxy.units import Moment

    now = Clock().wall()
    since = rfc3339(int((now - seconds) * 1e9))
    oldest = ""
    for lines in records.newest_first():
        for line in lines:
            told = facts(line)
            if told is None:
                continue
            if told.ts < since:
                return seconds
            oldest = told.ts
            if told.type == "call.finished":
                usage.note(told.agent, told.task or f"\0{told.id}", told.cost_micros)
    if not oldest:
        return seconds
    return max(0, min(seconds, int(now - Moment.parse(oldest))))


def _item(one: "Proposal") -> dict[str, Any]:
    from proxy.state.price import dollars

    return {
        "agent": one.agent,
        "tasks": one.tasks,
        "per_task": dollars(one.per_task),
        "tasks_a_day": round(float(one.a_day), 3),
        "day": None if one.day is None else dollars(one.day),
    }


def _proposed(found: "list[Proposal]") -> Iterator[str]:
    rows = [
        [
            paint(cut(one["agent"] or "–", 32), bold=True),
            paint(one["tasks"]),
            paint(one["per_task"]),
            paint(f"{one['tasks_a_day']:.1f}"),
            paint("too few tasks", dim=True) if one["day"] is None else paint(one["day"], "green"),
        ]
        for one in map(_item, found)
    ]
    head = ("AGENT", "TASKS", "USD A TASK", "TASKS A DAY", "PROPOSED USD A DAY")
    yield from table(head, rows, "lrrrr")
