import json
import runpy
import sys
from pathlib import Path

import pytest

from proxy.lab.demo import acts
from proxy.lab.demo.acts import ACTS
from proxy.lab.demo.play import Act

ROOT = Path(__file__).resolve().parent.parent.parent
RECORDING = runpy.run_path(str(ROOT / ".ci" / "recording.py"))


@pytest.fixture
def play(monkeypatch):
    """Has the command play these acts instead."""

    def put(*made):
        monkeypatch.setattr(acts, "ACTS", tuple(Act(title, act) for title, act in made))

    return put


def test_all_goes_as_it_says_and_as_docs_show_it(holdfast, here):
    """With a real proxy and a real gateway; every act, in the words of docs/demo.md. It leaves
    nothing behind."""
    ran = holdfast("demo")

    assert (ran.code, ran.err) == (0, ""), ran.out
    assert all(f"\n{number}. {act.title}\n" in ran.out for number, act in enumerate(ACTS, 1))
    assert max(map(len, ran.out.splitlines())) <= 96
    assert list(here.iterdir()) == []
    words, page = RECORDING["words"], RECORDING["PAGE"].read_text(encoding="utf-8")
    shown = words(RECORDING["recorded"](page))
    assert words(RECORDING["steady"](ran.out)) == shown, "run make docs"


def test_json(holdfast, here, play):
    """The same for programs: each act with its story and its promises, and nothing else."""

    async def half(play):
        play.tell("agent", "flies")
        play.expect("birds fly", True)
        play.expect("pigs fly", False)

    play(("An act", half))
    ran = holdfast("demo", "--json")

    assert ran.code == 1
    assert json.loads(ran.out) == {
        "ok": False,
        "acts": [
            {
                "act": "An act",
                "story": [{"who": "agent", "did": "flies"}],
                "promises": [
                    {"promise": "birds fly", "held": True},
                    {"promise": "pigs fly", "held": False},
                ],
            }
        ],
    }


def test_says_when_something_does_not(holdfast, here, play):
    """Exit 1."""

    async def broken(play):
        play.expect("birds fly", True)
        play.expect("pigs fly", False)

    play(("An act", broken))
    ran = holdfast("demo")

    assert ran.code == 1
    assert "NOT SO    pigs fly" in ran.out
    assert ran.out.endswith("NOT all went as said: 1 of 2 promises; see above.\n")


class Ran:
    """What a process came to."""

    def __init__(self, out, code=0):
        self.stdout, self.stderr, self.returncode = out, "why\n", code


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page of an older demo; `page.plays` says what the demo prints now."""
    path = tmp_path / "demo.md"
    path.write_text(
        "Mine.\n<!-- made: recording -->\n\n```text\nold\n```\n\n<!-- made by make docs -->\nToo.\n"
    )
    run = RECORDING["main"]
    monkeypatch.setitem(run.__globals__, "PAGE", path)

    def plays(out, code=0, *, check=False):
        monkeypatch.setattr(sys, "argv", ["recording.py", *(["--check"] if check else [])])
        monkeypatch.setattr("subprocess.run", lambda *_, **__: Ran(out, code))
        return run()

    return path, plays


def test_the_recording_is_made_where_it_is_stale(page, capsys):
    """`--check` writes nothing; another run with other ids is no other demo."""
    path, plays = page
    before = path.read_text()

    assert plays("call 0a1b2c3d-1f\n", check=True) == 1
    assert capsys.readouterr().err == "docs/demo.md is stale: run make docs\n"
    assert path.read_text() == before

    assert plays("call 0a1b2c3d-1f\n") == 0
    made = path.read_text()
    assert "```text\ncall 5d2e7a10-1f\n```\n" in made
    assert made.startswith("Mine.\n")
    assert made.endswith("-->\nToo.\n")
    assert plays("call ffffffff-1f\n", check=True) == 0


def test_a_demo_that_fails_is_not_recorded(page, capsys):
    """The page stays, and what was printed is shown."""
    path, plays = page
    before = path.read_text()

    assert plays("NOT SO\n", 1) == 1
    assert capsys.readouterr().err == "holdfast demo: exit 1\nNOT SO\nwhy\n"
    assert path.read_text() == before
