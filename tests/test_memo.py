"""What is remembered, and what is not."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.memo import Memo, remembered


@given(st.lists(st.binary(max_size=9)))
def test_an_answer_is_that_of_the_function(keys: list[bytes]) -> None:
    """Remembered or not; and a short key is worked out once."""
    worked = list[bytes]()

    def length(key: bytes) -> int:
        worked.append(key)
        return len(key)

    found = remembered(length)
    assert [found(key) for key in keys] == [len(key) for key in keys]
    assert sorted(worked) == sorted(set(keys))


def test_long_keys_are_not_kept() -> None:
    """An agent can make them up, as long as it likes."""
    lengths = Memo[bytes, int](len)
    for size in (512, 513, 60_000):
        assert lengths[b"x" * size] == size
    assert list(lengths.values()) == [512]


def test_it_begins_anew_when_it_is_full() -> None:
    """Many short ones are bounded too."""
    lengths = Memo[str, int](len, most=10)
    for number in range(1000):
        assert lengths[str(number)] == len(str(number))
        assert len(lengths) <= 10


def test_only_what_is_worth_it_is_kept() -> None:
    """What is refused may be made up as well."""
    lengths = Memo[bytes, int](len, keeps=lambda length: length > 1)
    assert (lengths[b"a"], lengths[b"ab"]) == (1, 2)
    assert list(lengths) == [b"ab"]
