"""Objectives, as the counting side sees them."""

import pytest

from proxy.observe.slo.objective import FACTS, Burn
from proxy.record import Record


def test_a_burn_fires_from_a_share_of_bad_events_on():
    """From one on it never does."""
    burn = Burn(14.4, 3600.0, 300.0, "page")
    assert burn.fires_at(0.99) == pytest.approx(0.144)
    assert burn.fires_at(0.9) > 1


def test_what_can_be_asked_for_is_in_every_record():
    """By the same name, as a text."""
    kinds = {name: Record.__annotations__[name] for name in FACTS}
    assert set(kinds.values()) == {str}
