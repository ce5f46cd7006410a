"""The keys of the Keep."""

from typing import Any, get_args

import pytest

from proxy import keys
from proxy.keys import CellsKey, Key, PermitsKey, shadowed

KINDS = get_args(Key)


def made(kind: type[Any]) -> Any:
    """One whose names are all `x`; of those that have several kinds, a kind of its own."""
    names = [field for field in kind._fields if field not in kind._field_defaults]
    return kind(**{name: kind.__name__ if name == "kind" else "x" for name in names})


def test_no_two_kinds_meet() -> None:
    """Tuples with the same names are the same; so what lies there is one of them."""
    keys = [made(kind) for kind in KINDS]
    assert len(set(keys)) == len(keys)
    assert len({key.kind for key in keys}) == len(keys)


def test_a_kind_may_have_more_than_one_word() -> None:
    """Permits of policies and of bulkheads; calls and tokens."""
    whose = ("core", "core", "", "", "", "", "", "")
    assert PermitsKey(*whose) != PermitsKey(*whose, "bulkhead_permits")
    assert CellsKey("", "p", "rate_limit") != CellsKey("", "p", "token_limit")


def test_what_there_is_one_of_is_apart() -> None:
    """By its kind, which no other key has."""
    sole = [keys.CHAINS, keys.DESK, keys.KILLS, keys.LEDGER, keys.LOOPS, keys.NEWS, keys.SHELF]
    kinds = [key.kind for key in (*sole, *map(made, KINDS))]
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_flat_and_all_text(kind: type[Any]) -> None:
    """A store can have it as one line. Its kind and whether it is a shadow's stand last."""
    assert kind._fields[-2:] == ("kind", "shadow")
    assert all(isinstance(part, str) for part in made(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_shadows_key_is_apart(kind: type[Any]) -> None:
    """It is of the same kind and has the same names."""
    enforced = made(kind)
    shadow = shadowed(enforced)
    assert (type(shadow), shadow.kind, shadow.shadow) == (kind, enforced.kind, "shadow")
    assert shadow == enforced._replace(shadow="shadow")
    assert shadow != enforced
