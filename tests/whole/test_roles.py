"""The admin side over real sockets: each route, asked by whoever may not (spec 6.2)."""

import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio

from proxy.admin.routes import Route
from proxy.config.tokens import Role
from tests.harness import Proxy, RawUpstream, holdfast
from tests.harness.loops import THE_LOOP
from tests.journal.written import lines

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

PATIENCE = aiohttp.ClientTimeout(total=10.0)
SECRETS = {role: role.value * 6 for role in Role}


def entry(role: Role) -> dict[str, Any]:
    """Of the file: somebody who has this role alone."""
    digest = hashlib.sha256(SECRETS[role].encode()).hexdigest()
    return {"name": f"the {role}", "roles": [role.value], "sha256": digest}


class Side(NamedTuple):
    """A proxy with tokens, and its table."""

    proxy: Proxy
    tokens: Path
    session: aiohttp.ClientSession
    routes: tuple[Route, ...]

    async def ask(
        self, method: str, path: str, token: str | None = None, content: Any = None
    ) -> tuple[int, dict[str, Any], aiohttp.ClientResponse]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with self.session.request(method, path, headers=headers, json=content) as answer:
            body = await answer.read()
            told = json.loads(body) if body and "json" in answer.content_type else {}
            return answer.status, told, answer


@pytest_asyncio.fixture(loop_scope="module")
async def side(upstream: RawUpstream, tmp_path: Path) -> AsyncIterator[Side]:
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text(json.dumps({"tokens": list(map(entry, Role))}))
    async with holdfast(upstream, tokens=str(tokens)) as proxy:
        assert proxy.app._admin is not None
        routes = proxy.app._admin._api.routes
        async with aiohttp.ClientSession(f"http://{proxy.admin}", timeout=PATIENCE) as session:
            yield Side(proxy, tokens, session, routes)


def somewhere(route: Route) -> str:
    """A path of the route."""
    return re.sub(r"\{[^}]*\}", "x", route.path)


async def test_no_route_is_open_without_its_role(side: Side) -> None:
    """401 to whoever shows no token or a wrong one, 403 to whoever has another role."""
    for route in side.routes:
        path = somewhere(route)
        if route.role is None:
            assert (await side.ask(route.method, path))[0] == 200, path
            continue
        status, told, answer = await side.ask(route.method, path)
        assert (status, answer.content_type) == (401, "application/problem+json"), path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer "), path
        assert told["status"] == 401
        wrong = {role for role in Role if role not in (route.role, *_readers(route))}
        for role in wrong:
            status, told, answer = await side.ask(route.method, path, SECRETS[role])
            assert status == 403, path
            assert f"the role {route.role} is needed" in told["detail"]
            assert "insufficient_scope" in answer.headers["WWW-Authenticate"]


def _readers(route: Route) -> tuple[Role, ...]:
    return tuple(Role) if route.role is Role.VIEWER else ()


async def test_who_has_the_role_comes_in(side: Side) -> None:
    """Whatever becomes of it there."""
    for route in side.routes:
        if route.role is not None and "text/event-stream" not in route.answer.media:
            status, _, _ = await side.ask(route.method, somewhere(route), SECRETS[route.role])
            assert status not in {401, 403, 429}, route.path
            assert status in route.answers, route.path


async def test_a_wrong_token_is_refused_and_never_shuts_a_right_one_out(side: Side) -> None:
    """However often it is tried, by the same peer."""
    assert [(await side.ask("GET", "/v1/status", "guess"))[0] for _ in range(4)] == [401] * 4
    assert (await side.ask("GET", "/v1/status", SECRETS[Role.VIEWER]))[0] == 200


async def test_a_reload_is_journalled_with_who_asked(side: Side) -> None:
    """Also one that came to nothing."""
    token = SECRETS[Role.OPERATOR]
    status, told, _ = await side.ask("POST", "/v1/reload", token)
    assert (status, told["policy_version"]) == (200, side.proxy.app.health.version)
    side.proxy.write_policies("policies: 1")
    side.tokens.write_text("tokens: 1")
    status, told, _ = await side.ask("POST", "/v1/reload", token)
    assert status == 409
    assert "policies: expected a list" in told["detail"]
    assert "tokens: expected" in told["detail"]
    assert (await side.ask("GET", "/v1/status", token))[0] == 200

    await side.proxy.app._trail.durable()
    noted = [json.loads(line) for line in lines(side.proxy.folder / "state")]
    assert [(each["type"], each.get("by")) for each in noted if each["type"] in CONFIG] == [
        ("policy.loaded", None),
        ("policy.loaded", "the operator"),
        ("config.rejected", "the operator"),
    ]


CONFIG = {"policy.loaded", "config.rejected"}


async def test_at_the_socket_of_its_owner_no_token_is_needed(side: Side) -> None:
    """One that is shown there counts: it says who it is."""
    path = side.proxy.folder / "state" / "admin.sock"
    connector = aiohttp.UnixConnector(str(path))
    async with aiohttp.ClientSession("http://x", connector=connector, timeout=PATIENCE) as session:
        here = side._replace(session=session)
        assert (await here.ask("GET", "/v1/status"))[0] == 200
        assert (await here.ask("POST", "/v1/reload"))[0] == 200
        assert (await here.ask("POST", "/v1/reload", SECRETS[Role.VIEWER]))[0] == 403
        assert (await here.ask("GET", "/v1/status", "guess"))[0] == 401


async def test_a_browser_of_another_site_is_refused_before_its_token_is_looked_at(
    side: Side,
) -> None:
    """There is no answer that lets it read any of this either."""
    headers = {
        "Origin": "http://evil.example",
        "Authorization": f"Bearer {SECRETS[Role.OPERATOR]}",
    }
    async with side.session.post("/v1/reload", headers=headers) as answer:
        assert answer.status == 403
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    async with side.session.options("/v1/reload", headers=headers) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "POST"
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


async def test_a_token_comes_in_by_any_name_of_the_host(side: Side) -> None:
    """A service's, say: no page of another site has a token."""
    headers = {
        "Host": "holdfast.prod.svc",
        "Authorization": f"Bearer {SECRETS[Role.VIEWER]}",
    }
    async with side.session.get("/v1/status", headers=headers) as answer:
        assert answer.status == 200


async def test_head_needs_the_role_as_well(side: Side) -> None:
    """It tells whether something is there."""
    assert (await side.ask("HEAD", "/v1/status"))[0] == 401
    assert (await side.ask("HEAD", "/v1/status", SECRETS[Role.VIEWER]))[0] == 200


async def test_where_agents_have_credentials_a_token_opens_what_was_closed(
    upstream: RawUpstream, tmp_path: Path
) -> None:
    """Without tokens nobody reads there, not even on the machine."""
    path = tmp_path / "tokens.yaml"
    async with (
        holdfast(upstream, identity=["key"], tokens=str(path)) as proxy,
        aiohttp.ClientSession(f"http://{proxy.admin}", timeout=PATIENCE) as session,
    ):
        side = Side(proxy, path, session, ())
        assert (await side.ask("GET", "/v1/status"))[0] == 403
        path.write_text(json.dumps({"tokens": [entry(Role.VIEWER)]}))
        assert await proxy.app._reloaded("x") == []
        assert (await side.ask("GET", "/v1/status", SECRETS[Role.VIEWER]))[0] == 200
