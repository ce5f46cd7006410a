"""proxy/cli/top.py: the command, in a terminal and without one."""

import asyncio
import json
import os
import signal
import threading
from queue import SimpleQueue

import pytest

from proxy.cli.asking import Unanswered
from proxy.cli.top import Asking, Screen, looking, signals
from proxy.cli.top_figures import Figures
from proxy.cli.top_view import View
from tests.cli.admin import serving
from tests.cli.teletype import teletype
from tests.cli.top_scene import AGENT, KILL, listed, seen, status
from tests.harness import RawUpstream, answer, holdfast, request

PROBLEM = {"type": "about:blank", "title": "Forbidden", "detail": "not open to you"}
INSIDE, OUTSIDE = "\x1b[?1049h", "\x1b[?1049l"
"""Onto the screen that is wiped away, and back from it."""


@pytest.fixture
def pages(here, monkeypatch):
    monkeypatch.delenv("HOLDFAST_TOKEN", raising=False)
    with serving() as found:
        found.put("/v1/overview", status())
        yield found


def test_one_screen_without_a_terminal(holdfast, pages):
    """Where output is no terminal there is no other, and no escape in it."""
    pages.put("/v1/overview", status(agents=listed(AGENT)))
    for arguments in ((), ("--once",)):
        ran = holdfast("top", "--admin", pages.url, *arguments)

        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith("holdfast  0.1.0  ready  up 1 min  journal ok")
        assert "gateway/pay" in ran.out
        assert "\na-1 " in ran.out
        assert "\x1b" not in ran.out


def test_as_json(holdfast, pages):
    """One object with all of it, names as they are."""
    pages.put("/v1/overview", status(kills={"count": 1, "items": [KILL | {"by": "\x1b[31m"}]}))
    ran = holdfast("top", "--json", "--admin", pages.url)

    told = json.loads(ran.out)
    assert ran.code == 0
    assert told["kills"][0]["by"] == "\x1b[31m"
    assert (told["tools"][0]["tool"], told["agents"]) == ("pay", [])


def test_the_socket_of_the_data_dir_is_asked_first(holdfast, here, monkeypatch):
    """It needs no token; if there is none, the address of the settings is asked."""
    monkeypatch.setenv("HOLDFAST_TOKEN", "another's")
    (here / "state").mkdir()
    with serving(str(here / "state" / "admin.sock")) as door:
        door.put("/v1/overview", status())
        assert holdfast("top", "--json", "--data-dir", here / "state").code == 0
        assert door.tokens == []
        monkeypatch.setenv("HOLDFAST_DATA_DIR", str(here / "state"))
        assert holdfast("top", "--json").code == 0
    monkeypatch.setenv("HOLDFAST_DATA_DIR", str(here / "none"))
    with serving() as pages:
        pages.put("/v1/overview", status())
        monkeypatch.setenv("HOLDFAST_ADMIN", pages.url.removeprefix("http://"))
        assert holdfast("top", "--json").code == 0
        assert set(pages.tokens) == {"Bearer another's"}


def test_nobody_answers_at_the_start(holdfast, pages):
    """Or somebody else does: that is an error, and nothing is drawn."""
    pages.put("/v1/overview", PROBLEM, status=403)
    ran = holdfast("top", "--once", "--admin", pages.url)
    assert (ran.code, ran.out) == (1, "")
    assert "refuses: not open to you" in ran.err

    pages.put("/v1/overview", {"what": "else"})
    ran = holdfast("top", "--admin", pages.url)
    assert (ran.code, ran.out) == (1, "")
    assert "is no admin side of Holdfast" in ran.err


def test_wrong_usage(holdfast, pages):
    """A pause of nothing would be a load."""
    assert holdfast("top", "--interval", "0", "--admin", pages.url).code == 64


def test_it_draws_obeys_its_keys_and_leaves_no_trace(pages):
    """The terminal is as it was, and what stood there before is there again."""
    with teletype("top", "--admin", pages.url, "--interval", "0.2") as screen:
        screen.until(INSIDE)
        screen.until("gateway/pay")
        screen.until("q quits")
        assert screen.modes != screen.before
        screen.press("s")
        screen.until("TOOL by calls")
        screen.press("p")
        screen.until("PAUSED")
        screen.press("q")
        screen.until(OUTSIDE)
        assert screen.exited() == 0
        assert screen.modes == screen.before


@pytest.mark.parametrize(("key", "code"), [("\x03", 0), ("", 143)])
def test_being_interrupted_leaves_no_trace_either(pages, key, code):
    """By Ctrl-C, which is how people leave, or by a signal."""
    with teletype("top", "--admin", pages.url) as screen:
        screen.until("q quits")
        screen.press(key) if key else screen.end()
        screen.until("\x1b[?25h")
        assert screen.exited() == code
        assert screen.modes == screen.before


def test_without_keys_it_draws_all_the_same(pages):
    """Standard input is no terminal: nothing of it is read, and it goes on."""
    with teletype("top", "--admin", pages.url, "--interval", "0.2", keys=False) as screen:
        assert "q quits" not in screen.until("gateway/pay")
        pages.put("/v1/overview", status(version="0.2.0"))
        screen.until("0.2.0")
        screen.end()
        assert screen.exited() == 143


def test_a_proxy_that_is_gone_is_asked_again(pages):
    """That is said, over what was seen last."""
    with teletype("top", "--admin", pages.url, "--interval", "0.2") as screen:
        screen.until("gateway/pay")
        pages.put("/v1/overview", PROBLEM, status=403)
        screen.until("NO ANSWER")
        screen.until("gateway/pay")
        pages.put("/v1/overview", status(version="0.2.0"))
        assert "NO ANSWER" not in screen.until("0.2.0").rpartition("\x1b[H")[2]


def test_a_pause_holds_still(pages):
    """What comes after it is new."""
    with teletype("top", "--admin", pages.url, "--interval", "0.2") as screen:
        screen.until("gateway/pay")
        screen.press("p")
        screen.until("PAUSED")
        pages.put("/v1/overview", status(version="0.2.0"))
        screen.press("j")
        assert "0.2.0" not in screen.until("q quits")
        screen.press("p")
        screen.until("0.2.0")


def test_another_size_is_drawn_at_once(pages):
    """As wide as it is now; long before the next look."""
    with teletype("top", "--admin", pages.url, "--interval", "3600") as screen:
        assert "P95" not in screen.until("q quits")
        screen.resize(40, 130)
        screen.until("P95")
        screen.until("q quits")
        screen.resize(12, 60)
        assert "gateway/pay" not in screen.until("q quits")


async def test_a_real_proxy():
    """Its kills, its tools, its money, its people; in a terminal, and as one object."""
    policies = """
    policies:
      - {name: dear, match: {tool: deposit}, cost: 0.01}
      - {name: asked, match: {tool: pay}, risk: high, approval: {hold: 0s}}
    budgets: [{name: agent, per: agent, hour: 0.04}]
    kill: [{scope: "tool:wire", reason: "[blink]case 12"}]
    """
    async with RawUpstream() as far, holdfast(far, "tools", policies) as proxy:
        far.script.extend([answer(200, body=b"{}")] * 2)
        for tool in ("deposit", "deposit", "wire", "pay"):
            await proxy.call(request(f"/v1/{tool}", method="POST", body=b"{}"))
        door = f"unix:{proxy.folder / 'state' / 'admin.sock'}"

        def watch() -> int:
            with teletype("top", "--admin", door) as screen:
                screen.until("[blink]case 12")
                screen.until("approvals: 1 wait")
                screen.until("gateway/deposit")
                screen.until("agent: agent")
                screen.press("q")
                return screen.exited()

        assert await asyncio.to_thread(watch) == 0
        told = await asyncio.to_thread(looking(door))

    assert {"deposit", "pay"} <= {tool.tool for tool in told.tools}
    assert (told.killed, told.spent) == (1, "0.02")
    assert told.refused == {"approval_pending": 1, "killed": 1}
    assert told.waiting is not None
    assert (told.waiting.count, told.waiting.tool) == (1, "pay")
    assert [(one.budget, one.left) for one in told.purses] == [("agent", "0.02")]
    assert told.agents is not None
    assert told.agents[0].refused == 2


def test_what_goes_wrong_is_an_answer_and_it_asks_on():
    """One question after the other, by one thread."""
    happens = iter([seen(), Unanswered("gone"), KeyError("a bug"), seen()])
    threads = set()

    def look():
        threads.add(threading.get_ident())
        happened = next(happens, Unanswered("gone"))
        if isinstance(happened, Exception):
            raise happened
        return happened

    with Asking(look, 0.001) as asking:
        answers = [asking.answers.get(timeout=30) for _ in range(4)]
        assert os.read(asking.bell, 1) == b"!"

    names = [type(each).__name__ for each in answers]
    assert names == ["Figures", "Unanswered", "KeyError", "Figures"]
    assert len(threads) == 1


def test_no_answer_is_shown_and_a_bug_is_not_hidden():
    """What was seen last stays until there is something newer; a pause keeps it too."""
    screen = Screen(seen(), View())
    answers: SimpleQueue[Figures | Exception] = SimpleQueue()
    answers.put(Unanswered("gone"))
    screen.take(answers)
    assert (screen.trouble, screen.figures.version) == ("gone", "0.1.0")
    screen.press(["p"])
    answers.put(seen(version="0.2.0"))
    screen.take(answers)
    assert (screen.trouble, screen.figures.version) == ("gone", "0.1.0")
    screen.press(["p"])
    answers.put(seen(version="0.3.0"))
    screen.take(answers)
    assert (screen.trouble, screen.figures.version) == ("", "0.3.0")
    answers.put(KeyError("a bug"))
    with pytest.raises(KeyError):
        screen.take(answers)


def test_signals_ring_and_are_put_back():
    """Who comes after finds them as they were."""
    before = signal.getsignal(signal.SIGTERM)
    with Asking(seen, 3600) as asking:
        with signals(asking.rope):
            assert signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN
            signal.raise_signal(signal.SIGWINCH)
        assert os.read(asking.bell, 1) == bytes([signal.SIGWINCH])
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1
