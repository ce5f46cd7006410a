"""`holdfast kill` and `holdfast revive`, at a fake admin side."""

import json
from typing import Any

import pytest

from proxy.units import Moment
from tests.cli.admin import serving

KILLED: dict[str, Any] = {
    "scope": "all", "reason": "why", "by": "admin.sock", "from": "admin", "at": None,
    "since": "2026-11-28T03:01:14.952Z", "until": None, "in_flight": "end", "stopped": 1204,
    "durable": True, "warnings": [],
}  # fmt: skip
LOST = {"durable": False, "warnings": ["it counts, but a restart would forget it"]}


@pytest.fixture
def pages(here):
    (here / ".holdfast").mkdir()
    with serving(f"{here}/.holdfast/admin.sock") as found:
        yield found


def test_it_says_what_was_stopped(holdfast, pages):
    """By the socket of the settings' data dir."""
    pages.put("/v1/kills", KILLED)
    ran = holdfast("kill", "all", "--reason", "case 12")
    assert (ran.code, ran.out, ran.err) == (
        0, "killed all: 1,204 calls under way were stopped\n", "",
    )  # fmt: skip
    assert pages.posted == [{"scope": "all", "reason": "case 12", "in_flight": "end"}]


def test_what_will_not_last_is_an_error(holdfast, pages):
    """It counts; but whoever called the command must know."""
    pages.put("/v1/kills", KILLED | LOST)
    ran = holdfast("kill", "all", "--reason", "x", "--json")
    assert (ran.code, json.loads(ran.out)["stopped"]) == (1, 1204)
    assert ran.err == "holdfast: it counts, but a restart would forget it\n"


def test_it_says_on_how_many_pods(holdfast, pages):
    """Where they share a store; where that is not there, a warning says so."""
    pages.put("/v1/kills", KILLED | {"pods": 3})
    ran = holdfast("kill", "all", "--reason", "x")
    assert ran.out == "killed all: 1,204 calls under way were stopped; killed on 3 pods\n"
    left = {"still_killed": [], "pods": 1, "warnings": []}
    pages.put("/v1/kills/all", KILLED | left)
    assert holdfast("revive", "all", "--reason", "x").out == "revived all; revived on 1 pod\n"
    pages.put("/v1/kills/all", KILLED | left | {"pods": None, "warnings": ["here only"]})
    for words in ((), ("--json",)):
        ran = holdfast("revive", "all", "--reason", "x", *words)
        assert (ran.code, ran.err) == (0, "holdfast: here only\n")


@pytest.mark.parametrize("until", ["2999-01-31T18:00:00+01:00", "30m"])
def test_until_when(holdfast, pages, until):
    """A moment, or how long it is until then."""
    pages.put("/v1/kills", KILLED)
    words = ("--reason", "x", "--until", until, "--in-flight", "finish")
    assert holdfast("kill", "agent:a*", *words).code == 0
    (asked,) = pages.posted
    assert (asked["scope"], asked["in_flight"]) == ("agent:a*", "finish")
    assert Moment.parse(asked["until"]) > Moment.parse("2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("kill", "agnt:x", "--reason", "x"), "SCOPE: expected all, fleet:NAME"),
        (("kill", "all"), "Missing option '--reason'"),
        (("kill", "all", "--reason", "x", "--until", "soon"), "or a duration such as 30m"),
        (("revive", "al", "--reason", "x"), "SCOPE: expected all, fleet:NAME"),
    ],
)
def test_what_is_asked_wrongly(holdfast, pages, words, why):
    """64, and nobody is asked."""
    ran = holdfast(*words)
    assert ran.code == 64
    assert why in ran.err
    assert pages.posted == []


def test_reviving_says_what_is_still_killed(holdfast, pages):
    """A name may have any letters."""
    left = [{"scope": "agent:a"}]
    pages.put("/v1/kills/tool%3AGET%20%2Fx", KILLED | {"still_killed": left})
    ran = holdfast("revive", "tool:GET /x", "--reason", "fixed & done")
    assert (ran.code, ran.out) == (0, "revived all\nstill killed: agent:a\n")
    assert pages.asked == [("/v1/kills/tool%3AGET%20%2Fx", {"reason": "fixed & done"})]
    told = json.loads(holdfast("revive", "tool:GET /x", "--reason", "x", "--json").out)
    assert told["still_killed"] == left


def test_what_is_refused_says_why(holdfast, pages):
    """1: also where it is not killed at all."""
    problem = {"type": "about:blank", "title": "Not Found", "status": 404}
    pages.put("/v1/kills/all", problem | {"detail": "all is not killed"}, status=404)
    ran = holdfast("revive", "all", "--reason", "x")
    assert ran.code == 1
    assert "refuses: all is not killed" in ran.err


def test_another_proxy_is_shown_a_token(holdfast, here):
    """By its address; or the variable has it."""
    with serving() as pages:
        pages.put("/v1/kills", KILLED)
        words = ("kill", "all", "--reason", "x", "--admin", pages.url, "--token", "t0ken")
        assert holdfast(*words).code == 0
    assert pages.tokens == ["Bearer t0ken"]


def test_where_nobody_answers_there_is_another_way(holdfast, here):
    """A proxy that runs without its socket still reads the file."""
    ran = holdfast("kill", "tool:pay", "--reason", "x", "--data-dir", "d")
    assert ran.code == 1
    assert ran.err.endswith("; or write tool:pay into d/kill\n")
    ran = holdfast("kill", "all", "--reason", "x", "--admin", "127.0.0.1:1", "--token", "t")
    assert (ran.code, "or write" in ran.err) == (1, False)
