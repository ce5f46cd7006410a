"""Entries: what lines may be about."""

import msgspec
import pytest

from proxy.journal import entries
from proxy.journal.entries import TYPES
from proxy.journal.erasures import Erasure
from proxy.record import Intent, Record
from proxy.state.told_of_money import Alert, Lease

OURS = [
    found
    for found in vars(entries).values()
    if isinstance(found, type) and issubclass(found, msgspec.Struct) and hasattr(found, "type")
]


def floats(kind) -> bool:
    """Is there a float in it, however deep?"""
    return "FloatType" in repr(msgspec.inspect.type_info(kind))


@pytest.mark.parametrize(
    "kind", [*OURS, Alert, Erasure, Intent, Lease, Record], ids=lambda kind: kind.type
)
def test_an_entry_begins_with_its_id_and_has_no_floats(kind):
    """Its type is one of those that are known, and nothing in it is ever rounded."""
    assert kind.__struct_fields__[0] == "id"
    assert kind.type in TYPES
    assert not floats(kind)


def test_the_types_are_those_of_the_specification():
    """Each once; and those of alerts, which are ours."""
    assert len(TYPES) == len(set(TYPES)) == 30
    assert {kind.type for kind in OURS} == {
        "start", "stop", "policy.loaded", "config.rejected", "breaker.changed", "checkpoint",
        "recovery", "prune", "budget.accepted",
    }  # fmt: skip
