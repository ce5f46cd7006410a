from typing import Annotated, Literal

import pytest
from msgspec import Meta

from proxy.config.shape import kind_of
from proxy.config.types import Auth, Secret
from proxy.config.wording import expected, is_secret, nearest
from proxy.units import Rate


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (int, "a whole number"),
        (Annotated[int, Meta(ge=1)], "a whole number from 1"),
        (Annotated[int, Meta(ge=1, le=1_000_000)], "a whole number of 1 to 1,000,000"),
        (Annotated[str, Meta(min_length=1, max_length=9)], "text of 1 to 9 characters"),
        (Annotated[str, Meta(min_length=1)], "text that is not empty"),
        (Annotated[float, Meta(gt=0, le=1)], "a number of over 0 to 1"),
        (Annotated[str, Meta(pattern="^(a|b)$")], "a or b"),
        (Annotated[str, Meta(pattern="^a+$")], "text"),
        (Literal["a", "b", "c"], "a, b or c"),
        (bool, "true or false"),
        (int | str | None, "a whole number or text"),
        (tuple[str, ...], "a list"),
        (dict[str, int], "a mapping"),
        (None, "null"),
        (Rate, "a rate such as 10/s, 600/m, 100/h or 1000/d"),
    ],
)
def test_what_a_type_allows(kind, words):
    """In words; that a value may be null is not worth them."""
    assert expected(kind_of(kind)) == words


def test_the_nearest_name_is_offered():
    """Where one is near."""
    assert nearest("atempts", ["attempts", "on"]) == "; did you mean attempts?"
    assert nearest("zzz", ["attempts"]) == ""


def test_what_holds_a_secret_is_secret():
    """A credential as a whole, and each of its parts that is one."""
    assert is_secret(kind_of(Auth | None))
    assert is_secret(kind_of(Secret))
    assert not is_secret(kind_of(str))
