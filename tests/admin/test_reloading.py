"""proxy/admin/reloading.py; tests/whole/test_roles.py has it over a real socket."""

from typing import Any

import msgspec
import pytest

from proxy.admin.answers import NotDone
from proxy.admin.authors import OWNER
from proxy.admin.reloading import Reloading
from proxy.admin.routes import Visit
from tests.admin.scene import Scene


def reloading(*wrong: str) -> tuple[Reloading, list[str]]:
    asked: list[str] = []

    async def reload(by: str) -> list[str]:
        asked.append(by)
        return list(wrong)

    return Reloading(msgspec.structs.replace(Scene().sight, reload=reload)), asked


NOTHING: Any = None


async def test_it_answers_with_what_is_in_force():
    """When it is; who asked is handed on."""
    handler, asked = reloading()

    assert await handler.reload(Visit(NOTHING, OWNER)) == {"policy_version": "ab12cd"}
    assert asked == ["admin.sock"]


async def test_all_that_is_wrong_is_told():
    """And what was in force before still is."""
    handler, _ = reloading("p.yaml:1:1: x", "t.yaml:2:1: y")

    with pytest.raises(NotDone, match=r"^p.yaml:1:1: x\nt.yaml:2:1: y$") as raised:
        await handler.reload(Visit(NOTHING, OWNER))
    assert raised.value.status == 409
