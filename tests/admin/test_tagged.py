"""proxy/admin/tagged.py, behind the server that sends its headers."""

import gzip

import pytest
from aiohttp import web

from proxy.admin.server import _add_headers
from proxy.admin.tagged import Tagged, digest

LONG = b"x" * 5000


def serving(aiohttp_client, body, media="text/plain"):
    tagged = Tagged(body, media, level=1)

    async def handler(request):
        return tagged.answer(request, {"X-Own": "1"})

    app = web.Application()
    app.router.add_get("/", handler)
    app.on_response_prepare.append(_add_headers)
    return aiohttp_client(app, auto_decompress=False)


@pytest.mark.parametrize("accepted", ["identity", "gzip"])
async def test_who_has_it_is_told_so(aiohttp_client, accepted):
    """By the tag of the form that he takes; the answer has the same headers."""
    client = await serving(aiohttp_client, LONG)
    asks = {"Accept-Encoding": accepted}
    async with client.get("/", headers=asks) as answer:
        body, tag = await answer.read(), answer.headers["ETag"]
        assert (gzip.decompress(body) if accepted == "gzip" else body) == LONG
        assert (answer.headers["Vary"], answer.headers["X-Own"]) == ("Accept-Encoding", "1")
    for given in (tag, f'"else", {tag}', f"W/{tag}", "*"):
        async with client.get("/", headers={**asks, "If-None-Match": given}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
            assert (answer.headers["ETag"], answer.headers["X-Own"]) == (tag, "1")
    async with client.get("/", headers={**asks, "If-None-Match": '"else"'}) as answer:
        assert answer.status == 200


async def test_what_is_short_is_not_packed(aiohttp_client):
    """It would not be shorter."""
    client = await serving(aiohttp_client, b"{}", "application/json")
    async with client.get("/", headers={"Accept-Encoding": "gzip"}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert answer.headers["Content-Type"] == "application/json"
        assert await answer.read() == b"{}"


def test_parts_are_told_apart():
    """Where one ends and the next begins counts."""
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("a") == digest(b"a")
