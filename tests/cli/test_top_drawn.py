"""proxy/cli/top_drawn.py: what is on the screen, and that nobody paints it but us."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from proxy.cli.top_drawn import Frame, bar
from proxy.cli.top_view import View
from tests.cli.top_scene import (
    AGENT,
    ALERT,
    ASKED,
    BUDGET,
    CIRCUIT,
    COUNTS,
    JOURNAL,
    KILL,
    MONEY,
    TOOL,
    WINDOW,
    listed,
    seen,
    status,
    waiting,
)

EVIL = "[bold red]\x1b]0;owned\x07\x1b[2J\r\n\u202e[/]:smile:[link=http://x]x"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def drawn(told, view=None, width=80, height=None, trouble="", keys=False):
    """The text, with its colours."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, _environ={})
    options = console.options.update(height=height)
    frame = Frame(told, view or View(), trouble, keys)
    lines = console.render_lines(frame, options, pad=False)
    console.print(frame)
    if height is None:
        return console.file.getvalue()
    return "\n".join("".join(part.text for part in row) for row in lines).rstrip()


def words(text):
    """Lines without colours and gaps."""
    return [" ".join(line.split()) for line in COLOUR.sub("", text).splitlines()]


def crowded(n, name="t"):
    """Much of everything."""
    tools = [TOOL | {"tool": f"{name}{at:02}"} for at in range(n)]
    agents = [AGENT | {"id": f"{name}{at:02}"} for at in range(n)]
    budgets = [BUDGET | {"key": f"{name}{at:02}"} for at in range(n)]
    money = MONEY | {"fullest": budgets}
    kills = {"count": n, "items": [KILL] * min(n, 20)}
    return seen(
        tools=tools,
        money=money,
        kills=kills,
        open=listed(*[CIRCUIT] * min(n, 20), count=n),
        agents=listed(*agents),
        waiting=waiting(ASKED),
        alerts={"firing": n, "items": [ALERT] * min(n, 5)},
    )


def test_one_look_says_it():
    """What is killed, how much, how bad, how slow, what it costs, who waits."""
    found = seen(
        tools=[TOOL | {"circuit": "open", "errors": 0.25, "queued": 2, "cost_per_hour": "0.001"}],
        together=COUNTS | {"per_second": 123.4, "errors": 0.021, "cost_per_hour": "1234.5678"},
        refused={"circuit_open": 1234},
        money=MONEY,
        kills={"count": 1, "items": [KILL]},
        open=listed(CIRCUIT),
        agents=listed(AGENT | {"spent": "4.10"}),
        waiting=waiting(ASKED),
        alerts={"firing": 1, "items": [ALERT]},
    )

    assert words(drawn(found)) == [
        "KILLED agent:pay-* 1 min ago, 10 min left by alice: wrong recipients",
        "PAGE SloBurn 30 s ago: works: 4 of 29 bad in 6h",
        "holdfast 0.1.0 ready up 1 min journal ok policies ab12cd",
        "123 calls/s 2.1% failed p99 9 ms 3 in flight 1,234.57 USD/h 4.10 today",
        "refused circuit_open 1,234",
        "OPEN gateway/pay for 4 s: failures in a row, a probe in 6 s",
        "approvals: 1 wait, the oldest for 2 min: pay by a-1",
        "TOOL CIRCUIT NOW CALLS/S FAILED P99 USD/H",
        "gateway/pay open 3 (2 wait) 0.50 25.0% 9 ms <0.01",
        "BUDGET (USD) WINDOW USED LEFT RESETS IN",
        "agent: agent a-1 hour 82% ████████░░ 0.88 59 min",
        "AGENT NOW CALLS/S REFUSED LAST USD TODAY",
        "a-1 2 2.00 3 5 s ago 4.10",
    ]


def test_what_is_killed_is_red():
    """And on top of all but that the figures are old."""
    text = drawn(seen(kills={"count": 5, "items": [KILL] * 5}), trouble="no proxy answers")
    lines = text.splitlines()

    assert words(text)[0] == "NO ANSWER, the figures are old: no proxy answers"
    assert all(line.startswith("\x1b[1;31m") for line in lines[:5])
    assert words(text)[1].startswith("KILLED")
    assert words(text)[4] == "and 2 more are killed"


def test_what_is_wrong_in_the_house_is_told():
    """Of circuits, the journal, the store, and the last reload: in the order of the dashboard."""
    journal = JOURNAL | {
        "ok": False, "state": "full", "why": "No space", "held": 4, "dropped": 2,
        "tampered": "1.jsonl line 7",
    }  # fmt: skip
    policies = status()["policies"] | {"rejected": {"at": "x", "why": "p.yaml:1: no\nmore"}}
    store = {"ok": True, "why": "it gathers", "grants": False, "pods": 2, "on_failure": "local"}
    wrong = {"journal": journal, "store": store, "policies": policies, "open": listed(CIRCUIT)}
    lines = words(drawn(seen(ready=False, waiting=waiting(ASKED), **wrong)))

    assert lines[0] == "holdfast 0.1.0 not ready up 1 min policies ab12cd"
    assert lines[2:9] == [
        "OPEN gateway/pay for 4 s: failures in a row, a probe in 6 s",
        "approvals: 1 wait, the oldest for 2 min: pay by a-1",
        "journal full, 4 wait: No space",
        "journal: 2 records are lost",
        "journal does not hold: 1.jsonl line 7",
        "store: it gathers",
        r"the last reload failed: p.yaml:1: no\nmore",
    ]


def test_before_anything_happened():
    """That is said; what nobody knows is a dash."""
    none = COUNTS | {"errors": None, "p99": None}
    told = seen(tools=[], together=none, journal=None)
    assert words(drawn(told))[-1] == "no tool was called yet"
    assert "– failed p99 –" in words(drawn(told))[1]

    bare = AGENT | {"id": None, "last_seen": None, "in_flight": 0, "refused": {}}
    window = WINDOW | {"resets_at": None}
    circuit = CIRCUIT | {"for": None, "why": None, "next_probe_in": None}
    money = MONEY | {"agents": [], "fullest": [BUDGET | {"windows": [window]}]}
    alone = seen(
        tools=[TOOL | {"circuit": None, "refused": {}}],
        money=money,
        open=listed(circuit),
        agents=listed(bare, bare | {"others": True}),
        waiting=waiting(ASKED | {"tool": None, "agent": None}),
    )
    lines = words(drawn(alone))
    assert "OPEN gateway/pay" in lines
    assert "approvals: 1 wait, the oldest for 2 min: – by –" in lines
    assert lines[-2:] == ["nobody knew – 2.00 – – –", "others – 2.00 – – –"]
    assert "agent: agent a-1 hour 82% ████████░░ 0.88 –" in lines


@pytest.mark.parametrize("width", [60, 80, 130])
def test_nobody_paints_the_terminal(width):
    """Names and reasons come from agents. What a terminal would obey, and what rich would, is shown
    as it was written, wherever it stands."""
    told = seen(
        version=EVIL,
        tools=[TOOL | {"upstream": EVIL, "tool": EVIL, "circuit": EVIL, "cost_per_hour": "1"}],
        kills={"count": 1, "items": [KILL | {"scope": EVIL, "by": EVIL, "reason": EVIL}]},
        refused={EVIL: 1},
        journal=JOURNAL | {"ok": False, "state": EVIL, "why": EVIL, "tampered": EVIL},
        policies={"version": EVIL, "rejected": {"why": EVIL}},
        money={
            "spent": EVIL,
            "agents": [{"agent": EVIL, "spent": EVIL}],
            "fullest": [BUDGET | {"budget": EVIL, "per": EVIL, "key": EVIL}],
        },
        open=listed(CIRCUIT | {"key": EVIL, "why": EVIL}),
        agents=listed(AGENT | {"id": EVIL}),
        waiting=waiting(ASKED | {"tool": EVIL, "agent": EVIL}),
        alerts={"firing": 1, "items": [ALERT | {"name": EVIL, "summary": EVIL}]},
    )
    text = drawn(told, width=width, trouble=EVIL)
    plain = COLOUR.sub("", text)

    assert all(each.isprintable() or each == "\n" for each in plain)
    assert plain.count("[bold red]") >= 9
    assert r"KILLED [bold red]\x1b]0;owned\x07\x1b[2J\r\n" in plain
    assert "\U0001f604" not in plain


@given(st.text(), st.integers(60, 140))
def test_no_text_breaks_a_line_or_leaves_the_screen(name, width):
    """However wide its letters are."""
    told = seen(tools=[TOOL | {"tool": name}], kills={"count": 1, "items": [KILL | {"by": name}]})
    lines = COLOUR.sub("", drawn(told, width=width)).splitlines()

    assert len(lines) == 5
    assert all(cell_len(line) <= width for line in lines)


@given(st.integers(0, 60), st.integers(24, 80), st.integers(60, 200))
def test_it_fits_the_screen(n, height, width):
    """Down to its last line: what did not fit would be cut. Some tools are always there."""
    lines = words(drawn(crowded(n), width=width, height=height, keys=True))

    assert lines[-1] == "q quits p pauses s sorts j/k scroll"
    tools = sum(line.startswith(("t0", "gateway/t")) for line in lines)
    assert tools >= min(n, 3)


def test_little_by_little_columns_are_left_out():
    """The narrower, the fewer; the names stay."""
    told = crowded(1)
    heads = [words(drawn(told, width=width))[6] for width in (60, 80, 100)]

    assert heads == [
        "TOOL CIRCUIT NOW CALLS/S FAILED P99",
        "TOOL CIRCUIT NOW CALLS/S FAILED P99 USD/H",
        "TOOL CIRCUIT NOW CALLS/S FAILED P95 P99 REFUSED USD/H",
    ]
    assert "t00 closed" in " ".join(words(drawn(told, width=60)))


def test_scrolling_shows_the_others():
    """Where one is, is said; the end of the list stays at the end of the table."""
    told = seen(tools=[TOOL | {"tool": f"t{at:02}"} for at in range(30)])

    first = words(drawn(told))
    assert first[2].startswith("TOOL CIRCUIT")
    assert first[3].startswith("gateway/t00")
    assert first[-1] == "1 to 20 of 30 tools"
    assert words(drawn(told, View(first=4)))[-1] == "5 to 24 of 30 tools"
    assert words(drawn(told, View(first=29)))[-1] == "11 to 30 of 30 tools"


def test_what_was_chosen_is_said():
    """The order of tools, and that it stands still."""
    lines = words(drawn(seen(), View(order="cost", paused=True)))

    assert lines[0].startswith("PAUSED holdfast")
    assert lines[2].startswith("TOOL by cost CIRCUIT")


def test_bars():
    """Of whole columns; what is over is full."""
    assert bar(0.5, 4, ascii_only=False) == "██░░"
    assert bar(1.7, 4, ascii_only=True) == "####"
    assert bar(-1.0, 4, ascii_only=True) == "...."
