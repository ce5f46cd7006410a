"""`holdfast audit show`, `tail`, `query` and `export`: the records themselves."""

import contextlib
import csv
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.audit_payload import show_payload
from proxy.cli.journals import Failed, data_dir_of, harmless, records_of
from proxy.cli.page import cut, paint, say
from proxy.config.places import visible

if TYPE_CHECKING:
    from proxy.journal.query import Facts, Query
    from proxy.journal.records import Lines

_DATA_DIR = click.option("--data-dir", metavar="DIR", help="Of the journal; else the settings'.")
_EVERY = 0.5
"""Seconds from look to look of --follow."""
_COLOURS = {"ok": "green", "failed": "red", "truncated": "red", "refused": "yellow"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would calculate
_CSV = (
    "seq", "ts", "type", "id", "agent", "workflow", "task", "upstream", "tool", "model", "decision",
    "code", "outcome", "executed", "status", "duration_us", "cost_micros",
)  # fmt: skip
_NO_RECORD = "what is there is no record; see holdfast audit verify"
_HEAD = (
    f"{'SEQ':>8}  {'TIME (UTC)':<19}  {'AGENT':<14}  {'WHAT':<22}  {'OUTCOME':<9}  {'HTTP':>4}"
    f"  {'MS':>7}  CODE"
)


@click.command()
@click.argument("record", metavar="ID|SEQ")
@_DATA_DIR
@click.option(
    "--payload",
    is_flag=True,
    help="And what is kept of its request and answer: is it what the journal committed to?",
)
@click.option("--json", "as_json", is_flag=True, help="One line for each record.")
def show(record: str, data_dir: str | None, payload: bool, as_json: bool) -> int:
    """Show the records with an id (of a call: its intent and its end), or the one with a seq.

    \b
    Examples:
      holdfast audit show 3f1c2d4e-9b7a-4a5b-8c6d-0123456789ab
      holdfast audit show 1204 --json | jq .attempts
      holdfast audit show 3f1c2d4e-9b7a-4a5b-8c6d-0123456789ab --payload
    Exit codes: 0 shown, 1 there is none or not what the journal committed to, 2 cannot read,
    64 wrong usage.
    """
    from proxy.journal.query import facts

    shown: list[bytes] = []
    named = ""
    with records_of(data_dir) as records:
        by_seq = record.isascii() and record.isdigit() and len(record) < 20
        line = records.at(int(record)) if by_seq else None
        for each in records.named(record) if line is None else [line]:
            told = facts(each)
            if told is None:
                raise Failed(_NO_RECORD)
            named = told.id
            if as_json:
                print(_json(each))
            else:
                say([*([""] if shown else []), *_members(each)])
            shown.append(each)
        if payload and line is not None:
            shown = [line, *records.named(named)]  # of an intent, the end commits to the payload
    if not shown:
        raise Failed(f"there is no record {record}; holdfast audit query lists what there is")
    if payload:
        show_payload(data_dir_of(data_dir), named, shown, as_json)
    return 0


@click.command()
@click.option("-n", "--lines", type=click.IntRange(0), default=20, show_default=True)
@click.option("-f", "--follow", is_flag=True, help="And what is written from now, until Ctrl-C.")
@_DATA_DIR
@click.option("--json", "as_json", is_flag=True, help="One line for each record.")
def tail(lines: int, follow: bool, data_dir: str | None, as_json: bool) -> int:
    """Show the last records, the newest one last.

    \b
    Examples:
      holdfast audit tail
      holdfast audit tail -n 0 --follow --json | jq -c '{seq, tool, outcome}'
    Exit codes: 0 shown, 1 not all could be read, 2 cannot read, 64 wrong usage.
    """
    from proxy.journal.query import Query, facts
    from proxy.journal.records import Follower

    written = _write_json if as_json else _write_table
    where = data_dir_of(data_dir)
    with records_of(str(where)) as records, contextlib.ExitStack() as stack:
        new = stack.enter_context(contextlib.closing(Follower(where))) if follow else None
        last = list(islice(_all(records.newest_first()), lines))[::-1]
        written(_wanted([last], Query()), True)
        after = found.seq if last and (found := facts(last[-1])) else 0
        return 0 if new is None else following(new.more, written, _pause, after)


@click.command()
@click.option(
    "--agent", multiple=True, metavar="ID", help="* stands for anything; may be repeated."
)
@click.option("--tool", multiple=True, metavar="NAME", help="Likewise, as all that are names.")
@click.option("--outcome", multiple=True, help="ok, failed, refused, truncated, cancelled …")
@click.option("--workflow", multiple=True, metavar="ID")
@click.option("--task", multiple=True, metavar="ID")
@click.option("--upstream", multiple=True, metavar="NAME")
@click.option("--type", multiple=True, metavar="TYPE", help="call.finished, recovery, 'kill.*' …")
@click.option("--since", metavar="TIME", help="From then on: 2026-11-28T06:00 (UTC), or 15m ago.")
@click.option("--until", metavar="TIME", help="Before then.")
@click.option("--min-cost", metavar="MONEY", help="At least so much, such as 0.05.")
@click.option("--max-cost", metavar="MONEY", help="At most so much.")
@click.option("--newest", is_flag=True, help="The newest first; else the oldest.")
@click.option("-n", "--limit", type=click.IntRange(1), metavar="N", help="No more than so many.")
@_DATA_DIR
@click.option("--json", "as_json", is_flag=True, help="Whole records, one a line.")
@click.option("--csv", "as_csv", is_flag=True, help="What matters of them, for a spreadsheet.")
def query(
    since: str | None,
    until: str | None,
    min_cost: str | None,
    max_cost: str | None,
    newest: bool,
    limit: int | None,
    data_dir: str | None,
    as_json: bool,
    as_csv: bool,
    **names: Sequence[str],
) -> int:
    """Search the records: all that is asked for must fit.

    \b
    Examples:
      holdfast audit query --agent pricing-01 --outcome failed --since 1h
      holdfast audit query --tool 'create_*' --min-cost 0.05 --newest -n 10
      holdfast audit query --since 2026-11-01 --until 2026-12-01 --csv > november.csv
    Exit codes: 0 shown (or none fits), 1 not all could be read, 2 cannot read, 64 wrong usage.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    asked = _query(names, since, until, min_cost, max_cost)
    write = _write_json if as_json else _write_csv if as_csv else _write_table
    with records_of(data_dir) as records:
        lines = records.newest_first() if newest else records.oldest_first()
        write(islice(_wanted(lines, asked), limit), True)
    return 0


@click.command()
@click.option("--cloudevents", is_flag=True, help="CloudEvents 1.0, one JSON object a line.")
@click.option("--focus", is_flag=True, help="Rows of costs (FOCUS); not in this version.")
@click.option("--since", metavar="TIME", help="From then on, as of query.")
@click.option("--until", metavar="TIME", help="Before then.")
@_DATA_DIR
@click.option("--json", "as_json", is_flag=True, help="It is JSON anyway.")
def export(
    cloudevents: bool,
    focus: bool,
    since: str | None,
    until: str | None,
    data_dir: str | None,
    as_json: bool,
) -> int:
    """Write the records to standard output in a form that others read.

    An event's source is the journal's origin, its id the hash of its record, its data the record.

    \b
    Example:
      holdfast audit export --cloudevents --since 1d > events.jsonl
    Exit codes: 0 written, 1 not all, or this version has it not, 2 cannot read, 64 wrong usage.
    """
    import msgspec

    if cloudevents == focus:
        raise click.UsageError("choose a form: --cloudevents or --focus")
    if focus:
        raise Failed("no FOCUS rows: this version keeps no costs; use --cloudevents")
    asked = _query({}, since, until, None, None)
    with records_of(data_dir) as records:
        source = records.origin()
        for line, facts in _wanted(records.oldest_first(), asked):
            print(_event(line, facts, source, msgspec.json.encode))
    return 0


def following(
    more: Callable[[], "Lines"],
    write: Callable[[Iterator[tuple[bytes, "Facts"]], bool], None],
    pause: Callable[[], None],
    after: int = 0,
) -> int:
    """Write what is new, behind a seq, again and again, until interrupted."""
    from proxy.journal.query import Query

    try:
        while True:
            write((each for each in _wanted(more(), Query()) if each[1].seq > after), False)
            sys.stdout.flush()
            pause()
    except KeyboardInterrupt:
        return 0


def _pause() -> None:
    threading.Event().wait(_EVERY)


def _all(blocks: "Lines") -> Iterator[bytes]:
    return (line for lines in blocks for line in lines)


def _wanted(
    blocks: "Iterator[list[bytes]] | Sequence[list[bytes]]", asked: "Query"
) -> Iterator[tuple[bytes, "Facts"]]:
    """The lines that fit. What is no record is left to `verify`, but told."""
    from proxy.journal.query import facts

    strange = 0
    for lines in blocks:
        for line in lines:
            found = facts(line)
            if found is None:
                strange += 1
            elif asked.wants(found):
                yield line, found
    if strange:
        raise Failed(
            f"{strange} lines are no records, and were left out; see holdfast audit verify"
        )


def _query(
    names: dict[str, Sequence[str]],
    since: str | None,
    until: str | None,
    min_cost: str | None,
    max_cost: str | None,
) -> "Query":
    from proxy.journal.query import Query, pattern

    return Query(
        {name: pattern(texts) for name, texts in names.items() if texts},
        _moment("--since", since),
        _moment("--until", until),
        _micros("--min-cost", min_cost) or 0,
        _micros("--max-cost", max_cost),
    )


def _moment(flag: str, text: str | None) -> str:
    from proxy.clock import Clock
    from proxy.journal.query import moment

    try:
        return moment(text, Clock.wall()) if text else ""
    except ValueError as error:
        raise click.UsageError(f"{flag} {error}") from error


def _micros(flag: str, text: str | None) -> int | None:
    from proxy.journal.query import micros

    try:
        return None if text is None else micros(text)
    except ValueError as error:
        raise click.UsageError(f"{flag} {error}") from error


def _json(line: bytes) -> str:
    try:
        return harmless(line.decode())
    except (ValueError, RecursionError) as error:
        raise Failed(_NO_RECORD) from error


def _members(line: bytes) -> Iterator[str]:
    """Of a record, one in a line, in their order."""
    try:
        told: dict[str, Any] = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Failed(_NO_RECORD) from error
    wide = max(map(len, told))
    for name, value in told.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"{paint(f'{name:<{wide}}', dim=True)}  {paint(text)}"


def _write_json(found: Iterator[tuple[bytes, "Facts"]], first: bool) -> None:
    for line, _ in found:
        print(_json(line))


def _write_csv(found: Iterator[tuple[bytes, "Facts"]], first: bool) -> None:
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(_CSV)
    rows.writerows([_cell(getattr(facts, name)) for name in _CSV] for _, facts in found)


def _cell(value: str | int) -> str | int:
    """Text is text in a spreadsheet as well, whatever an agent wrote."""
    if isinstance(value, int):
        return value
    return "'" + visible(value) if value.startswith(_FORMULA) else visible(value)


def _write_table(found: Iterator[tuple[bytes, "Facts"]], first: bool) -> None:
    if first:
        say([paint(_HEAD, dim=True)])
    say(_row(facts) for _, facts in found)


def _row(facts: "Facts") -> str:
    what = facts.tool if facts.type == "call.finished" else f"{facts.type} {facts.tool}".strip()
    time = cut(facts.ts[:19].replace("T", " "), 19)
    outcome = paint(f"{cut(facts.outcome, 9):<9}", _COLOURS.get(facts.outcome, ""))
    return (
        f"{facts.seq:>8}  {time:<19}  {cut(facts.agent, 14):<14}  {cut(what, 22):<22}  {outcome}"
        f"  {facts.status or '':>4}  {_ms(facts.duration_us):>7}  {cut(facts.code, 20)}"
    ).rstrip()


def _ms(micros: int) -> str:
    return f"{micros / 1000:.1f}" if micros else ""


def _event(line: bytes, facts: "Facts", source: str, encode: Callable[[object], bytes]) -> str:
    head = {
        "specversion": "1.0",
        "id": facts.hash,
        "source": source,
        "type": f"dev.holdfast.{facts.type}",
        "subject": facts.id,
        "time": facts.ts,
        "sequence": f"{facts.seq:020}",
        "datacontenttype": "application/json",
    }
    return _json(b'%b,"data":%b}' % (encode(head)[:-1], line))
