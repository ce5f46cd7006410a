"""proxy/journal/losses.py; tests/journal/test_writer.py has it at work."""

from itertools import count

from proxy.journal.entries import Recovery
from proxy.journal.losses import Losses
from tests.journal.noted import Note

DAY = 86_400 * 1_000_000_000


def test_each_loss_is_told_once():
    """How many, the first, the last, and since when; what comes later is told by itself."""
    days = count(1)
    losses = Losses(lambda: next(days) * DAY, lambda: "r")
    assert losses.entry() is None
    for name in "abc":
        losses.add(Note(name))

    found = losses.entry()
    assert found is not None
    assert found[0] == 2 * DAY
    assert found[1] == Recovery(
        "r", "dropped", records=3, first="a", last="c", since="1970-01-02T00:00:00.000000000Z",
        detail="the journal could not be written, and no more could be held",
    )  # fmt: skip
    assert losses.entry() is None
    losses.add(Note("d"))
    again = losses.entry()
    assert again is not None
    assert (again[0], again[1].id, again[1].since) == (
        4 * DAY,
        "r",
        "1970-01-04T00:00:00.000000000Z",
    )
    assert losses.count == 4
