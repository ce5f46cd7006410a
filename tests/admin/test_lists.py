"""proxy/admin/lists.py."""

import pytest

from proxy.admin.lists import BadParameter, page


def key(item):
    return (item["name"],)


def items(*names):
    return [{"name": name} for name in names]


def names(found):
    return [item["name"] for item in found["items"]]


def test_all_that_fits_is_one_page():
    """In the order of the keys, and there is no next."""
    found = page(items("b", "c", "a"), key, {})

    assert (names(found), found["next"]) == (["a", "b", "c"], None)
    assert page([], key, {}) == {"items": [], "next": None}


def test_a_cursor_leads_to_the_rest():
    """Each item once, whatever comes and goes before it."""
    first = page(items("a", "b", "c", "d"), key, {"limit": "2"})
    rest = page(items("aa", "c", "d"), key, {"limit": "2", "cursor": first["next"]})

    assert (names(first), names(rest), rest["next"]) == (["a", "b"], ["c", "d"], None)


def test_the_last_page_may_be_full():
    """Then nothing follows it."""
    assert page(items("a", "b"), key, {"limit": "2"})["next"] is None


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1001", "1.5", "²", "9" * 50])
def test_a_limit_is_a_number_within_bounds(limit):
    """Else it is told what is allowed."""
    with pytest.raises(BadParameter, match="limit: must be a whole number of 1 to 1000"):
        page([], key, {"limit": limit})


@pytest.mark.parametrize("cursor", ["x", "ä", "e30", "WzFd", "!!!!"])
def test_a_cursor_is_one_that_was_given(cursor):
    """Nothing else is one."""
    with pytest.raises(BadParameter, match="cursor"):
        page([], key, {"cursor": cursor})
