"""How `holdfast top` looks: as wide and as high as the terminal is at that moment.

All text comes from somewhere else, much of it from agents. It becomes a `Text` with a style, in
`said` and nowhere else: rich would read markup in a string, and a terminal obeys what it is sent.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from proxy.cli.status import COLOURS, latency, per_second, span
from proxy.cli.top_figures import Agent, Figures, Purse, Tool
from proxy.cli.top_view import View, ordered
from proxy.config.places import visible
from proxy.news import CIRCUIT_WHY

WIDEST = 120
"""Columns that are filled: lines that are longer are hard to follow."""
_BAD, _BUSY = 0.05, 0.75
_FEW = 3
"""Kills, and open circuits, on a screen; all tools where there is room."""
_ROWS = 5
"""Budgets and agents on a screen."""
_UNBOUND = 20
"""Rows of each table where there is no screen to fill."""
_KEYS = "q quits  p pauses  s sorts  j/k scroll"


def said(text: object, style: str = "") -> Text:
    """One line of whatever text, made harmless; cut where there is no room for it."""
    return Text(visible(str(text)), style, no_wrap=True, overflow="ellipsis", end="")


def line(*parts: Text) -> Text:
    """Several beside each other."""
    whole = Text(no_wrap=True, overflow="ellipsis")
    for number, part in enumerate(parts):
        whole.append("  " if number else "").append_text(part)
    return whole


class Frame:
    """What is on the screen."""

    def __init__(self, figures: Figures, view: View, trouble: str = "", keys: bool = False) -> None:
        """`trouble`: why there is nothing newer."""
        self._figures = figures
        self._view = view
        self._trouble = trouble
        self._keys = keys

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text | Table]:
        width, height = min(options.max_width, WIDEST), options.height
        head = [*self._head()]
        foot = [line(said(_KEYS, "dim"))] if self._keys else []
        rows = _shares(self._figures, None if height is None else height - len(head) - len(foot))
        yield from head
        yield from _tools(self._figures, self._view, width, rows.tools)
        if rows.purses:
            yield _purses(self._figures.purses[: rows.purses], width, options.ascii_only)
        if rows.agents:
            yield _agents(self._figures.agents[: rows.agents], width)
        yield from foot

    def _head(self) -> Iterator[Text]:
        """What must not be missed, then all together."""
        if self._trouble:
            yield line(said(f"NO ANSWER, the figures are old: {self._trouble}", "bold red"))
        yield from _kills(self._figures)
        yield from _alerts(self._figures)
        yield _first(self._figures, self._view)
        yield _total(self._figures)
        yield from _refused(self._figures)
        yield from _circuits(self._figures)
        yield from _state(self._figures)


class _Rows(msgspec.Struct, frozen=True):
    """So many of each."""

    tools: int
    purses: int
    agents: int


def _shares(figures: Figures, room: int | None) -> _Rows:
    """Budgets and agents get a few lines, tools the rest. Each table has a head."""
    purses, agents = len(figures.purses), len(figures.agents)
    if room is None:
        return _Rows(_UNBOUND, min(purses, _UNBOUND), min(agents, _UNBOUND))
    wanted = max(_FEW, min(len(figures.tools), room // 2)) + 2  # the head; that there are more
    left = max(0, room - wanted)
    few = min(purses, _ROWS, max(0, left // 2 - 1))
    left -= few + 1 if few else 0
    some = min(agents, _ROWS, max(0, left - 1))
    left -= some + 1 if some else 0
    return _Rows(max(1, wanted + left - 2), few, some)


def _kills(figures: Figures) -> Iterator[Text]:
    for kill in figures.kills[:_FEW]:
        until = "" if kill.left is None else f", {span(kill.left)} left"
        text = f"KILLED {kill.scope} {span(kill.ago)} ago{until} by {kill.by}: {kill.reason}"
        yield line(said(text, "bold red"))
    if figures.killed > _FEW:
        more = f"and {figures.killed - min(_FEW, len(figures.kills)):,} more are killed"
        yield line(said(more, "bold red"))


def _alerts(figures: Figures) -> Iterator[Text]:
    for one in figures.alerts[:_FEW]:
        since = "" if one.ago is None else f" {span(one.ago)} ago"
        seen_to = "" if one.seen_to is None else f", seen to by {one.seen_to}"
        word, style = ("PAGE", "bold red") if one.severity == "page" else ("ALERT", "yellow")
        yield line(said(f"{word} {one.name}{since}{seen_to}: {one.summary}", style))
    if figures.firing > _FEW:
        more = f"and {figures.firing - min(_FEW, len(figures.alerts)):,} more alerts fire"
        yield line(said(more, "yellow"))


def _first(figures: Figures, view: View) -> Text:
    parts = [
        said("holdfast", "bold"),
        said(figures.version),
        said(figures.word, "green" if figures.word == "ready" else "bold red"),
        said(f"up {span(figures.uptime)}"),
        *([said("journal ok")] if figures.journal is not None and figures.journal.ok else []),
        said(f"policies {figures.policies or '–'}", "dim"),
    ]
    if view.paused:
        parts.insert(0, said("PAUSED", "bold yellow"))
    return line(*parts)


def _total(figures: Figures) -> Text:
    total = figures.total
    money = "" if figures.spent is None else f"{_hourly(total)} USD/h  {figures.spent} today"
    return line(
        said(f"{per_second(total.per_second)} calls/s", "bold"),
        _share(total.errors).append(" failed"),
        said(f"p99 {_time(total.p99)}"),
        said(f"{_now(total)} in flight"),
        said(money),
    )


def _refused(figures: Figures) -> Iterator[Text]:
    if figures.refused:
        codes = ", ".join(f"{code} {number:,}" for code, number in figures.refused.items())
        yield line(said("refused", "yellow"), said(codes))


def _state(figures: Figures) -> Iterator[Text]:
    """People who are waited for, the journal, the store, the policies."""
    waiting, journal = figures.waiting, figures.journal
    if waiting.count:
        oldest = "" if waiting.oldest is None else f", the oldest for {span(waiting.oldest)}"
        what = f"{waiting.tool or '–'} by {waiting.agent or '–'}"
        yield line(said(f"approvals: {waiting.count} wait{oldest}: {what}", "bold yellow"))
    if journal is not None and not journal.ok:
        text = f"journal {journal.state}, {journal.held:,} wait: {journal.why or '–'}"
        yield line(said(text, "bold red"))
    if journal is not None and journal.dropped:
        yield line(said(f"journal: {journal.dropped:,} records are lost", "bold red"))
    if journal is not None and journal.tampered:
        yield line(said(f"journal does not hold: {journal.tampered}", "bold red"))
    if figures.store_lacks:
        yield line(said(f"store: {figures.store_lacks}", "bold red"))
    if figures.rejected:
        yield line(said(f"the last reload failed: {figures.rejected}", "bold red"))


def _circuits(figures: Figures) -> Iterator[Text]:
    for one in figures.circuits[:_FEW]:
        since = "" if one.ago is None else f" for {span(one.ago)}"
        why = "" if not one.why else f": {CIRCUIT_WHY.get(one.why, one.why)}"
        probe = "" if one.next_probe_in is None else f", a probe in {span(one.next_probe_in)}"
        yield line(said(f"OPEN {one.key}{since}{why}{probe}", "red"))
    if figures.opened > _FEW:
        yield line(said(f"and {figures.opened - _FEW} more circuits are open", "red"))


_TOOLS = (  # title, columns of the screen that it takes to be shown
    ("CIRCUIT", 0), ("NOW", 0), ("CALLS/S", 0), ("FAILED", 0), ("P95", 84), ("P99", 0),
    ("REFUSED", 96), ("USD/H", 68),
)  # fmt: skip
_PURSES = (("WINDOW", 72), ("USED", 0), ("", 0), ("LEFT", 0), ("OF", 84), ("RESETS IN", 0))
_AGENTS = (("NOW", 0), ("CALLS/S", 0), ("REFUSED", 0), ("LAST", 68), ("USD TODAY", 0))


def _tools(figures: Figures, view: View, width: int, rows: int) -> Iterator[Text | Table]:
    tools = ordered(figures.tools, view.order)
    first = max(0, min(view.first, len(tools) - rows))
    shown = tools[first : first + rows]
    cells = [[_name(tool, width), *_cells(tool)] for tool in shown]
    title = "TOOL" if view.order == "trouble" else f"TOOL by {view.order}"
    yield _table(title, _TOOLS, cells, width)
    if not tools:
        yield line(said("no tool was called yet", "dim"))
    elif len(shown) < len(tools):
        yield line(said(f"{first + 1} to {first + len(shown)} of {len(tools)} tools", "dim"))


def _name(tool: Tool, width: int) -> Text:
    return said(tool.tool if width < 80 else f"{tool.upstream}/{tool.tool}")


def _cells(tool: Tool) -> list[Text]:
    return [
        said(tool.circuit or "–", COLOURS.get(tool.circuit or "", "dim")),
        said(_now(tool)),
        said(per_second(tool.per_second)),
        _share(tool.errors),
        said(_time(tool.p95)),
        said(_time(tool.p99)),
        said(f"{tool.refused:,}" if tool.refused else "–"),
        said(_hourly(tool)),
    ]


def _purses(purses: list[Purse], width: int, ascii_only: bool) -> Table:
    cells = [
        [
            said(f"{one.budget}: {one.whose}"),
            said(one.window),
            said(f"{one.share:.0%}", _fullness(one.share)),
            said(bar(one.share, 10, ascii_only), _fullness(one.share)),
            said(one.left),
            said(one.limit),
            said("–" if one.resets_in is None else span(one.resets_in)),
        ]
        for one in purses
    ]
    return _table("BUDGET (USD)", _PURSES, cells, width)


def _agents(agents: list[Agent], width: int) -> Table:
    cells = [
        [
            said("others" if one.others else "nobody knew" if one.name is None else one.name),
            said(one.in_flight or "–"),
            said(per_second(one.per_second)),
            said(f"{one.refused:,}" if one.refused else "–"),
            said("–" if one.ago is None else f"{span(one.ago)} ago"),
            said(one.spent or "–"),
        ]
        for one in agents
    ]
    return _table("AGENT", _AGENTS, cells, width)


def _table(
    title: str, columns: tuple[tuple[str, int], ...], rows: list[list[Text]], width: int
) -> Table:
    """The first column has what the others leave; those for which there is no room are left out."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, width=width, header_style="dim")
    table.add_column(said(title), ratio=1, no_wrap=True, overflow="ellipsis")
    shown = [at for at, (_, least) in enumerate(columns) if width >= least]
    for at in shown:
        table.add_column(said(columns[at][0]), justify="right", no_wrap=True)
    for first, *rest in rows:
        cells: list[RenderableType] = [first, *(rest[at] for at in shown)]
        table.add_row(*cells)
    return table


def bar(share: float, columns: int, ascii_only: bool) -> str:
    """So much of it is full."""
    full = max(0, min(columns, round(share * columns)))
    done, rest = ("#", ".") if ascii_only else ("█", "░")
    return done * full + rest * (columns - full)


def _fullness(share: float) -> str:
    return "red" if share >= 1 else "yellow" if share >= _BUSY else ""


def _share(errors: float | None) -> Text:
    if errors is None:
        return said("–", "dim")
    return said(f"{errors:.1%}", "red" if errors >= _BAD else "")


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else latency(seconds)


def _hourly(tool: Tool) -> str:
    """To the cent: it changes from look to look."""
    much = Decimal(tool.per_hour)
    return "<0.01" if 0 < much < Decimal("0.01") else f"{much:,.2f}"


def _now(tool: Tool) -> str:
    return f"{tool.in_flight} ({tool.queued} wait)" if tool.queued else f"{tool.in_flight}"
