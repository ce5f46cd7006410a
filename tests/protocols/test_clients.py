"""What clients say about themselves."""

import pytest

from proxy.clock import NEVER
from proxy.protocols.clients import Holding, answers_late, client_retries, patience
from tests.fakes import make_call


@pytest.mark.parametrize(
    ("fields", "retries"),
    [
        ({}, False),
        ({b"x-stainless-retry-count": b"0"}, False),
        ({b"x-stainless-retry-count": b"1"}, True),
        ({b"x-stainless-retry-count": b"many"}, False),
        ({b"holdfast-attempt": b"1; max=3"}, True),
        ({b"x-envoy-attempt-count": b"1"}, False),
        ({b"x-envoy-attempt-count": b"2"}, True),
        ({b"grpc-previous-rpc-attempts": b"1"}, True),
        ({b"amz-sdk-request": b"attempt=1; max=3"}, False),
        ({b"amz-sdk-request": b"ttl=20200101T000000Z; attempt=2; max=3"}, True),
        ({b"amz-sdk-request": b"xattempt=2"}, False),
        ({b"x-stainless-retry-count": b"1, 1"}, True),
        ({b"x-envoy-attempt-count": b"1, 2"}, True),
        ({b"amz-sdk-request": b"attempt=1; max=3, attempt=2; max=3"}, True),
    ],
)
def test_who_repeats_says_so(fields: dict[bytes, bytes], retries: bool) -> None:
    """By the counts of five kinds of clients, as far as they can be read."""
    assert client_retries(fields) is retries


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({b"holdfast-timeout-ms": b"1500"}, 1.5),
        ({b"x-envoy-expected-rq-timeout-ms": b"2000"}, 2.0),
        ({b"x-stainless-read-timeout": b"10"}, 9.75),
        ({b"holdfast-timeout-ms": b"4000, 300"}, 0.3),
        ({b"grpc-timeout": b"4S, 3S, x"}, 3.0),
        ({b"x-stainless-read-timeout": b"0.1"}, 0.0),
        ({b"grpc-timeout": b"3S"}, 3.0),
        ({b"grpc-timeout": b"2M"}, 120.0),
        ({b"grpc-timeout": b"1H"}, 3600.0),
        ({b"grpc-timeout": b"250m"}, 0.25),
        ({b"grpc-timeout": b"500u"}, 0.0005),
        ({b"grpc-timeout": b"500n"}, 5e-7),
        ({b"holdfast-timeout-ms": b"9000", b"grpc-timeout": b"3S"}, 3.0),
        ({b"holdfast-timeout-ms": b"soon"}, NEVER),
        ({b"x-stainless-read-timeout": b"NOT_GIVEN"}, NEVER),
        ({b"grpc-timeout": b"123456789S"}, NEVER),
        ({b"holdfast-timeout-ms": b"-5"}, NEVER),
    ],
)
def test_what_a_client_says_it_will_wait(fields: dict[bytes, bytes], seconds: float) -> None:
    """Four headers are understood, the smallest counts, and what is not legible says nothing."""
    assert patience(fields) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("prefer", "late"),
    [
        (b"respond-async", True),
        (b"wait=10, Respond-Async; x=y", True),
        (b"return=minimal", False),
        (b"x-respond-async", False),
        (b"", False),
    ],
)
def test_a_client_may_come_again_by_itself(prefer: bytes, late: bool) -> None:
    """It says so, among other wishes."""
    assert answers_late({b"prefer": prefer}) is late


def test_a_call_is_held_for_less_than_its_client_waits() -> None:
    """Counted from when it came; what is left is for what the call then does."""
    call = make_call({b"holdfast-timeout-ms": b"40000"}, started=1000.0)
    hold = Holding(call, 1010.0, 50.0)
    assert (hold(), hold.latest) == (1030.0, 1040.0)
    assert Holding(call, 1010.0, 5.0)() == 1015.0


def test_who_says_nothing_is_held_as_the_policy_has_it() -> None:
    """And whose agent is gone as long as people may decide."""
    call = make_call(started=1000.0)
    hold = Holding(call, 1010.0, 50.0)
    assert (hold(), hold.latest) == (1060.0, NEVER)
    call.goes_on = True
    assert hold() == NEVER
