"""`holdfast audit prove` and `check-proof`: that one record is in the journal, shown to others."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.cli.journals import Failed, data_dir_of, harmless, keys_in, reading
from proxy.cli.page import paint, say
from proxy.cli.problems import UNREADABLE

if TYPE_CHECKING:
    from proxy.journal.proofs import Proof

_KEY = "The verifier key, or a file of it; else the data dir's own."


@click.command()
@click.argument("record", metavar="ID")
@click.option("--key", metavar="PUB", help=_KEY)
@click.option("--data-dir", metavar="DIR", help="Of the journal; else the settings'.")
@click.option("--json", "as_json", is_flag=True, help="It is JSON anyway.")
def prove(record: str, key: str | None, data_dir: str | None, as_json: bool) -> int:
    """Write a proof that the record ID is in the journal; who checks it needs only the key.

    Of a call it is the record of its end. Its members: `record` (the exact line), `index`, `size`,
    `path` (hex), `checkpoint` (the signed note).

    \b
    Examples:
      holdfast audit prove 3f1c2d4e-9b7a-4a5b-8c6d-0123456789ab > proof.json
      holdfast audit check-proof proof.json --key pod-1.vkey
    Exit codes: 0 proven, 1 it cannot be, 2 cannot read, 64 wrong usage.
    """
    import msgspec

    from proxy.cli.progress import Bar
    from proxy.journal.proofs import NoProof
    from proxy.journal.proofs import prove as proven

    where = data_dir_of(data_dir)
    keys = keys_in(key, where)
    with reading(where), Bar("reading", sys.stderr) as bar:
        try:
            proof = proven(where, record, keys, bar)
        except NoProof as error:
            raise Failed(str(error)) from error
    print(harmless(json.dumps(msgspec.to_builtins(proof), indent=2)))
    return 0


@click.command("check-proof")
@click.argument("file", metavar="FILE")
@click.option("--key", metavar="PUB", help=_KEY)
@click.option("--data-dir", metavar="DIR", help="Whose key it is; else the settings'.")
@click.option("--json", "as_json", is_flag=True)
def check_proof(file: str, key: str | None, data_dir: str | None, as_json: bool) -> int:
    """Check the proof in FILE (-: standard input): was that record in the journal?

    \b
    Examples:
      holdfast audit check-proof proof.json --key pod-1.vkey
      holdfast audit prove ID | holdfast audit check-proof - --json
    Exit codes: 0 it holds, 1 it does not, 2 cannot read, 64 wrong usage.
    """
    from proxy.journal.proofs import check
    from proxy.journal.query import facts

    proof = _read(file)
    keys = keys_in(key, data_dir_of(data_dir) if key is None else Path())
    wrong = check(proof, keys)
    found = facts(proof.record.encode())
    seq, name = (found.seq, found.id) if found is not None else (0, "")
    origin = proof.checkpoint.partition("\n")[0]
    if as_json:
        told = {"ok": not wrong, "why": wrong, "seq": seq, "id": name, "size": proof.size}
        print(harmless(json.dumps({**told, "origin": origin}, indent=2)))
    elif not wrong:
        where = f"one of the {proof.size} that {origin} signed"
        say([f"{paint('holds', 'green')}: seq {seq}, id {paint(name)}, is {paint(where)}"])
    if wrong:
        raise Failed(f"the proof does not hold: {wrong}; ask for another, or for the right key")
    return 0


def _read(file: str) -> "Proof":
    import msgspec

    from proxy.journal.proofs import Proof

    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return msgspec.json.decode(content, type=Proof)
    except OSError as error:
        why = f"{file} cannot be read: {error.strerror}; name the file of a proof"
        raise Failed(why, UNREADABLE) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = f"{file} is no proof: {error}; holdfast audit prove makes one"
        raise Failed(why, UNREADABLE) from error
