"""What people are asked about a call, and what that is bound to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Call
from proxy.state.asking import (
    HIDDEN,
    Consumed,
    Exhibit,
    Requested,
    Terms,
    digest,
    exhibit,
    read,
    shown,
)
from tests.fakes import make_call

PARTS = ("agent", "workflow", "upstream", "tool", "target")
SHORT = st.text("ab", max_size=3)
Bound = tuple[tuple[str, ...], bytes, str]


USUAL = ("ann", "w", "gateway", "pay", "/")


def call(parts: tuple[str, ...] = USUAL, fields: dict[str, bytes] | None = None) -> Call:
    """A call of these parts."""
    members: dict[str, Any] = dict(zip(PARTS, parts, strict=True))
    members["target"] = members["target"].encode()
    head = {name.encode(): value for name, value in (fields or {}).items()}
    return make_call(head, **members)


def bound(what: Bound) -> str:
    """Its digest."""
    parts, body, why = what
    return digest(call(parts), body, why)


@given(*[st.tuples(st.tuples(*[SHORT] * 5), st.binary(max_size=3), SHORT)] * 2)
def test_no_end_of_one_part_passes_for_the_beginning_of_the_next(one: Bound, two: Bound) -> None:
    """Two calls have one digest only if all their parts are the same."""
    assert (bound(one) == bound(two)) is (one == two)


@given(st.dictionaries(st.sampled_from(["x-a", "x-b"]), st.binary(max_size=2)))
def test_headers_that_are_shown_are_bound(fields: dict[str, bytes]) -> None:
    """Their values and their names, apart."""
    assert (digest(call(fields=fields), b"", "") == digest(call(), b"", "")) is (not fields)


def test_headers_that_are_shown_are_bound_apart() -> None:
    """Of a name and a value neither takes from the other."""
    assert digest(call(fields={"x-a": b"b"}), b"", "") != digest(
        call(fields={"x-ab": b""}), b"", ""
    )


@pytest.mark.parametrize(
    "name",
    [
        *("authorization", "cookie", "x-api-key", "x-session-token", "proxy-authorization"),
        *("user-agent", "traceparent", "x-request-id", "x-stainless-retry-count"),
        *("holdfast-workflow", "idempotency-key", "content-length", "host", "prefer"),
    ],
)
def test_what_is_no_part_of_the_call_is_neither_shown_nor_bound(name: str) -> None:
    """Credentials above all; and what clients change with each repetition."""
    other = call(fields={name: b"1"})
    assert shown(other.head) == ()
    assert digest(other, b"x", "") == digest(call(), b"x", "")


@pytest.mark.parametrize(
    "name",
    [
        *("x-user", "x-auth-account", "x-token-amount", "x-key", "x-signature-of"),
        *("x-forwarded-host", "x-forwarded-prefix", "x-envoy-original-path", "x-tenant"),
    ],
)
def test_what_may_say_for_whom_is_bound(name: str) -> None:
    """Though people do not see what may be a secret: a yes for one is none for another."""
    one, two = call(fields={name: b"1"}), call(fields={name: b"2"})
    assert digest(one, b"x", "") != digest(two, b"x", "")
    ((told, value),) = shown(one.head)
    assert (told, value) in {(name, "1"), (name, HIDDEN)}
    assert (value == "1") is name.startswith(("x-forwarded", "x-envoy", "x-tenant"))


def test_an_exhibit_is_the_exact_call() -> None:
    """Its body to the byte, whatever it is."""
    made = exhibit(
        call(fields={"content-type": b"text/plain", "authorization": b"s3cret"}), b"\xff\x00"
    )
    assert made == Exhibit("POST", "/", (("content-type", "text/plain"),), b"\xff\x00")
    assert Exhibit.decoded(made.encoded()) == made
    assert b"s3cret" not in made.encoded()


def test_a_request_meets_terms_that_ask_for_no_more() -> None:
    """As many people or more, of the same groups."""
    asked = Requested("r", "d", "c", "ann", "gateway", "pay", "POST", "p", 1, 0, 1, groups=("a",))
    assert asked.meets(Terms("p", needs=1, groups=("a",)))
    assert not asked.meets(Terms("p", needs=2, groups=("a",)))
    assert not asked.meets(Terms("p", needs=1))


def test_an_entry_is_read_of_a_line() -> None:
    """With what all lines have; what is none is not taken for one."""
    line = {"seq": 1, "type": Consumed.type, "id": "r", "call": "c", "until_ms": 5}
    assert read(Consumed, line) == Consumed("r", "c", 5)
    assert read(Consumed, {"id": 1}) is None
