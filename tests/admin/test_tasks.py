"""proxy/admin/tasks.py; tests/whole/test_tasks.py has it over the real socket."""

from typing import Any

import pytest

from proxy.admin.answers import NotDone
from proxy.admin.authors import Author
from proxy.admin.routes import Visit
from proxy.admin.sight import Watched
from proxy.admin.tasks import Said, TaskOutcomes
from proxy.config.tokens import Role
from proxy.observe.behaviour.watch import Watch
from proxy.observe.slo.book import Slos
from proxy.observe.slo.on_exhausted import OnExhausted
from tests.admin.scene import Scene
from tests.observe.slo.work import Works

BOB = Author("bob", frozenset({Role.OPERATOR}))
ANN = Author("ann", frozenset(), agent="ann")


class Asked:
    """A request for a task."""

    def __init__(self, task: str) -> None:
        self.match_info = {"id": task}


def outcomes(works: Works | None) -> TaskOutcomes:
    """The handler; without works nobody counts."""
    scene = Scene()
    watched = None
    if works is not None:
        acts, agents = OnExhausted(scene.clock.now), Watch(scene.clock)
        watched = Watched(Slos(scene.clock), works.followed, acts, agents)
    facts = {name: getattr(scene.sight, name) for name in scene.sight.__struct_fields__}
    return TaskOutcomes(type(scene.sight)(**(facts | {"watched": watched})))


def visit(author: Author = BOB, task: str = "t", outcome: Any = "success", **more: Any) -> Visit:
    """Somebody says so."""
    request: Any = Asked(task)
    return Visit(request, author, Said(outcome, **more))


async def refused(handler: TaskOutcomes, asked: Visit) -> tuple[int, str]:
    """Why not."""
    with pytest.raises(NotDone) as raised:
        await handler.end(asked)
    return raised.value.status, str(raised.value)


async def test_an_operator_ends_any_task():
    """It is written down with a name; once more it is so already."""
    works = Works()
    works.call("t", agent="ann")
    handler = outcomes(works)
    told = {"task": "t", "agent": "ann", "outcome": "success"}
    assert await handler.end(visit()) == told | {"slos": ["done"], "already": False}
    assert await handler.end(visit()) == told | {"slos": [], "already": True}
    assert works.lines[-1]["by"] == "bob"
    assert (await refused(handler, visit(outcome="failure")))[0] == 409


async def test_an_agent_ends_its_own():
    """Whose it is need not be said, and may not be said otherwise."""
    works = Works()
    works.call("t", agent="ann")
    works.call("t", agent="bob")
    works.call("u", agent="bob")
    handler = outcomes(works)
    assert (await refused(handler, visit()))[0] == 409
    assert (await refused(handler, visit(ANN, agent="bob")))[0] == 403
    assert (await refused(handler, visit(ANN, "u")))[0] == 404
    assert (await handler.end(visit(ANN, agent="ann")))["agent"] == "ann"
    assert works.lines[-1]["by"] == "agent:ann"
    assert (await handler.end(visit(task="t", agent="bob")))["agent"] == "bob"


async def test_where_nobody_counts_there_are_no_tasks():
    """That is said as of any that is not known."""
    status, why = await refused(outcomes(None), visit())
    assert (status, "per: task" in why) == (404, True)
    assert (await refused(outcomes(Works()), visit()))[0] == 404


async def test_what_may_be_forgotten_is_said(monkeypatch: pytest.MonkeyPatch):
    """It counts all the same."""
    works = Works()
    works.call()

    async def never() -> bool:
        return False

    monkeypatch.setattr(works, "durable", never)
    status, why = await refused(outcomes(works), visit())
    assert (status, "it counts" in why) == (503, True)
    assert works.came_to == (1, 0, {})
