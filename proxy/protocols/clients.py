"""What clients say about themselves in the heads of their calls: that they repeat them, and how
long they wait for an answer.

They are believed in so far as it costs only themselves: one that repeats gets fewer attempts of
ours, one that gives little time gets an earlier end. `fields` map lower-case names to values; what
cannot be read is as good as absent. `SIGNS` in `call.py` has the names.
"""

import re
from collections.abc import Callable

from proxy.call import Call
from proxy.clock import NEVER

MARGIN = 0.25
"""Seconds by which we answer before an SDK gives up, so that our answer is the one seen."""

_SHARE = 0.75
"""Of what a client waits, a call is held for people: the rest is for what it then does."""

_COUNTERS = {
    b"x-stainless-retry-count": 1,
    b"x-envoy-attempt-count": 2,
    b"grpc-previous-rpc-attempts": 1,
}
_AMZ_ATTEMPT = re.compile(rb"(?:^|[;,])\s*attempt=(\d{1,9})(?=\s*(?:[;,]|$))")
_NUMBER = re.compile(rb"\d{1,12}(?:\.\d{1,9})?")
_GRPC = re.compile(rb"(\d{1,8})([HMSmun])")  # TimeoutValue TimeoutUnit of gRPC over HTTP/2
_GRPC_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


def client_retries(fields: dict[bytes, bytes]) -> bool:
    """Is this a repetition already? Then who repeats is in front of us, and one owner is enough."""
    if b"holdfast-attempt" in fields:
        return True
    for name, least in _COUNTERS.items():
        for value in fields.get(name, b"").split(b","):  # a header may come twice
            count = value.strip()
            if count.isdigit() and int(count[:9]) >= least:
                return True
    attempts = _AMZ_ATTEMPT.findall(fields.get(b"amz-sdk-request", b""))
    return any(int(attempt) > 1 for attempt in attempts)


def patience(fields: dict[bytes, bytes]) -> float:
    """Seconds that the client says it will wait; infinite if it says nothing legible."""
    least = NEVER
    for name, read in _WISHES.items():
        if name in fields:
            least = min(least, *map(read, fields[name].split(b",")))  # a header may come twice
    return least


def answers_late(fields: dict[bytes, bytes]) -> bool:
    """Does the client take a 202 for "not yet" (RFC 7240 4.1)?"""
    wishes = fields.get(b"prefer", b"").split(b",")
    return any(wish.partition(b";")[0].strip().lower() == b"respond-async" for wish in wishes)


class Holding:
    """How long a call may be held for people: less than its client waits. One whose agent is gone,
    and that goes on all the same, is held for as long as people may decide."""

    def __init__(self, call: Call, now: float, hold: float) -> None:
        """`hold`: seconds, as the policy has it."""
        client = patience(call.head.fields)
        self.latest = call.started + client
        self._until = min(now + hold, call.started + client * _SHARE)
        self._call = call

    def __call__(self) -> float:
        """Until when, on Clock.now."""
        return NEVER if self._call.goes_on else self._until


def _number(value: bytes) -> float:
    value = value.strip()
    return float(value) if _NUMBER.fullmatch(value) else NEVER


def _milliseconds(value: bytes) -> float:
    return _number(value) / 1000


def _read_timeout(value: bytes) -> float:
    return max(0.0, _number(value) - MARGIN)


def _grpc(value: bytes) -> float:
    match = _GRPC.fullmatch(value.strip())
    return NEVER if match is None else int(match[1]) * _GRPC_UNITS[match[2]]


_WISHES: dict[bytes, Callable[[bytes], float]] = {
    b"holdfast-timeout-ms": _milliseconds,
    b"x-envoy-expected-rq-timeout-ms": _milliseconds,
    b"x-stainless-read-timeout": _read_timeout,
    b"grpc-timeout": _grpc,
}
