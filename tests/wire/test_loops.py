"""A call that comes back to its proxy is stopped (spec 2.1)."""

import pytest

from tests.harness import Proxy, RawUpstream, holdfast, request, upstream_yaml

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def own_token(proxy: Proxy, upstream: RawUpstream) -> bytes:
    """How this proxy names itself in Via."""
    await proxy.call(request("/who"))
    token = upstream.requests[-1].values("via")[-1]
    upstream.then()
    return token


async def test_its_own_name_once_is_no_loop(proxy: Proxy, upstream: RawUpstream) -> None:
    """An upstream may call an agent back through the same sidecar."""
    token = await own_token(proxy, upstream)
    got = await proxy.call(request("/", b"Via: " + token))
    assert got.status == 200


@pytest.mark.parametrize("joint", [b", ", b"\r\nVia: ", b" (with, comment), 1.1 other, "])
async def test_its_own_name_twice_is_a_loop(
    proxy: Proxy, upstream: RawUpstream, joint: bytes
) -> None:
    """508 `proxy_loop`, however the list is spelled; the upstream sees nothing."""
    token = await own_token(proxy, upstream)
    got = await proxy.call(request("/", b"Via: " + token + joint + token))
    assert got.status == 508
    assert b'"proxy_loop"' in got.body
    assert upstream.heads == []


async def test_ten_proxies_are_a_loop(proxy: Proxy, upstream: RawUpstream) -> None:
    """Ten names in `Via` are refused 508, nine pass."""
    names = [f"1.1 p{number}" for number in range(10)]
    assert (await proxy.call(request("/", "Via: " + ", ".join(names[:9])))).status == 200
    assert (await proxy.call(request("/", *[f"Via: {name}" for name in names]))).status == 508
    assert len(upstream.heads) == 1


async def test_a_proxy_that_calls_itself_is_stopped(upstream: RawUpstream) -> None:
    """A real loop ends with 508 after two rounds, not with a full pool."""
    async with holdfast(upstream) as proxy:
        proxy.write_policies("policies: []")
        (proxy.folder / "policies" / "00.yaml").write_text(upstream_yaml(f"http://{proxy.listen}"))
        assert proxy.app.reload()
        assert (await proxy.call(request())).status == 508
    assert upstream.heads == []
