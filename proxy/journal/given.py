"""Checkpoints that were kept elsewhere, and are given to `verify`: what do they say of a journal?

Whoever gives one says: this was signed when the records up to there were there. It is read, and
known to be whole, before anything is judged by it; so one by a key that is not known is no file
that cannot be read. It is the trace of another journal: the records here are not those that it was
made of, whoever holds the key to them. That is tampering, as long as nothing speaks for a mistake:

- of the journal's own origin: tampering. Two keys for one origin are what a log made anew leaves.
- of another origin, beside others that a known key signed: one of another writer, for several may
  have the same anchor. It is passed over.
- of another origin, and none is ours: tampering, for an origin is as quickly invented as a key.

What is torn (the process died while it wrote it) says nothing; where there is nothing else, the
file cannot be read.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from proxy.journal.checkpoint import Checkpoint, checkpoint_of
from proxy.journal.notes import BadKey, Note, Verifier, read

_SIGNATURE = 64


class Given(NamedTuple):
    """What was made of them."""

    ours: list[Checkpoint]
    wrong: list[str]  # why


def judge(texts: Iterable[str], keys: Sequence[Verifier], origins: Collection[str]) -> Given:
    """`origins`: those that the journal itself names. Raises BadKey where nothing is whole."""
    found = Given([], [])
    others: list[str] = []
    count = 0
    for count, text in enumerate(texts, 1):
        note = read(text)
        checkpoint = None if note is None else checkpoint_of(note)
        if note is None or checkpoint is None or not _whole(note):
            continue
        if note.signed_by(keys):
            found.ours.append(checkpoint)
        elif checkpoint.origin in origins or _claims(note, keys):
            found.wrong.append(f"no key that is known signed number {count}, of {_of(checkpoint)}")
        else:
            others.append(checkpoint.origin)
    if others and not found.ours and not found.wrong:
        found.wrong.append(
            f"no key that is known signed any of them: they are of {others[0]}, and not of what is "
            "here, or its key is another"
        )
    if count and not (found.ours or found.wrong):
        raise BadKey("none of the checkpoints that were given is whole")
    return found


def _whole(note: Note) -> bool:
    return all(len(signature) == _SIGNATURE for _, _, signature in note.signatures)


def _claims(note: Note, keys: Iterable[Verifier]) -> bool:
    """Does it name one of the keys? Then it was changed."""
    known = {(key.name, key.id) for key in keys}
    return any((name, told) in known for name, told, _ in note.signatures)


def _of(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.origin} and {checkpoint.size} records"
