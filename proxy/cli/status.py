"""`holdfast status` and `holdfast breakers`: how a running proxy does, on one screen.

What `/v1/status` and `/v1/breakers` say (docs/admin.md), drawn for people.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import click

from proxy.cli.page import cut, folded, paint, say, table, width
from proxy.cli.reaching import to_look
from proxy.news import CIRCUIT_WHY

_EVERY = 2.0
"""Seconds from look to look of --watch."""
_MOST = 20
"""Tools on the screen; --json has all."""
COLOURS = {"closed": "green", "half_open": "yellow", "open": "red"}

_WITHOUT = {
    "local": "this pod goes on by what it has",
    "deny": "what it would have a say in is refused",
    "allow": "calls go unguarded by it",
}
"""What follows from it, by on_store_failure."""


@click.command()
@to_look
@click.option("--json", "as_json", is_flag=True)
@click.option("--watch", is_flag=True, help="Look again every 2 s, until Ctrl-C.")
def status(admin: str | None, as_json: bool, watch: bool) -> int:
    """Show how a running proxy does: upstreams, tools, breakers, rates and refusals.

    Rates are those of the last minute.

    \b
    Examples:
      holdfast status
      holdfast status --admin unix:/run/holdfast/admin.sock --watch
      holdfast status --json | jq '.upstreams[] | {name, errors}'
    Exit codes: 0 shown, 1 no proxy answers, 2 cannot read the settings, 64 wrong usage.
    """
    from proxy.cli.asking import admin_of_settings, ask, understood

    address = admin or admin_of_settings()

    def look() -> list[str]:
        told = ask(address, "/v1/status")
        with understood(address):
            return list(_screen(told))

    if watch and as_json:
        raise click.UsageError("--watch is for people, --json is for programs: choose one")
    if watch:
        return watching(look, _pause)
    if as_json:
        print(json.dumps(ask(address, "/v1/status"), indent=2))
    else:
        say(look())
    return 0


@click.command()
@to_look
@click.option("--state", type=click.Choice([*COLOURS]), help="Only those in it.")
@click.option("--json", "as_json", is_flag=True)
def breakers(admin: str | None, state: str | None, as_json: bool) -> int:
    """Show every circuit of a running proxy: its state, since when and why, and its failures.

    \b
    Examples:
      holdfast breakers
      holdfast breakers --state open --json
    Exit codes: 0 shown, 1 no proxy answers, 2 cannot read the settings, 64 wrong usage.
    """
    from proxy.cli.asking import admin_of_settings, every, understood

    address = admin or admin_of_settings()
    told = every(address, "/v1/breakers", {} if state is None else {"state": state})
    if as_json:
        print(json.dumps({"items": told, "next": None}, indent=2))
        return 0
    with understood(address):
        lines = list(_circuits(told))
    say(lines)
    return 0


def watching(look: Callable[[], list[str]], pause: Callable[[], None]) -> int:
    """Show what is seen, again and again, until interrupted. Nothing is cleared before there is
    something to show in its place."""
    try:
        while True:
            lines = look()
            if sys.stdout.isatty():
                click.clear()
            say(lines)
            sys.stdout.flush()
            pause()
    except KeyboardInterrupt:
        return 0


def _pause() -> None:
    threading.Event().wait(_EVERY)


def _screen(told: dict[str, Any]) -> Iterator[str]:
    if told.get("kills"):
        yield from _kills(told["kills"])
    yield from _head(told)
    yield ""
    yield from _upstreams(told["upstreams"])
    yield ""
    yield from _tools(told["tools"])
    if told["refused"]:
        yield ""
        yield from _refusals(told["refused"])
    if told.get("money"):
        yield ""
        yield from _money(told["money"])
    if told["policies"]["rejected"]:
        yield ""
        yield paint("The last reload failed, and what was in force before still is:", "red")
        for line in told["policies"]["rejected"]["why"].splitlines():
            yield from folded("  " + line, 4, width())


def _head(told: dict[str, Any]) -> Iterator[str]:
    ready = told["ready"]
    word = "draining" if told["draining"] else "ready" if ready else "not ready"
    colour = "green" if ready else "red"
    yield (
        f"{paint('holdfast', bold=True)} {paint(told['version'])}  {paint(word, colour)}"
        f"  up {span(told['uptime'])}  at {paint(told['listen'])}"
    )
    policies = told["policies"]
    yield (
        f"policies {paint(policies['version'])}, loaded {paint(policies['loaded'])}"
        f"  ·  rates of the last {span(told['seconds'])}"
    )
    if told.get("journal"):
        yield from _journal(told["journal"])
    if told.get("store"):
        yield from _store(told["store"])
    if told.get("fleet"):
        yield from _fleet(told["fleet"], told["store"]["ok"])


def _store(told: dict[str, Any]) -> Iterator[str]:
    word = "down" if not told["ok"] else "up" if told["grants"] else "grants nothing"
    colour = "green" if told["grants"] else "red"
    yield f"store {paint(word, colour)}, {paint(told['pods'])} pods live"
    if not told["grants"]:
        text = f"  {told['why']}; {_WITHOUT.get(told['on_failure'], '')}"
        yield from (paint(each, "red") for each in folded(text, 4, width()))


def _fleet(told: dict[str, Any], is_now: bool) -> Iterator[str]:
    """What all pods counted; as it was when they were heard of last."""
    line = f"fleet {paint(cut(told['name'], 24))}"
    if told["calls"] is None:
        yield f"{line}: nothing was heard of it yet"
        return
    calls = paint(f"{told['calls']:,}", bold=True)
    line += f", last {paint(told['minutes'])} min: {calls} calls"
    if told["calls"]:
        line += f", {_share(told['failed'] / told['calls'])} failed"
    yield line + (f", {told['refused']:,} refused" if told["refused"] else "")
    spent = f"{paint(told['spent'])} USD"
    if told["p50"] is not None:
        spent = f"p50 {latency(told['p50'])}, p99 {latency(told['p99'])}, {spent}"
    as_of = paint(f"as of {told['at']}", "red")
    yield f"  {spent}" if is_now else f"  {spent}  ·  {as_of}"


def _kills(told: dict[str, Any]) -> Iterator[str]:
    """What is killed comes first: nobody who looks must miss it."""
    for item in told["items"]:
        until = f" until {item['until']}" if item["until"] else ""
        where = f" on {item['pod']}" if item.get("pod") else ""
        since = f"since {item['since']}{until} by {item['by']}{where}"
        text = f"KILLED {item['scope']} {since}: {item['reason']}"
        yield from (paint(line, "red", bold=True) for line in folded(text, 4, width()))
    more = told["count"] - len(told["items"])
    if more > 0:
        yield paint(f"and {more:,} more: GET /v1/kills has them all", "red")


def _journal(told: dict[str, Any]) -> Iterator[str]:
    well = told["ok"]
    line = f"journal {paint(told['state'], 'green' if well else 'red')}"
    line += f", {paint(told['seq'])} records, {paint(told['checkpointed'])} of them signed"
    if not well:
        line += f"  ·  {paint(told['held'])} wait: {paint(told['why'], 'red')}"
    if told["dropped"]:
        line += f"  ·  {paint(told['dropped'], 'red')} lost"
    yield line
    if told["tampered"]:
        yield paint("Something in the journal does not hold:", "red")
        yield from folded(f"  {told['tampered']}", 4, width())


def _money(told: dict[str, Any]) -> Iterator[str]:
    line = f"spent today {paint(told['spent'], bold=True)} USD"
    by = (f"{paint(cut(one['agent'] or '–', 24))} {paint(one['spent'])}" for one in told["agents"])
    yield f"{line}: {', '.join(by)}" if told["agents"] else line
    if told["fullest"]:
        from proxy.cli.budget import accounts

        yield from accounts(told["fullest"])


def _upstreams(items: list[dict[str, Any]]) -> Iterator[str]:
    rows = [
        [
            paint(cut(item["name"], 24), bold=True),
            _state(item["circuit"]) + (paint(" unwell", "red") if item["well"] is False else ""),
            paint(_now(item)),
            paint(per_second(item["per_second"])),
            _share(item["errors"]),
            paint(sum(item["refused"].values()) or "–"),
            paint(cut(item["address"], 28), dim=True),
        ]
        for item in items
    ]
    head = ("UPSTREAM", "CIRCUIT", "NOW", "CALLS/S", "FAILED", "REFUSED", "AT")
    yield from table(head, rows, "llrrrrl")


def _tools(items: list[dict[str, Any]]) -> Iterator[str]:
    if not items:
        yield "  no tool was called yet"
        return
    busiest = sorted(items, key=_interest)
    rows = [
        [
            paint(cut(f"{item['upstream']}/{item['tool']}", 38)),
            _state(item["circuit"]),
            paint(_now(item)),
            paint(per_second(item["per_second"])),
            _share(item["errors"]),
            paint(sum(item["refused"].values()) or "–"),
            paint("–" if item["p95"] is None else latency(item["p95"])),
        ]
        for item in busiest[:_MOST]
    ]
    head = ("TOOL", "CIRCUIT", "NOW", "CALLS/S", "FAILED", "REFUSED", "P95")
    yield from table(head, rows, "llrrrrr")
    if len(items) > _MOST:
        yield paint(f"  and {len(items) - _MOST} more: --json has them all", dim=True)


def _now(item: dict[str, Any]) -> str:
    """Calls under way, and how many of them only wait for their turn."""
    return (
        f"{item['in_flight']} ({item['queued']} wait)" if item["queued"] else f"{item['in_flight']}"
    )


def _interest(item: dict[str, Any]) -> tuple[bool, float, str, str]:
    """What is broken comes first, then what is called most."""
    broken = item["circuit"] in {"open", "half_open"}
    return not broken, -item["per_second"], item["upstream"], item["tool"]


def _refusals(refused: dict[str, int]) -> Iterator[str]:
    rows = [
        [paint(code, "yellow"), paint(number)]
        for code, number in sorted(refused.items(), key=lambda row: -row[1])
    ]
    yield from table(("REFUSED", "CALLS"), rows, "lr")


def _circuits(items: list[dict[str, Any]]) -> Iterator[str]:
    if not items:
        yield "no circuit: no policy with a breaker was asked for yet, or none is in that state"
        return
    rows = [
        [
            paint(cut(_key(item), 36)),
            _state(item["state"]),
            paint("–" if item["for"] is None else f"{span(item['for'])} ago"),
            paint(CIRCUIT_WHY.get(item["why"] or "", item["why"] or "–")),
            paint("–" if item["next_probe_in"] is None else _probe(item)),
            paint(f"{item['window']['failures']}/{item['window']['calls']}"),
        ]
        for item in items
    ]
    head = ("CIRCUIT", "STATE", "SINCE", "WHY", "NEXT PROBE", "FAILED")
    yield from table(head, rows, "lllllr")


def _key(item: dict[str, Any]) -> str:
    bulkhead = f"{item['bulkhead']}:" if item["bulkhead"] else ""
    shadow = " (shadow)" if item["shadow"] else ""
    return f"{bulkhead}{item['key']}{shadow}"


def _probe(item: dict[str, Any]) -> str:
    if item["probes"]["under_way"]:
        return "under way"
    left = item["next_probe_in"]
    return "the next call" if not left else f"in {span(left)}"


def _state(state: str | None) -> str:
    return paint("–", dim=True) if state is None else paint(state, COLOURS[state])


def _share(share: float | None) -> str:
    if share is None:
        return paint("–", dim=True)
    return paint(f"{share:.1%}", "red" if share >= 0.05 else "")


def per_second(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.2f}"


def latency(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def span(seconds: float) -> str:
    """A duration in its two largest units."""
    days, rest = divmod(int(seconds), 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (left, "s"))
    told = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(told[:2]) or f"{seconds:.1f} s"
