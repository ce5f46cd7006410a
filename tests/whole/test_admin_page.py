"""docs/admin.md is the manual of the admin side: its examples have the shapes that are answered."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.admin.api import Api
from proxy.admin.events import STREAM
from proxy.cli.asking import ask
from tests.admin.scene import Scene
from tests.harness import RawUpstream, answer, holdfast, request
from tests.harness.loops import THE_LOOP
from tests.servers import RedisServer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "admin.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```http\nGET (\S+)\n```\n\n```json\n(.*?)```", PAGE, re.DOTALL)
POLICIES = """
policies:
  - name: default
    timeout: {total: 45s}
    retry: {attempts: 2}
    breaker: {consecutive: 3}
  - {name: dear, match: {tool: deposit}, cost: 0.01}
  - {name: reads, match: {tool: get_balance}, effect: read}
  - {name: listed, match: {tool: pay}, approval: {}}
budgets: [{name: agent, per: agent, hour: 0.04}]
slos: [{name: works, sli: success, objective: 0.99, match: {tool: "get_*"}, on_exhausted: [notify]}]
"""


def shape(value: Any, like: Any) -> Any:
    """What the example shows of a value: of a list its first item, of counts by name none."""
    if isinstance(like, dict) and isinstance(value, dict):
        return {name: shape(value.get(name, "missing"), held) for name, held in like.items()}
    if isinstance(like, list) and isinstance(value, list):
        return [shape(value[0], like[0])] if value and like else []
    return "missing" if value == "missing" else "there"


def keys(value: Any, path: str = "") -> set[str]:
    """Every key, by the path to it."""
    found: set[str] = set()
    inside = value.items() if isinstance(value, dict) else []
    for name, held in inside:
        found |= {f"{path}.{name}"} | keys(held, f"{path}.{name}")
    for item in value if isinstance(value, list) else []:
        found |= keys(item, f"{path}[]")
    return found


OPEN = re.compile(
    r"\.(refused|sections|fields|match|shadow|items\[\]\.(effect|about|annotations|excluded|match))\."
)
"""Below these any names may stand, and what may be null may be more."""


@pytest.fixture
def settings(target: str, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Of a proxy that has what the page is about."""
    if target not in {"/v1/pods", "/v1/status"}:
        yield {}
        return
    store = RedisServer(tmp_path / "redis", "--save", "").start()
    yield {"store": store.url}
    store.stop()


@pytest.mark.asyncio(loop_factories=THE_LOOP)
@pytest.mark.parametrize(("target", "example"), EXAMPLES)
async def test_its_examples_have_the_shapes_that_are_answered(
    target: str, example: str, settings: dict[str, Any]
) -> None:
    """Each key that it shows is there, and no other."""
    shown = json.loads(example)
    async with RawUpstream() as far, holdfast(far, "tools", POLICIES, **settings) as proxy:
        await proxy.call(request("/v1/pay", method="POST", body=b"{}"))
        far.script.extend([answer(500, body=b"{}")] * 3)
        for tool in ("deposit", "deposit", "deposit", "deposit", "get_balance"):
            await proxy.call(request(f"/v1/{tool}", method="POST", body=b"{}"))
        await proxy.app._trail.durable()  # a read's record is not waited for
        door = f"unix:{proxy.folder / 'state' / 'admin.sock'}" if settings else proxy.admin
        told = await asyncio.to_thread(ask, door, target)

    if target == "/v1/breakers":
        told["items"] = [item for item in told["items"] if item["state"] == "open"]
    if target == "/v1/alerts":
        told["items"] = [item for item in told["items"] if item["source"] == "breaker"]
    if target == "/v1/overview":
        held = told["alerts"]
        held["items"] = [item for item in held["items"] if item["name"] == "CircuitOpen"]
        told["open"] = {"count": 0, "items": []}  # as in /v1/breakers
        told = {name: told[name] for name in shown}  # the rest is as in /v1/status
    if "stages" in told:
        told["stages"] = [step for step in told["stages"] if step["refusal"]]
    assert shape(told, shown) == shape(shown, shown)
    assert {key for key in keys(told) - keys(shown) if not OPEN.search(key)} == set()


def test_it_names_every_page() -> None:
    """Each route of the table; and with an example where there is JSON to show."""
    table = set(re.findall(r"`(?:[A-Z]+ )?(/[^`? ]*)`", PAGE))
    routes = Api(Scene().sight).routes
    assert {re.sub(r":[^}]*", "", route.path) for route in routes} <= table
    shown = {
        route.path
        for route in routes
        if route.role and not (route.changes or "{" in route.path or STREAM in route.answer.media)
    }
    assert {target.partition("?")[0] for target, _ in EXAMPLES} == shown
