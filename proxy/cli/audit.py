"""`holdfast audit`: what the journal says, and whether it can be believed.

Reads the files alone (docs/journal.md), beside a running proxy or without one. `erase` is the one
that changes something.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.audit_erase import erase
from proxy.cli.audit_proofs import check_proof, prove
from proxy.cli.audit_records import export, query, show, tail
from proxy.cli.journals import Failed, data_dir_of, harmless, keys_of_text
from proxy.cli.page import folded, paint, say, width
from proxy.cli.problems import Broken

if TYPE_CHECKING:
    from proxy.journal.verify import Verdict

_WORDS = ("ok", "tampered", "incomplete", "unreadable")
_CANNOT_READ = 3
_JOBS = 4
_MOST = 20
"""Bad records on the screen; --json has all."""
_NEXT = {
    1: "keep the data dir as it is, and compare it with a copy and with checkpoints kept elsewhere",
    2: "look for what is missing in a copy, and for who could delete it",
    3: "name a data dir of Holdfast, and a key and checkpoints that belong to it",
}


@click.group()
def audit() -> None:
    """Show, search, verify, prove and export the journal, erase payloads. Needs no running proxy.

    \b
    Examples:
      holdfast audit verify
      holdfast audit tail --follow
      holdfast audit query --agent pricing-01 --outcome failed --since 1h
    """


@audit.command()
@click.argument("folder", metavar="[DIR]", required=False)
@click.option("--checkpoint", metavar="FILE", help="Checkpoints that were kept elsewhere.")
@click.option("--key", metavar="PUB", help="The verifier key, or a file of it; else DIR's own.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    help="Processes that read a large journal; else one for each core, at most 4.",
)
@click.option("--json", "as_json", is_flag=True)
def verify(
    folder: str | None, checkpoint: str | None, key: str | None, jobs: int | None, as_json: bool
) -> int:
    """Verify the journal in the data dir DIR (else the settings'), with the public key only.

    The key in DIR proves nothing against who may write there: give one kept elsewhere.

    \b
    Examples:
      holdfast audit verify
      holdfast audit verify /var/lib/holdfast --key pod-1.vkey --checkpoint /mnt/anchors/pod-1
      holdfast audit verify --json | jq .integrity.bad[0]
    Exit codes: 0 ok, 1 tampered (beats 2), 2 incomplete, 3 cannot read, 64 wrong usage.
    """
    try:
        data_dir = data_dir_of(folder)
    except Broken as error:
        raise Failed(error.message, _CANNOT_READ) from error
    verdict = _verdict(data_dir, checkpoint, key, jobs or min(_cores(), _JOBS))
    _write(verdict, data_dir, key, as_json)
    if verdict.exit:
        raise Failed(f"{verdict.why}; {_NEXT[verdict.exit]}", verdict.exit)
    return 0


for _command in (show, tail, query, prove, check_proof, export, erase):
    audit.add_command(_command)


def _verdict(data_dir: Path, checkpoint: str | None, key: str | None, jobs: int) -> "Verdict":
    from proxy.cli.progress import Bar
    from proxy.journal.verify import notes_of
    from proxy.journal.verify import verify as verified
    from proxy.journal.whole import processes

    keys = None if key is None else keys_of_text(key, _CANNOT_READ)
    notes: list[str] = []
    if checkpoint is not None:
        try:
            notes = notes_of(Path(checkpoint).read_bytes())
        except OSError as error:
            why = f"--checkpoint {checkpoint} cannot be read: {error.strerror}; name another file"
            raise Failed(why, _CANNOT_READ) from error
        if not notes:
            why = f"--checkpoint {checkpoint} holds no checkpoint; name another file"
            raise Failed(why, _CANNOT_READ)
    with Bar("verifying", sys.stderr) as bar:
        return verified(data_dir, keys, notes, bar, processes(jobs))


def _cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _write(verdict: "Verdict", data_dir: Path, key: str | None, as_json: bool) -> None:
    """What cannot be written must not look like tampering."""
    try:
        if as_json:
            print(harmless(json.dumps(_report(verdict, data_dir, key), indent=2)))
        else:
            say(_page(verdict, data_dir, key))
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        why = f"the verdict ({_WORDS[verdict.exit]}) cannot be written: {error.strerror}"
        raise Failed(why, verdict.exit or _CANNOT_READ) from error


def _report(verdict: "Verdict", data_dir: Path, key: str | None) -> dict[str, Any]:
    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(verdict)
    whose = "the folder's" if key is None else "given"
    return {"verdict": _WORDS[verdict.exit], "data_dir": str(data_dir), "key": whose, **told}


def _page(verdict: "Verdict", data_dir: Path, key: str | None) -> Iterator[str]:
    word = _WORDS[verdict.exit]
    told = paint(word, "red" if verdict.exit else "green", bold=True)
    yield f"{paint('journal', bold=True)} {paint(data_dir)}  {told}"
    if verdict.exit == _CANNOT_READ:
        return
    whole, all_there, anchored = verdict.integrity, verdict.completeness, verdict.anchoring
    yield from _row("integrity", whole.ok, f"{whole.records:,} records hold")
    for bad in whole.bad[:_MOST]:
        places = (bad.file, bad.line and f"line {bad.line}", bad.seq and f"seq {bad.seq}")
        place = ", ".join(each for each in (*places, bad.id and f"id {bad.id}") if each)
        yield from _more(f"{place}: {bad.why}")
    if len(whole.bad) > _MOST:
        yield from _more(f"and {len(whole.bad) - _MOST} more: --json has them all")
    yield from _row("completeness", all_there.ok, f"seq {all_there.first:,} to {all_there.last:,}")
    for missing in all_there.missing[:_MOST]:
        yield from _more(missing)
    reach = f"{_counted(anchored.checkpoints, 'checkpoint')}, up to seq {anchored.anchored:,}"
    yield from _row(
        "anchoring", anchored.ok, f"{reach}; {_counted(anchored.unanchored, 'record')} behind it"
    )
    if key is None:
        yield from _more("by the key in the folder itself; --key takes one kept elsewhere")
    yield from _recoveries(verdict)


def _recoveries(verdict: "Verdict") -> Iterator[str]:
    told = verdict.recoveries
    parts = [_counted(len(told.records), "recovery", "recoveries")]
    if told.pruned:
        parts.append(f"{_counted(told.pruned, 'record')} deleted by age, as signed")
    if told.torn:
        parts.append(f"{told.torn:,} bytes of a last line that is not whole")
    yield from _row("recoveries", True, "; ".join(parts))
    for each in told.records[-_MOST:]:
        yield from _more(each)


def _row(name: str, well: bool, text: str) -> Iterator[str]:
    word = paint("ok ", "green") if well else paint("NO ", "red", bold=True)
    first, *others = folded(text, 20, width())
    yield f"  {name:<13} {word} {first}"
    yield from others


def _more(text: str) -> Iterator[str]:
    first, *others = folded(text, 20, width())
    yield f"{'':20}{first}"
    yield from others


def _counted(number: int, one: str, more: str = "") -> str:
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"
