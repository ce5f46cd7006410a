"""`holdfast audit erase`, on real folders and a real side store."""

import asyncio
import json
import socket

import pytest

from proxy.journal.verify import verify
from tests.cli import side
from tests.cli.admin import serving
from tests.journal.stored import columns
from tests.journal.written import lines


@pytest.fixture
def folder(here):
    """Two calls, whose process has stopped."""
    asyncio.run(side.keep(here / ".holdfast"))
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


def test_a_name_that_nothing_can_have_erases_nothing(holdfast, folder):
    """It is told, and not "0 payloads": the calls of that task have the beginning of the name."""
    ran = holdfast("audit", "erase", "--task", "t" * 129)
    assert ran.code == 64
    assert "the first 128" in ran.err
    assert erasures(folder) == []


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
