"""proxy/lab/sandbox/items.py"""

import pytest

from proxy.lab.sandbox.items import ScriptError, parse_headers, seconds, whole


def test_bounds_are_inside() -> None:
    """The least and the most are allowed."""
    assert (whole(1, 1, 9, "here"), whole(9, 1, 9, "here")) == (1, 9)
    assert (seconds(0, "here"), seconds(3600, "here")) == (0.0, 3600.0)


def test_errors_say_where() -> None:
    """And what is allowed."""
    with pytest.raises(ScriptError, match="here: must be a whole number from 1 to 9"):
        whole(10, 1, 9, "here")
    with pytest.raises(ScriptError, match="here: must be from 0 to 3600"):
        seconds(3601, "here")


def test_figures_become_text_in_headers() -> None:
    """YAML reads `Retry-After: 1` as a number."""
    assert parse_headers({"Retry-After": 1}, "here") == {"Retry-After": "1"}
