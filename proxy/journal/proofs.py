"""Proofs of single records: that one is in the tree of a signed checkpoint, without the others.

Whoever gets a proof needs the verifier key, and nothing else of the journal.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from proxy.journal.chain import Claims, claims, digest_of, raw
from proxy.journal.checkpoint import believed, whole_notes
from proxy.journal.entries import FINISHED
from proxy.journal.folder import Folder
from proxy.journal.merkle import Frontier, includes, inclusion_spans, tops_of
from proxy.journal.notes import Verifier
from proxy.journal.reading import opening_of
from proxy.journal.records import Progress, Records, nobody


class Proof(msgspec.Struct, frozen=True):
    """What is handed over."""

    record: str  # the exact line, without its newline
    index: int  # of its leaf: seq - 1
    size: int  # of the tree
    path: list[str]  # hashes, from the leaf upwards
    checkpoint: str  # the note


class NoProof(Exception):
    """There is none; the text says why, and what to do."""


def prove(
    data_dir: Path, record_id: str, keys: Sequence[Verifier], progress: Progress = nobody
) -> Proof:
    """Of the record with that id; of several, of the end of the call, else of the last one.

    Reads the whole journal, twice. Raises NoProof, or OSError.
    """
    folder = Folder(data_dir)
    records = Records(data_dir, progress=progress)
    line, seq = _record_of(records, record_id)
    note, size = _note_over(folder, seq, keys)
    known = _beginning(folder)
    hashes = islice(_hashes(records), size - known.size)
    try:
        path = tops_of(inclusion_spans(seq - 1, size), hashes, known)
        proof = Proof(line.decode(), seq - 1, size, [top.hex() for top in path], note)
    except ValueError as error:
        raise NoProof(f"the journal is not whole: {error}; holdfast audit verify") from error
    wrong = check(proof, keys)
    if wrong:
        raise NoProof(f"the journal is not as it was: {wrong}; holdfast audit verify")
    return proof


def check(proof: Proof, keys: Iterable[Verifier]) -> str:
    """What is wrong with a proof; empty: nothing."""
    line = proof.record.encode()
    told = claims(line)
    prev = raw(told.prev) if told is not None else None
    if told is None or prev is None or digest_of(line, prev).hex() != told.hash:
        return "the record is not as it was written"
    if told.seq != proof.index + 1:
        return f"the record has seq {told.seq}, and the proof is of {proof.index + 1}"
    checkpoint = believed(proof.checkpoint, keys)
    if checkpoint is None:
        return "the checkpoint is not signed by the key"
    path = [raw(top) or b"" for top in proof.path]
    value = bytes.fromhex(told.hash)
    if checkpoint.size == proof.size and includes(
        checkpoint.root, proof.size, proof.index, value, path
    ):
        return ""
    return "the record is not in the tree that was signed"


def _lines(records: Records) -> Iterator[bytes]:
    return (line for lines in records.oldest_first() for line in lines)


def _record_of(records: Records, record_id: str) -> tuple[bytes, int]:
    """The line, and its seq."""
    found: tuple[bytes, Claims] | None = None
    for line in records.named(record_id):
        told = claims(line)
        if told is not None and (found is None or found[1].type != FINISHED):
            found = line, told
    if found is None:
        unread = "".join(f"; {broken}; holdfast audit verify" for broken in records.broken[:1])
        raise NoProof(f"there is no record {record_id}{unread}")
    return found[0], found[1].seq


def _note_over(folder: Folder, seq: int, keys: Sequence[Verifier]) -> tuple[str, int]:
    """The first checkpoint that covers a record."""
    content = folder.checkpoints.read_bytes() if folder.checkpoints.exists() else b""
    for text in whole_notes(content)[0]:
        found = believed(text, keys)
        if found is not None and found.size >= seq:
            return text, found.size
    raise NoProof(f"no checkpoint covers seq {seq} yet: one is made within a minute")


def _beginning(folder: Folder) -> Frontier:
    """The tree of what was pruned."""
    found = opening_of(folder.segments()[0])
    try:
        tops = [bytes.fromhex(top) for top in found.head.frontier] if found is not None else []
        return Frontier(found.head.size if found is not None else -1, tops)
    except ValueError as error:
        why = "the first segment does not say where it belongs; holdfast audit verify"
        raise NoProof(why) from error


def _hashes(records: Records) -> Iterator[bytes]:
    for line in _lines(records):
        told = claims(line)
        yield bytes.fromhex(told.hash) if told is not None else b""
