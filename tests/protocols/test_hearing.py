"""What is heard in an answer."""

from proxy.protocols.hearing import Usage


def test_what_is_part_of_another_number_counts_once() -> None:
    """Caches are part of what came in, reasoning of what went out."""
    used = Usage(input=100, output=20, cache_read=60, cache_write=10, reasoning=15)
    assert used.total == 120
