"""How long an upstream asks us to wait."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.pushback import LONGEST, forbids_retry, pushback, retry_after

NOW = 1_700_000_000.0


def date(seconds: float) -> bytes:
    """An HTTP date so many seconds from now."""
    return formatdate(NOW + seconds, usegmt=True).encode()


@pytest.mark.parametrize(
    ("name", "value", "wait"),
    [
        (b"retry-after", b"7", 7.0),
        (b"retry-after", b" 7 ", 7.0),
        (b"retry-after", b"1.5", 1.5),
        (b"retry-after", b"0", 0.0),
        (b"retry-after", date(90), 90.0),
        (b"retry-after", date(-90), 0.0),
        (b"retry-after", b"Sun, 06 Nov 2033 08:49:37", LONGEST),
        (b"retry-after", b"99999999999", LONGEST),
        (b"retry-after", b"9" * 23, LONGEST),
        (b"retry-after", b"1, 7, 2", 7.0),
        (b"retry-after-ms", b"1500", 1.5),
        (b"grpc-retry-pushback-ms", b"250", 0.25),
    ],
)
def test_the_upstreams_own_word(name: bytes, value: bytes, wait: float) -> None:
    """Retry-After and its relatives count on every answer, as seconds, milliseconds or a date."""
    assert retry_after({name: value}, NOW) == pytest.approx(wait)
    assert pushback({name: value}, NOW) == pytest.approx(wait)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"soon",
        b"-1",
        b"1e3",
        b"nan",
        b"7 s",
        b"\xff",
        b"9" * 5000,
        b"1, soon",
        b"Mon, 99 Foo 2020 10:00:00 GMT",
        b"Mon, 01 Jan 0001 00:00:00 +2359",
        b"Fri, 31 Dec 9999 23:59:59 -2359",
    ],
)
def test_what_cannot_be_read_is_as_good_as_absent(value: bytes) -> None:
    """Garbage is never an error, and never a wait that nobody asked for."""
    wait = retry_after({b"retry-after": value}, NOW)
    assert wait in (None, 0.0, LONGEST)
    assert retry_after({b"retry-after-ms": b"soon"}, NOW) is None


def test_the_longest_of_several_words_counts() -> None:
    """A floor is not lowered by another header."""
    fields = {b"retry-after": b"2", b"retry-after-ms": b"1500"}
    assert retry_after(fields, NOW) == 2.0


@pytest.mark.parametrize(
    ("fields", "wait"),
    [
        ({b"x-ratelimit-reset": b"30"}, 30.0),
        ({b"x-ratelimit-reset": b"1700000042"}, 42.0),
        ({b"x-ratelimit-reset": b"1700000042000"}, 42.0),
        ({b"x-ratelimit-reset": b"1600000000"}, 0.0),
        ({b"x-ratelimit-reset-requests": b"1m2.5s"}, 62.5),
        ({b"x-ratelimit-reset-tokens": b"120ms"}, 0.12),
        ({b"x-ratelimit-reset-tokens": b"1d2h"}, LONGEST),
        ({b"anthropic-ratelimit-requests-reset": b"2023-11-14T22:14:20Z"}, 60.0),
        ({b"anthropic-ratelimit-requests-reset": b"2023-11-14T22:14:20"}, 60.0),
        ({b"ratelimit-reset": b"9"}, 9.0),
        ({b"ratelimit": b'"default";r=0;t=30'}, 30.0),
        ({b"ratelimit": b'"a";r=5;t=90, "b";t=20;r=0'}, 20.0),
        ({b"ratelimit": b"limit=100, remaining=0, reset=8"}, 8.0),
    ],
)
def test_the_reset_of_a_limit_that_is_used_up(fields: dict[bytes, bytes], wait: float) -> None:
    """Every spelling of a reset is understood; it is no word on a call that was not throttled."""
    assert pushback(fields, NOW) == pytest.approx(wait)
    assert retry_after(fields, NOW) is None


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"x-ratelimit-reset": b"30", b"x-ratelimit-remaining": b"12"},
        {b"x-ratelimit-reset-tokens": b"6m0s", b"x-ratelimit-remaining-tokens": b"100"},
        {b"anthropic-ratelimit-tokens-reset": b"2030-01-01T00:00:00Z"}
        | {b"anthropic-ratelimit-tokens-remaining": b"5"},
        {b"x-ratelimit-reset": b"soon"},
        {b"x-ratelimit-reset": b"1m x"},
        {b"x-ratelimit-reset": b"x1m"},
        {b"x-ratelimit-reset": b"1m2"},
        {b"x-ratelimit-reset": b"\xff"},
        {b"x-ratelimit-limit": b"30"},
        {b"x-reset": b"30"},
        {b"ratelimit": b'"default";r=3;t=30'},
        {b"ratelimit": b'"default";r=0'},
        {b"ratelimit": b"limit=100, remaining=7, reset=8"},
        {b"ratelimit": b"nonsense"},
    ],
)
def test_a_limit_with_something_left_asks_for_nothing(fields: dict[bytes, bytes]) -> None:
    """These headers stand on good answers too; a reset counts only where nothing is left."""
    assert pushback(fields, NOW) is None


def test_of_several_limits_the_one_used_up_counts() -> None:
    """Requests are left, tokens are not: the reset of the tokens is the wait."""
    fields = {
        b"x-ratelimit-remaining-requests": b"10",
        b"x-ratelimit-reset-requests": b"60s",
        b"x-ratelimit-remaining-tokens": b"0",
        b"x-ratelimit-reset-tokens": b"3s",
    }
    assert pushback(fields, NOW) == 3.0


def test_the_upstreams_word_goes_before_its_resets() -> None:
    """A reset may tell when a limit is full again; Retry-After tells when to come."""
    fields = {b"retry-after": b"2", b"x-ratelimit-reset": b"360"}
    assert pushback(fields, NOW) == 2.0


@pytest.mark.parametrize(
    ("fields", "forbidden"),
    [
        ({}, False),
        ({b"x-should-retry": b"false"}, True),
        ({b"x-should-retry": b" False "}, True),
        ({b"x-should-retry": b"true"}, False),
        ({b"grpc-retry-pushback-ms": b"-1"}, True),
        ({b"grpc-retry-pushback-ms": b"soon"}, True),
        ({b"grpc-retry-pushback-ms": b"10"}, False),
    ],
)
def test_an_upstream_may_forbid_a_repetition(fields: dict[bytes, bytes], forbidden: bool) -> None:
    """x-should-retry: false does, and so does a pushback of gRPC that is negative or unreadable."""
    assert forbids_retry(fields) is forbidden


NAMES = st.sampled_from(
    [
        b"retry-after",
        b"retry-after-ms",
        b"grpc-retry-pushback-ms",
        b"ratelimit",
        b"ratelimit-reset",
        b"x-ratelimit-reset",
        b"x-ratelimit-remaining",
        b"anthropic-ratelimit-requests-reset",
    ]
)
VALUES = st.binary(max_size=40) | st.text('0123456789.:-+TZ,; rtdhmsGMTJan="', max_size=40).map(
    str.encode
)


@given(st.dictionaries(NAMES, VALUES), st.floats(0, 4e9))
def test_no_header_is_an_error(fields: dict[bytes, bytes], now: float) -> None:
    """Whatever an upstream sends: nothing, or a wait between zero and a day."""
    for wait in (pushback(fields, now), retry_after(fields, now)):
        assert wait is None or 0.0 <= wait <= LONGEST
    forbids_retry(fields)
