"""`holdfast audit show --payload`, on a real side store."""

import asyncio
import json

import click
import pytest

from proxy.cli.audit_payload import _shown, lines_of
from proxy.journal.folder import Folder
from proxy.journal.kept import FULL, Body, Content, row_of
from proxy.journal.lookup import find
from proxy.journal.rows import Places, Rows
from proxy.journal.sealing import Key, Who
from proxy.record import Intent
from tests.cli import side
from tests.journal.stored import key_of

_NAMES = ("x", "x", "x", "x", "x", "x", "x", "x", "x")
"""Of an intent: agent, upstream and so on."""


@pytest.fixture
def folder(here):
    """Two calls, whose process has stopped."""
    asyncio.run(side.keep(here / ".holdfast"))
    return here / ".holdfast"


def test_a_payload_is_shown_with_its_record(holdfast, folder):
    """For people it is harmless; as JSON it has what proves it."""
    ran = holdfast("audit", "show", "c1", "--payload")
    assert ran.code == 0
    assert "request  20 bytes\nasked\n\\x1b]0;owned" in ran.out
    assert (
        "request   as the journal committed to\nresponse  as the journal committed to\n" in ran.out
    )
    assert "response  1 bytes\n/w==" in ran.out
    assert "\x1b" not in ran.out
    _, line = holdfast("audit", "show", "c1", "--payload", "--json").out.splitlines()
    told = json.loads(line)
    assert (told["id"], told["payload"], told["request"]["bytes"]) == ("c1", "full", 20)
    assert told["request"]["text"] == (b"asked\n" + side.EVIL).decode()
    assert (told["response"]["base64"], len(told["response"]["salt"])) == ("/w==", 64)
    assert [told[part]["committed"] for part in ("request", "response")] == [True, True]
    assert "response" not in json.loads(
        holdfast("audit", "show", "c2", "--payload", "--json").out.splitlines()[1]
    )


def test_what_is_erased_or_unreadable_is_no_payload(holdfast, folder):
    """The record is shown all the same."""
    assert holdfast("audit", "erase", "--task", "t-1").code == 0
    ran = holdfast("audit", "show", "c1", "--payload")
    assert ran.code == 1
    assert "no payload is kept of c1" in ran.err
    assert "call.finished" in ran.out
    (folder / "keys" / "payload.key").unlink()
    assert holdfast("audit", "show", "c2", "--payload").code == 2


def test_a_part_that_is_not_kept_says_why():
    """In its place."""
    told = {
        "id": "c",
        "payload": "redacted",
        "request": _shown(Body(None, 7, True, "why"), b"s", "ab"),
    }
    assert list(lines_of(told))[-1].endswith("7 bytes, why")
    assert "request   nothing to compare: it is not kept" in map(click.unstyle, lines_of(told))


def swap(folder, record, content, own_key=False):
    """Somebody who may write the folder and has its key puts another payload in its place."""
    found = find(Places(folder), record)
    assert found is not None
    key = key_of("t-1", "ann") if own_key else Key(found.key, 0, Who(), found.secret)
    rows = Rows(Places(folder))
    rows.insert([key] if own_key else [], [row_of(key, record, content)])
    rows.close()


@pytest.mark.parametrize("own_key", [False, True])
def test_a_payload_that_was_swapped_is_told(holdfast, folder, own_key):
    """Also where it says of itself that it is the right one; what was left as it was still is."""
    asked = b"harmless\nrequest   as the journal committed to"
    answer = Body(b"\xff", 1)
    swap(folder, "c1", Content(FULL, Body(asked, 20), answer), own_key)

    ran = holdfast("audit", "show", "c1", "--payload")

    assert ran.code == 1
    said = "NOT what" if own_key else "as"
    lines = (
        f"request   NOT what the journal committed to\nresponse  {said} the journal committed to\n"
    )
    assert f"payload   full\n{lines}" in ran.out
    parts = "request and the response" if own_key else "request"
    assert f"what is kept as the {parts} of c1 is not what the journal committed to" in ran.err
    ran = holdfast("audit", "show", "c1", "--payload", "--json")
    assert ran.code == 1
    told = json.loads(ran.out.splitlines()[1])
    assert (told["request"]["committed"], told["response"]["committed"]) == (False, not own_key)


def test_what_the_journal_says_nothing_of_is_not_compared(holdfast, folder):
    """It is neither right nor wrong, and says so."""
    swap(folder, "c2", Content(FULL, Body(b"two", 3), Body(b"planted", 7)))

    ran = holdfast("audit", "show", "c2", "--payload")

    assert ran.code == 0
    assert "response  nothing to compare: the journal has no commitment to it\n" in ran.out
    ran = holdfast("audit", "show", "c2", "--payload", "--json")
    told = json.loads(ran.out.splitlines()[1])
    assert (told["request"]["committed"], told["response"]["committed"]) == (True, None)


def test_an_intent_has_what_its_call_committed_to(holdfast, here):
    """The commitment stands in the end of the call, whichever of its records is asked for."""
    asyncio.run(side.keep(here / ".holdfast", Intent("c1", *_NAMES)))
    first, _ = holdfast("audit", "show", "c1", "--json").out.splitlines()

    ran = holdfast("audit", "show", json.loads(first)["seq"], "--payload")

    assert ran.code == 0
    assert "call.intent" in ran.out
    assert "call.finished" not in ran.out
    assert "request   as the journal committed to\n" in ran.out


def test_a_call_without_an_end_has_committed_to_nothing(holdfast, here):
    """A kill may leave its payload, and take its record."""
    key = key_of("t-3", "ann")
    asyncio.run(side.keep(here / ".holdfast", Intent("c9", *_NAMES)))
    rows = Rows(Places(here / ".holdfast"))
    rows.insert([key], [row_of(key, "c9", Content(FULL, Body(b"lost", 4), None))])
    rows.close()

    ran = holdfast("audit", "show", "c9", "--payload")

    assert ran.code == 0
    assert "request   nothing to compare: the journal has no commitment to it\n" in ran.out


def test_a_commitment_that_cannot_be_read_is_no_commitment(holdfast, folder):
    """It is told, not left out."""
    path = Folder(folder).segment(1)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(
        b"".join(line.replace(b'"request":{', b'"request":{"bytes":"",') for line in lines)
    )

    ran = holdfast("audit", "show", "c1", "--payload")

    assert (ran.code, "what c1 commits to cannot be read" in ran.err) == (1, True)
