"""`holdfast budget reconcile`."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from proxy import reconcile
from proxy.journal.folder import Locked
from proxy.journal.notes import BadKey
from proxy.journal.sealing import Trouble
from proxy.reconcile import Line, Settled, Unsettled
from proxy.state.shared.fleet import Known, Pod
from proxy.state.store import Rejected
from tests.cli.admin import serving

LINE = Line("agent", "agent", "ann", "hour", 0, 5_000_000, 4_100_000, 20_000, 980_000)
ROLLS = Line("fleet", "fleet", "", "rolling", 3600, 9_000_000, 10_000, 0, 0)
DONE = Settled(Pod("5f0c", 3, "m", "web-1"), (LINE, ROLLS), 50_000, True, ())
MISSING: dict[str, Any] = {
    "pod": "5f0c", "name": "web-1", "life": 3, "seen": "2026-11-28T03:02:31.104Z", "alive": False,
    "told": False,
}  # fmt: skip
NAMED = MISSING | {"pod": "77aa", "name": None, "life": None, "seen": None}
ALIVE = MISSING | {"pod": "1234", "alive": True, "told": True}
STANDING = {"us": "1234", "up": True, "why": None, "grants": False, "epoch": 7}


def words(text):
    return [" ".join(line.split()) for line in text.splitlines()]


# --- a data dir ---


@pytest.fixture
def settled(here, policies, monkeypatch):
    """What comes of it, and what was asked for."""
    policies("policies: [{name: p}]\n")
    made = {"answer": DONE, "asked": []}

    async def settle(settings, loaded):
        made["asked"].append((settings, loaded))
        if isinstance(made["answer"], BaseException):
            raise made["answer"]
        return made["answer"]

    monkeypatch.setattr(reconcile, "settle", settle)
    return made


def test_what_was_spent_and_what_went_back(holdfast, settled):
    """A row for each budget and key."""
    ran = holdfast("budget", "reconcile", "gone/state", "--store", "redis://h/0")
    assert (ran.code, ran.err) == (0, "")
    assert words(ran.out) == [
        "BUDGET FOR WINDOW SPENT NOT TOLD WENT BACK",
        "agent agent ann hour 4.10 0.02 0.98",
        "fleet fleet 3600 s 0.01 0.00 0.00",
        "0.05 went back of windows that are over, or of other budgets",
        "settled pod 5f0c: nobody waits for it",
    ]
    ((settings, loaded),) = settled["asked"]
    assert (settings.data_dir, settings.store) == ("gone/state", "redis://h/0")
    assert [policy.name for policy in loaded.policies] == ["p"]


def test_others_are_waited_for(holdfast, settled):
    """Who; and a script can tell."""
    others = (Known(Pod("77aa", 0), 0, False), Known(Pod("88bb", 1, "m", "web-2"), 0, False))
    settled["answer"] = Settled(DONE.pod, (), 0, False, others)
    ran = holdfast("budget", "reconcile", "state")
    assert ran.code == 3
    assert words(ran.out) == [
        "it has spent nothing and held nothing of what there is now",
        "settled pod 5f0c: nobody waits for it",
        "the store grants nothing new yet: it waits for 77aa, 88bb (web-2)",
    ]
    settled["answer"] = Settled(DONE.pod, (), 0, False, ())
    ran = holdfast("budget", "reconcile", "state")
    assert (ran.code, words(ran.out)[-1]) == (
        3,
        "the store grants nothing new yet: it was started a moment ago",
    )


def test_for_programs(holdfast, settled):
    """All of it."""
    told = json.loads(holdfast("budget", "reconcile", "state", "--json").out)
    assert (told["pod"], told["life"], told["grants"], told["waits_for"]) == ("5f0c", 3, True, [])
    assert told["back_besides"] == "0.05"
    assert told["items"][0] == {
        "budget": "agent", "per": "agent", "key": "ann", "window": "hour", "seconds": None,
        "limit": "5.00", "spent": "4.10", "not_told": "0.02", "back": "0.98",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (Unsettled("no store"), 1, "no store"),
        (Unsettled("no journal", unreadable=True), 2, "no journal"),
        (
            Locked("state is in use by process 7 on web-1: give each process its own"),
            1,
            "state is in use by process 7 on web-1: stop it, and it gives back what it holds",
        ),
        (Rejected("WRONGPASS"), 1, "the store does not want us: WRONGPASS; look at"),
        (BadKey("a bad key"), 1, "a bad key"),
        (Trouble("key", "no key"), 1, "no key"),
        (PermissionError(13, "Permission denied", "state/lock"), 2, "state/lock cannot be used"),
        (OSError("no room"), 2, "state cannot be used: no room"),
    ],
)
def test_why_it_is_not_done(holdfast, settled, error, code, told):
    """In a line that says what to do."""
    settled["answer"] = error
    ran = holdfast("budget", "reconcile", "state")
    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err
    assert len(ran.err.splitlines()) == 1


def test_settings_and_policies_that_are_wrong(holdfast, settled, policies):
    """As everywhere."""
    policies("policies: [{nam: p}]\n")
    assert holdfast("budget", "reconcile", "state").code == 1
    assert holdfast("budget", "reconcile", "state", "--store", "ftp://x").code == 64
    assert holdfast("budget", "reconcile", "state", "--config", "none.yaml").code == 2
    assert settled["asked"] == []


def test_a_folder_without_a_journal(holdfast, here, policies):
    """2, as other commands that read one."""
    policies("policies: [{name: p}]\n")
    ran = holdfast("budget", "reconcile", "nowhere", "--store", "redis://127.0.0.1:1/0")
    assert ran.code == 2
    assert ran.err == "holdfast: there is no journal in nowhere; name a data dir\n"
    assert not Path("nowhere").exists()


# --- a running proxy ---


@pytest.fixture
def pages(here):
    with serving() as found:
        yield found


def missing(pages, *items, waits_for=(), **standing):
    told = {**STANDING, "waits_for": list(waits_for), **standing}
    pages.put("/v1/pods", {**told, "items": [ALIVE, *items], "next": None})


def test_pods_that_are_missing(holdfast, pages):
    """And what to do, the best first."""
    missing(pages, MISSING, NAMED, waits_for=["5f0c"])
    ran = holdfast("budget", "reconcile", "--admin", pages.url)
    assert ran.code == 3
    assert words(ran.out) == [
        "POD MACHINE LIFE SEEN (UTC) WAITED FOR",
        "5f0c web-1 3 2026-11-28 03:02:31 yes",
        "77aa – – – no",
        "the store grants nothing new before all that it waits for have told what they hold",
        "do, for each, the first that can be done:",
        "start it again with its data dir",
        "holdfast budget reconcile DIR, with its data dir (its pod.json has the id)",
        "holdfast budget reconcile --accept POD, where that is gone: what it held counts as spent",
    ]
    missing(pages, MISSING, grants=True)
    ran = holdfast("budget", "reconcile", "--admin", pages.url)
    assert words(ran.out)[2] == "what they hold of budgets stays held; all else goes on"


def test_nobody_is_missing(holdfast, pages):
    """That is 0; and what else is not as it should be is told."""
    missing(pages)
    ran = holdfast("budget", "reconcile", "--admin", pages.url)
    assert (ran.code, words(ran.out)) == (0, ["nobody is missing"])
    missing(pages, up=False, why="it is gone")
    ran = holdfast("budget", "reconcile", "--admin", pages.url)
    assert words(ran.out) == ["the store is not there: it is gone", "nobody is missing"]
    missing(pages, why="given up")
    ran = holdfast("budget", "reconcile", "--admin", pages.url)
    assert words(ran.out)[0] == "granted nothing: given up"
    ran = holdfast("budget", "reconcile", "--accept", "--admin", pages.url)
    assert (ran.code, words(ran.out)) == (0, ["nobody is missing"])


def test_the_missing_for_programs(holdfast, pages):
    """Only they, and how the store does."""
    missing(pages, MISSING, waits_for=["5f0c"])
    told = json.loads(holdfast("budget", "reconcile", "--json", "--admin", pages.url).out)
    assert told == {**STANDING, "waits_for": ["5f0c"], "items": [MISSING], "next": None}


def accepted(pages, item, waits_for=()):
    path = f"/v1/pods/{item['pod']}"
    pages.put(path, {**item, **STANDING, "by": "alice", "waits_for": list(waits_for)})


def test_one_is_accepted_as_lost(holdfast, pages):
    """With a reason, which is recorded."""
    missing(pages, MISSING, NAMED)
    accepted(pages, MISSING, ["77aa"])
    ran = holdfast(
        "budget", "reconcile", "--accept", "5f0c", "--reason", "case 12", "--admin", pages.url
    )
    assert ran.code == 3
    assert words(ran.out) == [
        "accepted 5f0c (web-1): what it held is spent", "the store still waits for 77aa",
    ]  # fmt: skip
    assert pages.asked[-1] == ("/v1/pods/5f0c", {"reason": "case 12"})


def test_all_are_accepted_after_a_question(holdfast, pages, monkeypatch):
    """Or without one where it was said so."""
    missing(pages, MISSING, NAMED)
    accepted(pages, MISSING, ["77aa"])
    accepted(pages, NAMED)
    for answer in ("n\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        ran = holdfast("budget", "reconcile", "--accept", "--admin", pages.url)
        assert (ran.code, ran.out) == (1, "")
        assert "What 5f0c (web-1), 77aa held counts as spent, for good." in ran.err
        assert "nothing was done; --yes says it without a question" in ran.err
    assert not any(path.startswith("/v1/pods/") for path, _ in pages.asked)

    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    ran = holdfast("budget", "reconcile", "--accept", "--admin", pages.url)
    assert (ran.code, len(words(ran.out))) == (0, 2)
    ran = holdfast("budget", "reconcile", "--accept", "--yes", "--json", "--admin", pages.url)
    assert [each["pod"] for each in json.loads(ran.out)["items"]] == ["5f0c", "77aa"]


def test_what_the_proxy_refuses(holdfast, pages):
    """Its words."""
    missing(pages, MISSING)
    told = {"type": "about:blank", "title": "Conflict", "status": 409, "detail": "it is alive"}
    pages.put("/v1/pods/1234", told, status=409)
    ran = holdfast("budget", "reconcile", "--accept", "1234", "--admin", pages.url)
    assert (ran.code, "it is alive" in ran.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--store", "redis://h/0"), "--store goes with DIR"),
        (("--policies", "p"), "--policies goes with DIR"),
        (("--config", "c"), "--config goes with DIR"),
        (("state", "--accept"), "DIR goes without"),
        (("state", "--yes"), "DIR goes without"),
        (("state", "--admin", "x:1"), "DIR goes without"),
        (("state", "--data-dir", "x"), "DIR goes without"),
    ],
)
def test_wrong_usage(holdfast, here, arguments, told):
    """64."""
    ran = holdfast("budget", "reconcile", *arguments)
    assert ran.code == 64
    assert told in ran.err
