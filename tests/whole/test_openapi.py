"""The admin side against its own description, by a tool that is not ours: schemathesis.

A real proxy on loopback is asked, at each route, what its description allows, and what it does not.
Nothing may come that is not described, nothing may fail on our side, and what is wrong is refused.
"""

import asyncio
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from proxy.admin.api import Api
from proxy.app import App
from proxy.config.settings import load_settings
from tests.admin.scene import Scene

TOKEN = "t" * 43
EXAMPLES = 12
APART = {
    "/v1/events",  # its answer does not end: tests/admin/test_events.py
    "/openapi.json",  # schemathesis leaves it out
}
POLICIES = """
upstreams: {gateway: {url: "http://127.0.0.1:9", protocol: tools, path: /}}
policies: [{name: default, breaker: {}, timeout: {total: 5s}}]
"""
ROUTES = [route for route in Api(Scene().sight).routes if route.path not in APART]
ASKED = [
    (route.method, route.path.replace(":.+", ""), mode)
    for route in ROUTES
    for mode in GenerationMode
    # Nothing can be wrong in a question that has no parts.
    if mode is GenerationMode.POSITIVE or route.query or route.body or "{" in route.path
]
NOT_CHECKED = [
    ignored_auth,  # wrong tokens are slowed: tests/whole/test_roles.py tries them, at every route
    positive_data_acceptance,  # that a text is a time, or a cursor of ours, no schema says
]


class Running(NamedTuple):
    """A proxy in a thread, and its description."""

    url: str
    schema: Any


def _written(folder: Path) -> Path:
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    roles = ["viewer", "approver", "operator"]
    (folder / "policies").mkdir()
    (folder / "policies" / "p.yaml").write_text(POLICIES)
    (folder / "tokens.yaml").write_text(
        json.dumps({"tokens": [{"name": "ann", "roles": roles, "sha256": digest}]})
    )
    asked = {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "data_dir": str(folder / "state")}
    files = {"policies": str(folder / "policies"), "tokens": str(folder / "tokens.yaml")}
    path = folder / "holdfast.yaml"
    path.write_text(json.dumps(asked | files))
    return path


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[App]:
    """A proxy in a loop of its own: schemathesis waits for its answers."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def there(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(20)

    app = there(App.start(load_settings(_written(folder))))
    try:
        yield app
    finally:
        there(app.stop(drain=0))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with _serving(tmp_path_factory.mktemp("proxy")) as app:
        url = f"http://{app.admin}"
        yield Running(url, schemathesis.openapi.from_url(f"{url}/openapi.json"))


def operation(running: Running, method: str, path: str) -> Any:
    """As schemathesis has it."""
    for found in running.schema.get_all_operations():
        assert isinstance(found, Ok)
        made = found.ok()
        if (made.method.upper(), made.path) == (method, path):
            return made
    raise AssertionError(f"{method} {path} is not described")


@pytest.mark.parametrize(("method", "path", "mode"), ASKED)
def test_nothing_comes_that_is_not_described(
    running: Running, method: str, path: str, mode: GenerationMode
) -> None:
    """Status, content type and shape, for what is right and for what is wrong; no 5xx but for
    those that the description names."""
    asked = operation(running, method, path)

    @given(case=asked.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: Any) -> None:
        case.call_and_validate(
            headers={"Authorization": f"Bearer {TOKEN}"}, excluded_checks=NOT_CHECKED
        )

    check()
