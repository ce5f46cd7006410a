"""`holdfast audit show --payload`, on a real side store."""

import asyncio
import json

import pytest

from proxy.cli.audit_payload import _shown, lines_of
from proxy.journal.kept import Body
from tests.cli import side


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
    assert "response  1 bytes\n/w==" in ran.out
    assert "\x1b" not in ran.out
    _, line = holdfast("audit", "show", "c1", "--payload", "--json").out.splitlines()
    told = json.loads(line)
    assert (told["id"], told["payload"], told["request"]["bytes"]) == ("c1", "full", 20)
    assert told["request"]["text"] == (b"asked\n" + side.EVIL).decode()
    assert (told["response"]["base64"], len(told["response"]["salt"])) == ("/w==", 64)
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
    told = {"id": "c", "payload": "redacted", "request": _shown(Body(None, 7, True, "why"), b"s")}
    assert list(lines_of(told))[-1].endswith("7 bytes, why")
