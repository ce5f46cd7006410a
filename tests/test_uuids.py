"""UUIDs made many at once."""

import itertools
import random
import uuid

from proxy.uuids import uuids


def test_they_are_of_version_4_and_written_as_usual() -> None:
    """Whatever reads them sees what the `uuid` module would have made; over several batches."""
    for text in itertools.islice(uuids(random.Random(1).randbytes), 1000):
        read = uuid.UUID(text)
        assert (read.version, read.variant, str(read)) == (4, uuid.RFC_4122, text)


def test_no_two_are_the_same() -> None:
    """Within a batch and over its end."""
    assert len(set(itertools.islice(uuids(random.Random(1).randbytes), 1000))) == 1000


def test_every_digit_is_drawn() -> None:
    """But for the version all places take every value that they may: nothing of them is fixed."""
    columns = list(zip(*itertools.islice(uuids(random.Random(1).randbytes), 2000), strict=True))
    seen = ["".join(sorted(set(column))) for column in columns]
    digits = "0123456789abcdef"
    assert seen[:8] + seen[9:13] + seen[15:18] + seen[20:23] + seen[24:] == [digits] * 30
    assert (seen[14], seen[19], {seen[at] for at in (8, 13, 18, 23)}) == ("4", "89ab", {"-"})


def test_the_same_chance_gives_the_same() -> None:
    """So that a test can own it."""
    one, other = (list(itertools.islice(uuids(random.Random(7).randbytes), 300)) for _ in range(2))
    assert one == other
