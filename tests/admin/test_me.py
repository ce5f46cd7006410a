"""proxy/admin/me.py."""

import hashlib

import msgspec
import pytest
from aiohttp import web

from proxy.admin.api import Api
from proxy.config.tokens import Digest, Role, Token, Tokens
from tests.admin.scene import Scene

ANN = Token(
    "ann", (Role.VIEWER, Role.APPROVER), Digest(hashlib.sha256(b"secret").hexdigest()), ("till",)
)


@pytest.fixture
async def scene():
    made = Scene()
    yield made
    await made.clock.stop()


def side(aiohttp_client, sight, *, control=False, local=True):
    api = Api(sight)
    app = web.Application()
    api.add_to(app.router, control=control)
    api._doors.local = local
    return aiohttp_client(app)


async def asked(client, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with client.get("/v1/me", headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_anybody_on_this_machine_may_read_where_there_are_no_tokens(scene, aiohttp_client):
    """And is told why nothing can be changed here."""
    status, told = await asked(await side(aiohttp_client, scene.sight))
    assert status == 200
    assert (told["name"], told["reads"], told["changes"], told["asks"]) == (
        None,
        True,
        False,
        False,
    )
    assert "admin.sock" in told["why"]


async def test_where_nobody_may_read_it_says_why(scene, aiohttp_client):
    """With 200: a page that begins there has done nothing wrong."""
    status, told = await asked(await side(aiohttp_client, scene.sight, local=False))
    assert (status, told["reads"], told["asks"]) == (200, False, False)
    assert "loopback" in told["why"]


async def test_where_a_token_is_needed_it_asks_for_one(scene, aiohttp_client):
    """A right one is told its name and its roles; a wrong one is refused as everywhere."""
    sight = msgspec.structs.replace(scene.sight, tokens=lambda: Tokens(True, (ANN,)))
    client = await side(aiohttp_client, sight)
    assert (await asked(client))[1] | {"why": ""} == {
        "name": None, "roles": [], "groups": [], "reads": False, "changes": False, "asks": True,
        "why": "",
    }  # fmt: skip
    assert await asked(client, "secret") == (
        200,
        {
            "name": "ann", "roles": ["approver", "viewer"], "groups": ["till"], "reads": True,
            "changes": True, "asks": False, "why": None,
        },
    )  # fmt: skip
    assert (await asked(client, "guess"))[0] == 401


async def test_at_the_socket_of_its_owner_all_may_be_done(scene, aiohttp_client):
    """Also through a tunnel that ends there."""
    _, told = await asked(await side(aiohttp_client, scene.sight, control=True))
    assert (told["name"], told["changes"]) == ("admin.sock", True)
    assert set(told["roles"]) == {role.value for role in Role}
