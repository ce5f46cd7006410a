"""`holdfast audit erase` and `show --payload`, on real folders and a real side store."""

import asyncio
import json
import socket

import pytest

from proxy.clock import Clock
from proxy.config.settings import Settings
from proxy.journal.redaction import rules_of
from proxy.journal.sealing import Who
from proxy.journal.taking import Parcel, Taken, Wish
from proxy.journal.verify import verify
from proxy.news import News
from proxy.observe.logs import Log
from proxy.trail import Trail
from tests.cli.admin import serving
from tests.journal.stored import columns
from tests.journal.written import lines
from tests.observe.records import record

EVIL = b"\x1b]0;owned\x07 \xe2\x80\xae"


async def _kept(folder):
    clock = Clock()
    log = Log(clock, "error")
    trail = Trail(Settings(data_dir=str(folder)), clock, News(), log)
    await trail.start()
    trail.aside.open()
    wish = Wish("full", rules_of(()), 1000)
    for name, task, bodies in (
        ("c1", "t-1", (b"asked\n" + EVIL, b"\xff")),
        ("c2", "t-2", (b"two", None)),
    ):
        asked, told = (None if body is None else _taken(body) for body in bodies)
        parcel = Parcel(record(id=name), Who(task, "ann"), wish, asked, told, clock.now())
        trail.aside.keep(parcel)
    await trail.stop()
    log.close()


def _taken(body):
    return Taken((body,), len(body), True)


@pytest.fixture
def folder(here):
    """Two calls, whose process has stopped."""
    asyncio.run(_kept(here / ".holdfast"))
    return here / ".holdfast"


def erasures(folder):
    told = [json.loads(line) for line in lines(folder)]
    return [each for each in told if each["type"] == "erasure"]


def test_it_erases_where_no_proxy_runs(holdfast, folder):
    """As the one process that has the folder; all of it verifies."""
    ran = holdfast("audit", "erase", "--task", "t-1", "--reason", "case 12")
    begun, done = erasures(folder)
    said = "task t-1: 1 payloads and 1 keys are destroyed; recorded as"
    assert (ran.code, ran.err, ran.out) == (0, "", f"{said} {done['id']}\n")
    assert (begun["reason"], done["stage"]) == ("case 12", "done")
    assert columns(folder, "SELECT record FROM payloads") == ["c2"]
    assert verify(folder).exit == 0
    again = json.loads(holdfast("audit", "erase", "--agent", "ann", "--json").out)
    assert (again["what"], again["payloads"], again["keys"]) == ("agent", 1, 1)


def test_a_running_proxy_does_it_itself(holdfast, here):
    """By its socket; what it refuses is told."""
    (here / ".holdfast" / "journal").mkdir(parents=True)
    told = {"id": "e1", "what": "task", "whose": "t-1", "payloads": 2, "keys": 1}
    with serving(f"{here}/.holdfast/admin.sock") as pages:
        pages.put("/v1/erasures", told)
        ran = holdfast("audit", "erase", "--task", "t-1", "--json")
        assert (ran.code, json.loads(ran.out)) == (0, told)
        assert pages.posted == [{"task": "t-1", "reason": "holdfast audit erase"}]
        problem = {"type": "about:blank", "title": "Conflict", "status": 409, "detail": "a hold"}
        pages.put("/v1/erasures", problem, status=409)
        ran = holdfast("audit", "erase", "--task", "t-1")
        assert ran.code == 1
        assert "a hold" in ran.err


def test_a_socket_that_is_left_is_nobody(holdfast, folder):
    """The process that had it was killed."""
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(folder / "admin.sock"))
    left.close()
    assert holdfast("audit", "erase", "--task", "t-1").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 64, "choose what is erased: --task or --agent"),
        (("--task", "a", "--agent", "b"), 64, "choose what is erased: --task or --agent"),
        (("--subject", "ann"), 1, "--subject: nothing is kept under a subject"),
        (("--task", "a", "--data-dir", "nowhere"), 2, "there is no journal in nowhere"),
    ],
)
def test_what_cannot_be_erased_is_an_error(holdfast, folder, arguments, code, said):
    """That says what to do."""
    ran = holdfast("audit", "erase", *arguments)
    assert ran.code == code
    assert said in ran.err
    assert erasures(folder) == []


def test_a_hold_and_a_broken_folder_are_errors(holdfast, folder):
    """Nothing is destroyed."""
    (folder / "hold").touch()
    ran = holdfast("audit", "erase", "--task", "t-1")
    assert (ran.code, "legal hold" in ran.err) == (1, True)
    (folder / "hold").unlink()
    (folder / "keys" / "payload.key").rename(folder / "kept.key")
    ran = holdfast("audit", "erase", "--task", "t-1")
    assert (ran.code, "payload.key is missing" in ran.err) == (1, True)
    (folder / "lock").unlink()
    (folder / "lock").mkdir()
    ran = holdfast("audit", "erase", "--task", "t-1")
    assert (ran.code, "cannot be written" in ran.err) == (1, True)
    assert len(columns(folder, "SELECT record FROM payloads")) == 2


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
    assert told["request"]["text"] == (b"asked\n" + EVIL).decode()
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


def test_a_part_that_is_not_kept_says_why(holdfast, here):
    """In its place."""
    from proxy.cli.audit_payload import _shown, lines_of
    from proxy.journal.kept import Body

    told = {"id": "c", "payload": "redacted", "request": _shown(Body(None, 7, True, "why"), b"s")}
    assert list(lines_of(told))[-1].endswith("7 bytes, why")
