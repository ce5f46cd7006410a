"""Pushback: how long an upstream asks us to wait, read from the head of its answer.

There are two kinds of word. `Retry-After` and its relatives are the upstream's word on *this* call:
they count on any answer. The `reset` headers describe a limit, stand on every answer, good ones
included, and often tell when it will be *full* again: they count only where nothing of their limit
is left, and only where the upstream gave no word of its own. `fields` map lower-case names to
values; what cannot be read is as good as absent. All waits are seconds.

Sources: RFC 9110 10.2.3 (Retry-After), draft-ietf-httpapi-ratelimit-headers (RateLimit), gRPC A6
(grpc-retry-pushback-ms), the public API references of OpenAI, Anthropic and GitHub.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 86_400.0
"""Seconds. A longer wait is taken as a day: a mistaken header must not shut a tool for a year."""

_MONTH = 30 * 86_400.0  # a reset beyond it is no number of seconds but a moment since 1970
_YEAR_5000_MS = 1e11  # a moment beyond it is in milliseconds
_NUMBER = re.compile(rb"\d{1,16}(?:\.\d{1,9})?")
_SPAN = re.compile(rb"(\d{1,9}(?:\.\d{1,9})?)(ms|us|ns|d|h|m|s)")
_UNITS = {
    b"d": 86_400.0,
    b"h": 3600.0,
    b"m": 60.0,
    b"s": 1.0,
    b"ms": 1e-3,
    b"us": 1e-6,
    b"ns": 1e-9,
}
_PARAMETER = re.compile(
    rb"(?:^|[;,\s])(r|t|remaining|reset)\s*=\s*(\d{1,12})(?=$|[;,\s])", re.IGNORECASE
)
_FAMILIES = (b"x-ratelimit-", b"anthropic-ratelimit-", b"ratelimit-")


def forbids_retry(fields: dict[bytes, bytes]) -> bool:
    """Does the upstream say that this call must not be repeated?"""
    if fields.get(b"x-should-retry", b"").strip().lower() == b"false":
        return True
    value = fields.get(b"grpc-retry-pushback-ms")
    return value is not None and _number(value) is None  # negative or unreadable: gRPC A6


def retry_after(fields: dict[bytes, bytes], now_wall: float) -> float | None:
    """The upstream's own word on this call. `now_wall` is seconds since 1970. At most LONGEST."""
    words = (
        _after(fields.get(b"retry-after"), now_wall),
        _milliseconds(fields.get(b"retry-after-ms")),
        _milliseconds(fields.get(b"grpc-retry-pushback-ms")),
    )
    return _longest([word for word in words if word is not None])


def pushback(fields: dict[bytes, bytes], now_wall: float) -> float | None:
    """What a throttled answer asks for: its own word, else the reset of a limit that is used up."""
    word = retry_after(fields, now_wall)
    if word is not None:
        return word
    return _longest(
        [wait for name in fields if (wait := _reset(name, fields, now_wall)) is not None]
    )


def _longest(waits: list[float]) -> float | None:
    return min(max(waits), LONGEST) if waits else None


def _number(value: bytes) -> float | None:
    return float(value) if _NUMBER.fullmatch(value.strip()) else None


def _milliseconds(value: bytes | None) -> float | None:
    number = None if value is None else _number(value)
    return None if number is None else number / 1000


def _after(value: bytes | None, now_wall: float) -> float | None:
    if value is None:
        return None
    words = [_seconds(word) for word in value.split(b",")]  # of a header that came repeatedly
    known = [word for word in words if word is not None]
    return _longest(known) if len(known) == len(words) else _date(value, now_wall)


def _seconds(word: bytes) -> float | None:
    """More of them than there are numbers for is long enough (RFC 9111 1.2.2)."""
    number = _number(word)
    return LONGEST if number is None and word.strip().isdigit() else number


def _date(value: bytes, now_wall: float) -> float | None:
    try:
        moment = parsedate_to_datetime(value.decode("ascii"))
    except (ValueError, OverflowError):  # not ASCII, not a date, or one that no calendar has
        return None
    return _until(moment, now_wall)


def _until(moment: datetime, now_wall: float) -> float:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, aware.timestamp() - now_wall)


def _reset(name: bytes, fields: dict[bytes, bytes], now_wall: float) -> float | None:
    """The wait of the limit that this header tells of; None where some of it is left."""
    if name == b"ratelimit":
        return _rate_limit(fields[name])
    if not name.startswith(_FAMILIES) or b"-reset" not in name:
        return None
    left = fields.get(name.replace(b"reset", b"remaining"))
    if left is not None and _number(left) != 0:
        return None
    return _moment_or_span(fields[name].strip(), now_wall)


def _moment_or_span(value: bytes, now_wall: float) -> float | None:
    """Seconds, a moment since 1970 in seconds or milliseconds, a span like 1m30s, or RFC 3339."""
    number = _number(value)
    if number is None:
        span = _span(value)
        return _timestamp(value, now_wall) if span is None else span
    if number < _MONTH:
        return number
    return max(0.0, (number / 1000 if number > _YEAR_5000_MS else number) - now_wall)


def _span(value: bytes) -> float | None:
    total, end = 0.0, 0
    for part in _SPAN.finditer(value):
        if part.start() != end:
            return None
        total += float(part[1]) * _UNITS[part[2]]
        end = part.end()
    return total if end and end == len(value) else None


def _timestamp(value: bytes, now_wall: float) -> float | None:
    try:
        moment = datetime.fromisoformat(value.decode("ascii"))
    except ValueError:
        return None
    return _until(moment, now_wall)


def _rate_limit(value: bytes) -> float | None:
    """Of `"default";r=0;t=30`, or the older `limit=9, remaining=0, reset=30`: the wait."""
    items = [value] if b"remaining" in value.lower() else value.split(b",")
    waits = []
    for item in items:
        found = {name.lower(): int(number) for name, number in _PARAMETER.findall(item)}
        left, wait = found.get(b"r", found.get(b"remaining")), found.get(b"t", found.get(b"reset"))
        if left == 0 and wait is not None:
            waits.append(float(wait))
    return _longest(waits)
