"""docs/audit.md: its commands say what it shows, of the journal that docs/journal.md shows."""

import re
import shlex
from pathlib import Path

import pytest

from proxy.cli.audit import audit

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
BLOCKS = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACES = {"json": "journal/00000001.jsonl", "note": "checkpoints", "vkey": "keys/journal.vkey"}
PAGE = (DOCS / "audit.md").read_text("utf-8")


@pytest.fixture
def example(here):
    """The data dir, and a copy of its checkpoints elsewhere."""
    for kind, text in BLOCKS.findall((DOCS / "journal.md").read_text("utf-8")):
        if kind in PLACES:
            path = here / ".holdfast" / PLACES[kind]
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(text, "utf-8")
    (here / "kept").write_bytes((here / ".holdfast" / "checkpoints").read_bytes())
    return here


def test_its_commands_answer_as_it_says(holdfast, example):
    """Every one, in the order of the page."""
    told, shown = [], []
    for kind, text in BLOCKS.findall(PAGE):
        if kind != "sh":
            shown.append(text)
            continue
        out = ""
        for line in text.splitlines():
            command, _, file = line.partition(" > ")
            name, *arguments = shlex.split(command)
            assert name == "holdfast"
            ran = holdfast(*arguments)
            assert (ran.code, ran.err) == (0, ""), line
            if file:
                (example / file).write_text(ran.out)
            out += "" if file else ran.out
        told.append(out)

    assert told == shown


def test_it_has_every_command():
    """In its table."""
    for name in audit.commands:
        assert re.search(rf"^\| `{name}[ `]", PAGE, re.MULTILINE), name
