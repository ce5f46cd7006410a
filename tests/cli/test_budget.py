"""`holdfast budget`."""

import json
import time
from typing import Any

import pytest

from tests.cli.admin import serving
from tests.cli.test_audit_records import call
from tests.fakes import EPOCH, FakeClock
from tests.journal.written import Written

WINDOW: dict[str, Any] = {
    "window": "hour", "seconds": None, "limit": "5.00", "spent": "4.10", "reserved": "0.05",
    "share": 0.83, "resets_at": "2026-11-28T13:00:00Z", "alerts": [0.75],
}  # fmt: skip
ACCOUNT: dict[str, Any] = {
    "budget": "agent", "per": "agent", "key": "pricing-01", "windows": [WINDOW],
    "on_exceed": "reject", "alert_at": [0.75, 0.9], "overrun": "0.00",
}  # fmt: skip
ROLLING = ACCOUNT | {
    "budget": "crew", "per": "fleet", "key": None,
    "windows": [WINDOW | {"window": "rolling", "seconds": 21_600, "share": 0.1, "resets_at": None}],
}  # fmt: skip


@pytest.fixture
def pages(here):
    with serving() as found:
        yield found


def words(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_all_budgets(holdfast, pages):
    """A row for each window."""
    pages.put("/v1/budgets", {"items": [ACCOUNT, ROLLING], "next": None})
    ran = holdfast("budget", "list", "--admin", pages.url)
    assert ran.code == 0
    assert words(ran.out) == [
        "BUDGET FOR WINDOW SPENT RESERVED LIMIT USED RESETS (UTC)",
        "agent agent pricing-01 hour 4.10 0.05 5.00 83% 2026-11-28 13:00",
        "crew fleet 21600 s 4.10 0.05 5.00 10% –",
    ]


def test_one_budget_and_one_key(holdfast, pages):
    """The proxy looks for them."""
    pages.put("/v1/budgets", {"items": [ACCOUNT], "next": None})
    ran = holdfast("budget", "show", "agent", "--key", "x", "--admin", pages.url, "--json")
    assert json.loads(ran.out) == {"items": [ACCOUNT], "next": None}
    assert pages.asked[0][1] == {"budget": "agent", "key": "x", "limit": "1000"}
    holdfast("budget", "list", "--key", "y", "--admin", pages.url)
    assert pages.asked[1][1] == {"key": "y", "limit": "1000"}


@pytest.mark.parametrize(
    ("more", "told"), [((), "no budget b;"), (("--key", "k"), "no budget b has a key k;")]
)
def test_a_budget_that_is_not_there(holdfast, pages, more, told):
    """Where to find those that are."""
    pages.put("/v1/budgets", {"items": [], "next": None})
    ran = holdfast("budget", "show", "b", *more, "--admin", pages.url)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"holdfast: {told} holdfast budget list shows all there are\n"


def test_no_budget_at_all(holdfast, pages):
    """That is an answer."""
    pages.put("/v1/budgets", {"items": [], "next": None})
    ran = holdfast("budget", "list", "--admin", pages.url)
    assert (ran.code, words(ran.out)) == (0, ["there is no budget"])


def test_names_that_agents_made_up_are_harmless(holdfast, pages):
    """On a terminal."""
    pages.put("/v1/budgets", {"items": [ACCOUNT | {"key": "\x1b]0;x\x07\n"}], "next": None})
    ran = holdfast("budget", "list", "--admin", pages.url)
    assert "\x1b" not in ran.out
    assert len(ran.out.splitlines()) == 2


def test_what_is_no_admin_side(holdfast, pages):
    """It says so."""
    pages.put("/v1/budgets", {"items": [{"budget": 1}], "next": None})
    ran = holdfast("budget", "list", "--admin", pages.url)
    assert (ran.code, "no admin side of Holdfast" in ran.err) == (1, True)


ITEMS = [
    {"agent": "ann", "spent": "0.60", "share": 0.6667, "calls": 2},
    {"agent": "", "spent": "0.30", "share": 0.3333, "calls": 1},
]


def test_whose_money_a_workflows_is(holdfast, pages):
    """All pages of it, and the sum."""
    head = {"workflow": "w", "by": "pool", "total": "0.90"}
    first, second = ({**head, "items": [item], "next": "c"} for item in ITEMS)
    pages.put("/v1/budgets", first, first, {**second, "next": None})
    ran = holdfast("budget", "attribute", "w", "--by", "pool", "--admin", pages.url)
    assert words(ran.out) == [
        "AGENT USD SHARE CALLS", "ann 0.60 66.7% 2", "– 0.30 33.3% 1", "together 0.90",
    ]  # fmt: skip
    assert pages.asked[0][1] == {"workflow": "w", "by": "pool", "limit": "1"}
    pages.put("/v1/budgets", {**first, "next": None})
    ran = holdfast("budget", "attribute", "w", "--admin", pages.url, "--json")
    assert json.loads(ran.out) == {**head, "items": ITEMS[:1], "next": None}


def test_a_workflow_that_nobody_knows(holdfast, pages):
    """The proxy's words."""
    told = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "nothing"}
    pages.put("/v1/budgets", told, status=404)
    ran = holdfast("budget", "attribute", "w", "--admin", pages.url)
    assert ran.code == 1


@pytest.fixture
def journal(here):
    """Of three days, until now."""
    days = 3 * 86_400
    clock = FakeClock(at=time.time() - EPOCH - days)
    written = Written(here / ".holdfast", clock=clock).open()

    def spends(agent: str, tasks: int, cost: int) -> None:
        for number in range(tasks):
            for part in (cost - 1, 1):
                name = f"{agent}-{number}-{part}"
                written.journal.note(call(name, agent=agent, task=str(number), cost_micros=part))
            written.round()

    spends("ann", 40, 50_000)
    clock.advance(days)
    spends("ann", 5, 50_000)
    spends("bob", 29, 50_000)
    written.journal.note(call("alone", agent="bob", cost_micros=7))
    written.journal.note(call("free", agent="cat"))
    written.round()
    written.die()
    return here / ".holdfast"


def test_a_budget_is_proposed(holdfast, journal):
    """Of so much as the journal has: three days; a call without a task is a task."""
    ran = holdfast("budget", "suggest", "--data-dir", journal)
    assert ran.code == 0
    rows = words(ran.out)
    assert rows[0] == "AGENT TASKS USD A TASK TASKS A DAY PROPOSED USD A DAY"
    assert rows[1].startswith("ann 40 0.05 13.3 2.00")
    assert rows[2].startswith("bob 30 0.05 10.0 1.50")
    assert len(rows) == 3


def test_only_the_baseline_is_looked_at(holdfast, journal):
    """A day of it; the proposal is one for people and one for programs."""
    ran = holdfast("budget", "suggest", "--baseline", "1d", "--safety", "2", "--json")
    told = json.loads(ran.out)
    assert (told["seconds"], told["safety"]) == (86_400, "2")
    assert told["items"] == [
        {"agent": "ann", "tasks": 5, "per_task": "0.05", "tasks_a_day": 5.0, "day": None},
        {"agent": "bob", "tasks": 30, "per_task": "0.05", "tasks_a_day": 30.0, "day": "3.00"},
    ]
    shown = holdfast("budget", "suggest", "--baseline", "1d").out
    assert words(shown)[1] == "ann 5 0.05 5.0 too few tasks"


def test_too_few_tasks(holdfast, here):
    """It says how many there are, and what to do."""
    written = Written(here / ".holdfast", clock=FakeClock(at=time.time() - EPOCH)).open()
    written.journal.note(call("c", agent="ann", task="t", cost_micros=5))
    written.round()
    written.die()
    ran = holdfast("budget", "suggest")
    assert ran.code == 1
    assert "too few tasks to propose anything: 1 that cost something" in ran.err
    assert "it takes 30" in ran.err


def test_nothing_that_costs_anything(holdfast, here):
    """No table of nobody."""
    written = Written(here / ".holdfast", clock=FakeClock(at=time.time() - EPOCH)).open()
    written.journal.note(call("c"))
    written.round()
    written.die()
    ran = holdfast("budget", "suggest")
    assert (ran.code, ran.out) == (1, "")
    assert "propose anything: 0 that cost" in ran.err


def test_an_empty_journal(holdfast, here):
    """There is nothing to read."""
    assert holdfast("budget", "suggest").code == 2
    (here / ".holdfast" / "journal").mkdir(parents=True)
    (here / ".holdfast" / "journal" / "00000001.jsonl").write_bytes(b"no record\n")
    assert holdfast("budget", "suggest").code == 1


@pytest.mark.parametrize(
    "wrong", [("--safety", "x"), ("--safety", "0.5"), ("--safety", "1/0"), ("--baseline", "soon")]
)
def test_what_it_is_not_meant_for(holdfast, journal, wrong):
    """Exit code 64, and what is allowed."""
    ran = holdfast("budget", "suggest", *wrong)
    assert (ran.code, wrong[0] in ran.err) == (64, True)


def test_how_it_is_proposed_is_what_policies_say(holdfast, journal, policies):
    """The first budget that says it; a flag comes before it."""
    policies(
        "upstreams: {gateway: {url: 'http://h', protocol: tools}}\n"
        "budgets:\n"
        "  - {name: a, per: agent, day: 1}\n"
        "  - {name: b, per: agent, day: 1, allocation: {baseline: 1d, safety: 2}}\n"
    )
    told = json.loads(holdfast("budget", "suggest", "--json").out)
    assert (told["seconds"], told["safety"]) == (86_400, "2.0")
    told = json.loads(holdfast("budget", "suggest", "--safety", "5", "--json").out)
    assert (told["seconds"], told["safety"]) == (86_400, "5")
    policies("budgets: [{name: a}]\n")
    assert holdfast("budget", "suggest").code == 1
    assert holdfast("budget", "suggest", "--safety", "5", "--baseline", "1d").code == 0
