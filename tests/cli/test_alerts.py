"""`holdfast alerts`."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.admin import Pages, serving

ITEM: dict[str, Any] = {
    "id": "4f1cab00-1", "fingerprint": "ab", "state": "firing", "name": "SloBurn",
    "severity": "page", "source": "slo", "about": {"slo": "a"}, "summary": "it burns\x1b[2J",
    "annotations": {}, "starts": "2026-11-28T11:00:00.000Z", "ends": None, "inhibited": False,
    "told": ["ops"], "acknowledged_by": None, "acknowledged": None, "steps": 0, "acts": [],
}  # fmt: skip
OTHER = {**ITEM, "id": "9be20000", "acknowledged_by": "ann", "severity": "ticket"}
UNDER = {**ITEM, "id": "7a7a7a7a", "inhibited": True, "steps": 2, "starts": None}
STEP = {**ITEM, "id": "7a7a7a7b", "steps": 2}


@pytest.fixture
def pages(here: Any) -> Iterator[Pages]:
    """A proxy where some fire."""
    (here / ".holdfast").mkdir()
    with serving(f"{here}/.holdfast/admin.sock") as found:
        found.put("/v1/alerts", {"items": [ITEM, OTHER, UNDER, STEP], "next": None})
        acknowledged = {**ITEM, "acknowledged_by": "ann", "durable": True, "warnings": []}
        found.put(f"/v1/alerts/{ITEM['id']}/ack", acknowledged)
        yield found


@pytest.mark.parametrize("words", [(), ("list",)])
def test_what_fires_is_listed(holdfast: Any, pages: Pages, words: tuple[str, ...]) -> None:
    """In columns that people read, with who sees to it."""
    ran = holdfast("alerts", *words)
    assert (ran.code, ran.err) == (0, "")
    head, row, other, under, step = ran.out.splitlines()
    assert head.split() == [
        "ID",
        "STATE",
        "SEVERITY",
        "ALERT",
        "SINCE",
        "(UTC)",
        "SEEN",
        "TO",
        "WHY",
    ]
    assert row.split()[:6] == ["4f1cab00", "firing", "page", "SloBurn", "2026-11-28T11:00:00", "–"]
    assert "\x1b[2J" not in row
    assert other.split()[5] == "ann"
    assert ("(under a page)" in under, "(step 2)" in step) == (True, True)
    assert pages.asked[-1][1]["state"] == "firing"


def test_all_that_there_is(holdfast: Any, pages: Pages) -> None:
    """Also what is over; or nothing."""
    ran = holdfast("alerts", "list", "--all", "--json")
    assert json.loads(ran.out)["items"][0] == ITEM
    assert "state" not in pages.asked[-1][1]
    pages.put("/v1/alerts", {"items": [], "next": None})
    assert holdfast("alerts").out == "nothing fires\n"


def test_somebody_sees_to_it(holdfast: Any, pages: Pages) -> None:
    """By the beginning of its id."""
    ran = holdfast("alerts", "ack", "4f1c", "--reason", "on it")
    assert (ran.code, ran.out) == (0, "4f1cab00 SloBurn: ann sees to it\n")
    assert pages.posted == [{"reason": "on it"}]
    lost = {**ITEM, "acknowledged_by": "ann", "durable": False, "warnings": ["not for long"]}
    pages.put(f"/v1/alerts/{ITEM['id']}/ack", lost)
    ran = holdfast("alerts", "ack", "4f1c", "--json")
    assert (ran.code, json.loads(ran.out)["durable"]) == (1, False)
    assert ran.err == "holdfast: not for long\n"


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("ack", "4f1"), 64, "at least its first 4 characters"),
        (("ack", "7a7a7a7"), 1, "2 alerts begin with 7a7a7a7"),
        (("ack", "0000"), 1, "has no /v1/alerts/0000/ack"),
    ],
)
def test_which_is_not_clear(
    holdfast: Any, pages: Pages, words: tuple[str, ...], code: int, why: str
) -> None:
    """Nothing is acknowledged."""
    ran = holdfast("alerts", *words)
    assert (ran.code, why in ran.err) == (code, True), ran.err


def test_options_stand_behind_the_command(holdfast: Any, pages: Pages) -> None:
    """Else another proxy's alert would be acknowledged."""
    ran = holdfast("alerts", "--json", "ack", "4f1c")
    assert (ran.code, "stand behind the command" in ran.err) == (64, True)


def test_a_try(holdfast: Any, pages: Pages) -> None:
    """It says who is told; where nobody is, that is an error."""
    pages.put("/v1/alerts/test", {"severity": "page", "to": ["ops", "boss"], "warnings": []})
    ran = holdfast("alerts", "test", "--severity", "page")
    assert (ran.code, ran.out) == (0, "a page fires for a minute; told: ops, boss\n")
    assert pages.posted == [{"severity": "page"}]
    pages.put("/v1/alerts/test", {"severity": "info", "to": [], "warnings": ["nobody is told"]})
    ran = holdfast("alerts", "test")
    assert (ran.code, ran.out, ran.err) == (1, "", "holdfast: nobody is told\n")
    assert holdfast("alerts", "test", "--json").code == 1
