"""proxy/admin/erasing.py; tests/whole/test_erasures.py has it over the real socket."""

import json
from typing import Any

import pytest

from proxy.admin.erasing import erased
from proxy.admin.sight import _nothing_kept
from proxy.journal.erasures import DONE, Erasure, Held
from proxy.journal.sealing import Trouble

ASKED = b'{"agent": "ann", "reason": "case 12"}'


async def test_it_answers_with_what_was_destroyed():
    """When it is; who asked, and why, is handed on."""
    asked: list[Any] = []

    async def erase(*told: str) -> Erasure:
        asked.append(told)
        return Erasure("e1", DONE, "agent", "ann", payloads=2, keys=1)

    answer = await erased(ASKED, erase)
    assert asked == [("agent", "ann", "admin.sock", "case 12")]
    assert answer.status == 200
    assert json.loads(answer.text or "") == {
        "id": "e1", "what": "agent", "whose": "ann", "payloads": 2, "keys": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "status"), [(Held("a hold"), 409), (Trouble("full", "no space"), 503)]
)
async def test_what_was_not_done_says_so(error: Exception, status: int):
    """With the reason."""

    async def erase(*_: str) -> Erasure:
        raise error

    answer = await erased(ASKED, erase)
    assert answer.status == status
    assert str(error) in json.loads(answer.text or "")["detail"]


async def test_without_a_journal_there_is_nothing_to_erase():
    """As in tests of pages."""
    assert (await erased(ASKED, _nothing_kept)).status == 503


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"task": 1, "reason": "r"}',
        b"\xff",
        b'{"task": "a", "task": "b", "reason": "r"}',
        b'{"task": "' + b"t" * 129 + b'", "reason": "r"}',
    ],
)
async def test_what_is_no_question_is_refused(body: bytes):
    """Before anything is done."""
    assert (await erased(body, _nothing_kept)).status == 400
