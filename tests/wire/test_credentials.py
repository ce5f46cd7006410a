"""Which credential an attempt is sent with."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.credentials import Credentials
from tests.fakes import make_attempt


def tried(credentials: Credentials, good: set[int]) -> list[int]:
    """Those that one call takes, as `retry.on_401: refresh` does it."""
    attempt = make_attempt()
    credentials.choose(attempt)
    taken = [attempt.credential]
    credentials.answered(attempt.credential, 200 if attempt.credential in good else 401)
    if attempt.credential not in good:
        again = make_attempt(credential=attempt.spare)
        credentials.choose(again)
        taken.append(again.credential)
        credentials.answered(again.credential, 200 if again.credential in good else 401)
    return taken


def test_the_one_that_worked_is_where_calls_begin() -> None:
    """A key that was revoked costs one call a 401, not all."""
    credentials = Credentials(2)
    assert [tried(credentials, {1}) for _ in range(3)] == [[0, 1], [1], [1]]
    assert [tried(credentials, {0}) for _ in range(2)] == [[1, 0], [0]]


def test_of_several_a_call_tries_one_that_is_not_known_to_be_useless() -> None:
    """Else a third would never have its turn."""
    credentials = Credentials(3)
    assert [tried(credentials, {2}) for _ in range(3)] == [[0, 1], [0, 2], [2]]


def test_where_none_is_accepted_they_are_tried_in_their_order() -> None:
    """The first stays the first."""
    credentials = Credentials(3)
    assert [tried(credentials, set()) for _ in range(3)] == [[0, 1], [0, 2], [0, 1]]


def test_what_tells_nothing_changes_nothing() -> None:
    """No answer, or one of a server that is broken. An error of the caller was let in."""
    credentials = Credentials(2)
    for status in (0, 500, 503):
        credentials.answered(1, status)
        assert tried(credentials, {0, 1}) == [0]
    credentials.answered(1, 404)
    assert tried(credentials, {0, 1}) == [1]


@given(st.integers(2, 5), st.sets(st.integers(0, 4)), st.integers(0, 4))
def test_a_good_one_is_found_soon(count: int, good: set[int], worked: int) -> None:
    """After one call for each of them, wherever they stood."""
    credentials = Credentials(count)
    good = {each % count for each in good} or {0}
    credentials.answered(worked % count, 200)
    for _ in range(count):
        tried(credentials, good)
    (taken,) = tried(credentials, good)
    assert taken in good
