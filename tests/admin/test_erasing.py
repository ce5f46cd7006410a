"""proxy/admin/erasing.py; tests/whole/test_erasures.py has it over the real socket."""

from typing import Any

import msgspec
import pytest

from proxy.admin.answers import NotDone
from proxy.admin.authors import Author
from proxy.admin.erasing import Asked, Erasing
from proxy.admin.routes import Visit
from proxy.admin.sight import _nothing_kept
from proxy.config.tokens import Role
from proxy.journal.erasures import DONE, Erasure, Held
from proxy.journal.sealing import Trouble

ASKED = Asked("case 12", agent="ann")


def visit(asked: Asked = ASKED) -> Visit:
    request: Any = None
    return Visit(request, Author("bob", frozenset({Role.OPERATOR})), asked)


async def test_it_answers_with_what_was_destroyed():
    """When it is; who asked, and why, is handed on."""
    asked: list[Any] = []

    async def erase(*told: str) -> Erasure:
        asked.append(told)
        return Erasure("e1", DONE, "agent", "ann", payloads=2, keys=1)

    answer = await Erasing(erase).erase(visit())
    assert asked == [("agent", "ann", "bob", "case 12")]
    assert msgspec.to_builtins(answer) == {
        "id": "e1", "what": "agent", "whose": "ann", "payloads": 2, "keys": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "status"), [(Held("a hold"), 409), (Trouble("full", "no space"), 503)]
)
async def test_what_was_not_done_says_so(error: Exception, status: int):
    """With the reason."""

    async def erase(*_: str) -> Erasure:
        raise error

    with pytest.raises(NotDone, match=str(error)) as raised:
        await Erasing(erase).erase(visit())
    assert raised.value.status == status


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked("r"), "exactly one of task and agent"),
        (Asked("r", "t", "a"), "exactly one of task and agent"),
        (Asked("", "t"), "reason: expected a text"),
        (Asked("r" * 501, "t"), "reason: expected a text"),
        (Asked("r", "t" * 129), "128"),
        (Asked("r", subject="s"), "subject"),
    ],
)
async def test_what_is_no_question_is_refused(asked: Asked, said: str):
    """Before anything is done."""
    with pytest.raises(NotDone, match=said) as raised:
        await Erasing(_nothing_kept).erase(visit(asked))
    assert raised.value.status == 400
