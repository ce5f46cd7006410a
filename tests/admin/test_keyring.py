"""proxy/admin/keyring.py; over sockets in tests/whole/test_roles.py."""

import asyncio
from hashlib import sha256

import pytest
from aiohttp.test_utils import make_mocked_request

from proxy.admin.answers import NotDone
from proxy.admin.keyring import FREE, LONGEST, SLOWEST, WAITING, Keyring, Slowness
from proxy.config.tokens import Digest, Role, Token, Tokens
from tests.fakes import FakeClock


def token(name, secret, *roles):
    return Token(name, roles or (Role.VIEWER,), Digest(sha256(secret.encode()).hexdigest()), ("g",))


TOKENS = Tokens(True, (token("ann", "a" * 43), token("bob", "b" * 43, Role.OPERATOR)))


@pytest.fixture
def clock():
    return FakeClock(asleep=False)


@pytest.fixture
def keyring(clock):
    return Keyring(lambda: TOKENS, clock)


def request(authorization=None):
    headers = {} if authorization is None else {"Authorization": authorization}
    return make_mocked_request("GET", "/v1/status", headers)


async def refused(keyring, authorization=None):
    with pytest.raises(NotDone) as raised:
        await keyring.whose(request(authorization))
    return raised.value


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER   "])
async def test_a_token_is_somebodys(keyring, scheme):
    """With its roles and groups."""
    author = await keyring.whose(request(scheme + "b" * 43))

    assert (author.name, author.roles, author.groups) == ("bob", {Role.OPERATOR}, ("g",))


@pytest.mark.parametrize("shown", [None, "", "Bearer", "Bearer ", "Basic " + "a" * 43, "a" * 43])
async def test_without_a_token_one_is_asked_for(keyring, shown):
    """401, and the scheme; it is no try."""
    for _ in range(FREE + 5):
        error = await refused(keyring, shown)
        assert (error.status, error.headers) == (
            401,
            {"WWW-Authenticate": 'Bearer realm="holdfast"'},
        )


@pytest.mark.parametrize("shown", ["x", "a" * 42, "A" * 43, "é" * 43, "a" * 2 * LONGEST])
async def test_what_nobody_has_is_no_token(keyring, shown):
    """401, and it says so."""
    error = await refused(keyring, f"Bearer {shown}")

    assert error.status == 401
    assert 'error="invalid_token"' in error.headers["WWW-Authenticate"]


async def test_what_is_too_long_is_no_token_even_if_it_begins_like_one():
    """What stands behind is not left out of account."""
    long = "t" * LONGEST
    keyring = Keyring(lambda: Tokens(True, (token("ann", long),)), FakeClock())

    assert (await keyring.whose(request(f"Bearer {long}"))).name == "ann"
    assert (await refused(keyring, f"Bearer {long}t")).status == 401


async def test_a_right_one_is_answered_at_once_whatever_was_tried(keyring, clock):
    """While as many wrong ones wait as may, and by the same peer."""
    tries = [asyncio.ensure_future(refused(keyring, "Bearer x")) for _ in range(FREE + WAITING + 9)]
    done, waiting = set(), set(tries)
    while len(waiting) > WAITING:
        found, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        done |= found

    assert (await keyring.whose(request("Bearer " + "a" * 43))).name == "ann"
    assert sorted(each.result().status for each in done) == [401] * FREE + [429] * 9
    assert {each.result().headers["Retry-After"] for each in done if each.result().status == 429}
    clock.advance(SLOWEST)
    assert {error.status for error in await asyncio.gather(*waiting)} == {401}


async def test_each_try_waits_longer():
    """Up to a bound; after a while without any it is forgotten."""
    clock = FakeClock()
    slowness = Slowness(clock)
    for _ in range(FREE + 20):
        await slowness.failed("p")
    assert clock.slept[:3] == [0.1, 0.2, 0.4]
    assert clock.slept[-1] == SLOWEST

    clock.slept.clear()
    await slowness.failed("another")
    clock.advance(301.0)
    await slowness.failed("p")
    assert clock.slept == []


async def test_peers_are_bounded():
    """Whoever has many addresses does not fill the memory."""
    slowness = Slowness(FakeClock())
    for number in range(3000):
        await slowness.failed(str(number))

    assert len(slowness._tries) == 1024
