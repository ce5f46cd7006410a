import json
from typing import Any

import pytest

from proxy.cli.status import watching
from tests.cli.admin import serving

STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "started": "2026-11-28T03:01:14.952Z",
    "uptime": 90_061.0,
    "ready": True,
    "draining": False,
    "listen": "127.0.0.1:8700",
    "policies": {"version": "ab12cd", "loaded": "2026-11-28T03:01:14.952Z", "rejected": None},
    "seconds": 58.0,
    "upstreams": [
        {
            "name": "gateway", "address": "h:1", "protocol": "tools", "path": "/", "circuit": None,
            "well": None, "in_flight": 1, "queued": 0, "calls": 4, "per_second": 123.4,
            "errors": 0.25, "refused": {"a": 2},
        }
    ],
    "tools": [],
    "refused": {},
}  # fmt: skip
TOOL = {
    "upstream": "gateway", "tool": "pay", "circuit": "closed", "in_flight": 3, "queued": 2,
    "calls": 1, "per_second": 0.5, "errors": None, "refused": {}, "p95": 0.0041,
}  # fmt: skip
CIRCUIT = {
    "key": "gateway/pay", "upstream": "gateway", "tool": "pay", "bulkhead": None, "shadow": False,
    "state": "open", "since": "2026-11-28T03:01:14.952Z", "for": 4.2, "why": "consecutive",
    "next_probe_in": 0.5, "window": {"seconds": 60.0, "calls": 7, "failures": 3, "slow": 0},
    "in_a_row": 0, "opens_at": {}, "probes": {"passed": 0, "needed": 2, "under_way": False},
}  # fmt: skip


@pytest.fixture
def pages(here):
    with serving() as found:
        yield found


@pytest.fixture
def status(holdfast, pages):
    def call(*arguments, **changes):
        pages.put("/v1/status", STATUS | changes)
        return holdfast("status", "--admin", pages.url, *arguments)

    return call


def words(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_one_screen(status):
    """Of how it does, its upstreams and its tools."""
    ran = status(tools=[TOOL], refused={"circuit_open": 3, "rate_limited": 7})

    assert (ran.code, ran.err) == (0, "")
    told = words(ran.out)
    assert told[0] == "holdfast 0.1.0 ready up 1 d 1 h at 127.0.0.1:8700"
    assert "gateway – 1 123 25.0% 2 h:1" in told
    assert "gateway/pay closed 3 (2 wait) 0.50 – – 4 ms" in told
    assert told[-2:] == ["rate_limited 7", "circuit_open 3"]
    assert max(map(len, ran.out.splitlines())) <= 80


STORE = {"ok": True, "why": None, "grants": True, "pods": 3, "on_failure": "local"}


def test_the_store_shows_where_there_is_one(status):
    """And how many pods share it."""
    assert "store up, 3 pods live" in status(store=STORE).out
    assert "store" not in status(store=None).out


@pytest.mark.parametrize(
    ("ok", "on_failure", "told"),
    [
        (False, "local", ["store down, 3 pods live", "it hangs; this pod goes on by what it has"]),
        (False, "deny", ["it hangs; what it would have a say in is refused"]),
        (True, "allow", ["store grants nothing, 3 pods", "it hangs; calls go unguarded by it"]),
    ],
)
def test_a_store_that_grants_nothing_says_why(status, ok, on_failure, told):
    """And what follows from it."""
    of = {"ok": ok, "grants": False, "why": "it hangs", "on_failure": on_failure}
    ran = status(store=STORE | of)
    for line in told:
        assert line in ran.out


FLEET = {
    "name": "shop", "pods": 3, "minutes": 15, "at": "2026-11-28T03:02:30.161Z",
    "since": "2026-11-28T02:48:00.000Z", "told": 3, "calls": 18204, "succeeded": 18127,
    "failed": 61, "refused": 12, "attempts": 18310, "p50": 0.0031, "p99": 0.0412, "spent": "12.87",
    "budgets": [],
}  # fmt: skip


def test_all_pods_show_as_one(status):
    """What they counted, below the store."""
    told = words(status(store=STORE, fleet=FLEET).out)
    at = told.index("store up, 3 pods live")
    assert told[at + 1 : at + 3] == [
        "fleet shop, last 15 min: 18,204 calls, 0.3% failed, 12 refused",
        "p50 3 ms, p99 41 ms, 12.87 USD",
    ]
    assert "fleet" not in status(store=None, fleet=None).out


def test_a_fleet_of_which_nothing_is_known(status):
    """Or that does nothing."""
    nothing = dict.fromkeys(FLEET) | {"name": "shop", "minutes": 15}
    assert "fleet shop: nothing was heard of it yet" in status(store=STORE, fleet=nothing).out
    idle = FLEET | {"calls": 0, "refused": 0, "p50": None, "p99": None, "spent": "0.00"}
    told = words(status(store=STORE, fleet=idle).out)
    assert told[told.index("fleet shop, last 15 min: 0 calls") + 1] == "0.00 USD"


def test_a_fleet_that_is_not_heard_of_says_as_of_when(status):
    """The store is gone."""
    told = status(store=STORE | {"ok": False, "grants": False}, fleet=FLEET).out
    assert "12.87 USD · as of 2026-11-28T03:02:30.161Z" in " ".join(told.split())


KILL = {
    "scope": "agent:pay-*", "reason": "wrong recipients", "by": "alice",
    "since": "2026-11-28T03:01:14.952Z", "until": "2026-11-28T04:00:00.000Z",
}  # fmt: skip


def test_what_is_killed_comes_first(status):
    """Nobody who looks misses it."""
    ran = status(kills={"count": 3, "items": [KILL, KILL | {"until": None, "scope": "all"}]})
    told = " ".join(words(ran.out)[:6])
    assert told.startswith(
        "KILLED agent:pay-* since 2026-11-28T03:01:14.952Z until 2026-11-28T04:00:00.000Z "
        "by alice: wrong recipients KILLED all since 2026-11-28T03:01:14.952Z by alice: wrong "
        "recipients and 1 more: GET /v1/kills has them all"
    )
    elsewhere = status(
        kills={"count": 1, "items": [KILL | {"until": None, "pod": "host-b/1a2b3c"}]}
    )
    assert "by alice on host-b/1a2b3c: wrong" in " ".join(words(elsewhere.out))
    assert "KILLED" not in status(kills={"count": 0, "items": []}).out


JOURNAL = {
    "ok": True, "state": "ok", "why": None, "tampered": None, "held": 0, "dropped": 0, "seq": 1204,
    "checkpointed": 1200,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, ["journal ok, 1204 records, 1200 of them signed"]),
        (
            {"ok": False, "state": "full", "why": "No space left", "held": 4, "dropped": 2},
            ["journal full, 1204 records, 1200 of them signed · 4 wait: No space left · 2 lost"],
        ),
        (
            {"tampered": "00000001.jsonl line 7"},
            [
                "journal ok, 1204 records, 1200 of them signed",
                "Something in the journal does not hold:",
                "00000001.jsonl line 7",
            ],
        ),
    ],
)
def test_the_journal_has_a_line(status, changes, lines):
    """What does not hold in it has one more."""
    told = words(status(journal=JOURNAL | changes).out)

    assert told[2 : 2 + len(lines)] == lines


def test_an_upstream_that_its_probes_find_unwell(status):
    """Beside its circuit, which may not know it yet."""
    (upstream,) = STATUS["upstreams"]
    told = words(status(upstreams=[upstream | {"circuit": "closed", "well": False}]).out)

    assert "gateway closed unwell 1 123 25.0% 2 h:1" in told


def test_before_anything_was_called(status):
    """That is said, rather than an empty table."""
    assert "no tool was called yet" in status().out


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"ready": False}, "not ready"), ({"ready": False, "draining": True}, "draining")],
)
def test_whether_it_is_ready(status, changes, word):
    """In the first line."""
    assert f"0.1.0  {word}  up" in status(**changes).out


def test_a_reload_that_failed(status):
    """Is what one looks for."""
    rejected = {"at": "2026-11-28T03:01:14.952Z", "why": "p.yaml:1:2: unknown key\nanother"}
    told = status(policies={**STATUS["policies"], "rejected": rejected}).out

    assert "The last reload failed, and what was in force before still is:" in told
    assert "\n  p.yaml:1:2: unknown key\n  another\n" in told


def test_what_is_broken_comes_first_and_then_what_is_called_most(status):
    """As many as fit; that there are more is said."""
    tools = [{**TOOL, "tool": f"t{n:02}", "per_second": n, "p95": None} for n in range(25)]
    tools[3]["circuit"] = "open"
    told = words(status(tools=tools).out)
    names = [line.split()[0] for line in told if line.startswith("gateway/")]

    assert names[:3] == ["gateway/t03", "gateway/t24", "gateway/t23"]
    assert len(names) == 20
    assert "and 5 more: --json has them all" in told


def test_names_cannot_speak_to_the_terminal(status):
    """They are what somebody sent, and some are long."""
    told = status(tools=[{**TOOL, "tool": "a\x1b[31mb" + "c" * 99, "p95": 3.21}]).out

    assert "\x1b" not in told
    assert "…" in told
    assert "3.2 s" in told


def test_json(status, holdfast, pages):
    """As the proxy has it."""
    assert json.loads(status("--json").out) == STATUS
    pages.put("/v1/breakers", {"items": [CIRCUIT], "next": None})
    told = holdfast("breakers", "--admin", pages.url, "--json").out
    assert json.loads(told) == {"items": [CIRCUIT], "next": None}


def test_nobody_there(holdfast, here, monkeypatch):
    """Exit 1, one line, and what to do; the address is the settings'."""
    monkeypatch.setenv("HOLDFAST_ADMIN", f"unix:{here}/nothing")
    for command in ("status", "breakers"):
        ran = holdfast(command)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("holdfast: no proxy answers at unix:")
        assert ran.err.count("\n") == 1


@pytest.mark.parametrize("content", [[], 5, {"upstreams": 5}, {**STATUS, "tools": [[[]]]}])
def test_what_answers_may_be_anything(holdfast, pages, content):
    """One line says that it is no admin side of ours."""
    pages.put("/v1/status", content)
    pages.put("/v1/breakers", content)
    for command in ("status", "breakers"):
        told = holdfast(command, "--admin", pages.url)
        assert (told.code, told.out) == (1, "")
        assert told.err.count("\n") == 1
        assert "is no admin side of Holdfast" in told.err


def test_watching_is_for_people(status):
    """A program asks again itself."""
    ran = status("--watch", "--json")

    assert ran.code == 64
    assert "choose one" in ran.err


def test_watching_looks_again_until_interrupted(capsys):
    """Ctrl-C is how it ends, and no error."""
    pauses = []

    def pause():
        pauses.append(1)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    assert watching(lambda: [f"look {len(pauses)}"], pause) == 0
    assert capsys.readouterr().out == "look 0\nlook 1\nlook 2\n"


@pytest.fixture
def breakers(holdfast, pages):
    def call(*circuits, state=()):
        items = [CIRCUIT | changes for changes in circuits]
        pages.put("/v1/breakers", {"items": items, "next": None})
        return holdfast("breakers", "--admin", pages.url, *state)

    return call


def test_each_circuit(breakers):
    """Its state, since when and why, when it may be tried, and its failures."""
    probe = {"passed": 0, "needed": 2, "under_way": True}
    closed = {"state": "closed", "since": None, "for": None, "why": None, "next_probe_in": None}
    told = words(
        breakers(
            {},
            {"bulkhead": "core", "shadow": True, "next_probe_in": 0.0, "why": "new_word"},
            {"state": "half_open", "probes": probe, "for": 125.0, "why": "open_time_over"},
            closed,
        ).out
    )

    assert told[1] == "gateway/pay open 4 s ago failures in a row in 0.5 s 3/7"
    assert told[2] == "core:gateway/pay (shadow) open 4 s ago new_word the next call 3/7"
    assert told[3] == "gateway/pay half_open 2 min 5 s ago its time was over under way 3/7"
    assert told[4] == "gateway/pay closed – – – 3/7"


def test_only_those_in_a_state(breakers, pages):
    """The proxy picks them."""
    told = breakers(state=("--state", "open")).out

    assert pages.asked[-1] == ("/v1/breakers", {"state": "open", "limit": "1000"})
    assert told.startswith("no circuit")


def test_what_was_spent_today_has_a_line(status):
    """By whom, and the fullest budgets; nothing where nobody counts."""
    window: dict[str, Any] = {
        "window": "day", "seconds": None, "limit": "5.00", "spent": "4.90", "reserved": "0.00",
        "share": 0.98, "resets_at": "2026-11-29T00:00:00Z", "alerts": [],
    }  # fmt: skip
    account = {"budget": "cap", "per": "agent", "key": "ann", "windows": [window]}
    agents = [{"agent": "ann", "spent": "4.90"}, {"agent": "", "spent": "0.10"}]
    money = {"since": "2026-11-28T00:00:00Z", "spent": "5.00", "agents": agents}
    told = words(status(money={**money, "fullest": [account]}).out)
    assert told[-3] == "spent today 5.00 USD: ann 4.90, – 0.10"
    assert told[-1] == "cap agent ann day 4.90 0.00 5.00 98% 2026-11-29 00:00"
    told = words(status(money={**money, "spent": "0.00", "agents": [], "fullest": []}).out)
    assert told[-1] == "spent today 0.00 USD"
    assert "spent" not in status(money=None).out
