"""What checkpoints that were kept elsewhere say of a journal."""

import pytest

from proxy.journal.checkpoint import Checkpoint
from proxy.journal.given import judge
from proxy.journal.notes import BadKey, new_signer

HERE, THERE = "holdfast/shop/pod-1", "holdfast/shop/pod-2"
OURS = new_signer(HERE, lambda size: b"a" * size)
THEIRS = new_signer(THERE, lambda size: b"b" * size)
FORGED = new_signer(HERE, lambda size: b"c" * size)
KEYS = (OURS.verifier,)


def note(signer, origin, size=7):
    return signer.note(Checkpoint(origin, size, bytes(32)).text())


MINE = note(OURS, HERE)
OTHER = note(THEIRS, THERE)
TORN = MINE[:-20] + "\n"


@pytest.mark.parametrize(
    ("given", "ours", "wrong"),
    [
        ([], 0, 0),
        ([MINE, note(OURS, HERE, 9)], 2, 0),
        ([note(FORGED, HERE)], 0, 1),
        ([MINE, note(FORGED, HERE)], 1, 1),
        ([MINE.replace("\n7\n", "\n8\n")], 0, 1),
        ([note(OURS, "elsewhere").replace("\n7\n", "\n8\n"), MINE], 1, 1),
        ([OTHER, MINE, OTHER], 1, 0),
        ([OTHER, OTHER], 0, 1),
        ([TORN, MINE], 1, 0),
        ([TORN, OTHER], 0, 1),
    ],
)
def test_what_they_say(given, ours, wrong):
    """Of another writer's one is passed over only beside ours; of our origin none is."""
    found = judge(given, KEYS, {HERE})

    assert (len(found.ours), len(found.wrong)) == (ours, wrong)


@pytest.mark.parametrize("text", [TORN, "nonsense", OURS.note("not\na\ncheckpoint\n")])
def test_what_is_not_whole_cannot_be_read(text):
    """It says nothing of any journal."""
    with pytest.raises(BadKey, match="none of the checkpoints that were given is whole"):
        judge([text], KEYS, {HERE})


def test_the_words_name_what_was_given():
    """Number, origin and size; or whose they are."""
    (why,) = judge([MINE, note(FORGED, HERE, 12)], KEYS, {HERE}).wrong
    assert why == f"no key that is known signed number 2, of {HERE} and 12 records"
    (why,) = judge([OTHER], KEYS, {HERE}).wrong
    assert f"they are of {THERE}, and not of what is here" in why
