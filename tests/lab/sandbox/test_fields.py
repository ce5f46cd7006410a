"""proxy/lab/sandbox/fields.py"""

from collections.abc import Callable
from decimal import Decimal

import pytest

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.fields import Fields


def test_first_given_name_counts() -> None:
    """Of several names for a field the first that is given is read; null is not given."""
    fields = Fields({"payer_agent_id": None, "payer_id": "a", "agent_id": "b"})
    assert fields.text("payer_agent_id", "payer_id", "agent_id") == "a"


def test_what_is_absent_is_none() -> None:
    """Optional fields that are not there read as None."""
    fields = Fields({})
    assert fields.optional_text("a") is None
    assert fields.optional_amount("b") is None
    assert fields.whole("c", least=0, most=1) is None
    assert fields.choice("d", ("x",)) is None
    assert fields.anything("e") is None


def test_what_is_right_is_read() -> None:
    """Values within their bounds come back as they are; money as micros."""
    fields = Fields({"n": 3, "c": "x", "m": Decimal("0.5"), "any": [1]})
    assert fields.whole("n", least=1, most=3) == 3
    assert fields.choice("c", ("x", "y")) == "x"
    assert fields.amount("m") == 500_000
    assert fields.anything("any") == [1]


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda f: f.text("gone", "other"), "input.gone: required"),
        (lambda f: f.amount("gone"), "input.gone: required"),
        (lambda f: f.text("empty"), "input.empty: must be a string of 1 to 1024 characters"),
        (lambda f: f.text("long"), "input.long: must be a string of 1 to 1024 characters"),
        (lambda f: f.text("number"), "input.number: must be a string of 1 to 1024 characters"),
        (lambda f: f.choice("word", ("x", "y")), "input.word: must be one of x, y"),
        (lambda f: f.amount("zero"), "input.zero: must be at least 0.000001"),
        (lambda f: f.amount("negative"), "input.negative: must not be negative"),
        (
            lambda f: f.whole("number", least=8, most=9),
            "input.number: must be a whole number from 8 to 9",
        ),
        (
            lambda f: f.whole("truth", least=0, most=9),
            "input.truth: must be a whole number from 0 to 9",
        ),
    ],
)
def test_what_is_wrong_is_named(read: Callable[[Fields], object], message: str) -> None:
    """Each refusal is a 400 that names the field and says what is allowed."""
    fields = Fields({
        "empty": "", "long": "x" * 1025, "number": 7, "word": "z", "zero": 0, "negative": -1,
        "truth": True,
    })  # fmt: skip
    with pytest.raises(GatewayError) as caught:
        read(fields)
    assert (caught.value.status, caught.value.message) == (400, message)
