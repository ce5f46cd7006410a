"""What changes on the way, and what must not (spec 2.1)."""

import re

import pytest

from tests.harness import (
    OK,
    Proxy,
    RawUpstream,
    answer,
    holdfast,
    request,
)
from tests.harness.messages import Message

pytestmark = pytest.mark.asyncio(loop_scope="module")

VIA = re.compile(rb"1\.[01] holdfast-\S+")


# requests


@pytest.mark.parametrize(
    "target",
    [
        "/a%2Fb/%7Ex/../y?q=%20+a%2f&b=[1]&c=%C3%A9",
        "//double//slash/?",
        "/",
        "/?",
        "/?a=1?b=2&&=",
        "/.",
        "/../../etc",
        "/%00%ff%2e%2e",
        "/a;b=c,d:e@f!g$h'(i)*+~_-.",
        '/{braces}|^`"<>\\',
        "/" + "long" * 2000,
    ],
)
async def test_the_target_is_passed_on_byte_for_byte(
    proxy: Proxy, upstream: RawUpstream, target: str
) -> None:
    """No normalising, no decoding, no encoding."""
    assert (await proxy.call(request(target))).status == 200
    assert (await upstream.seen()).target == target.encode("latin-1")


async def test_absolute_form_is_the_same_request(proxy: Proxy, upstream: RawUpstream) -> None:
    """A server must accept it (RFC 9112 3.2.2); upstream it is origin-form again."""
    await proxy.call(request("http://agent.test/a%2Fb?c=d"))
    assert (await upstream.seen()).target == b"/a%2Fb?c=d"


async def test_absolute_form_without_a_path(proxy: Proxy, upstream: RawUpstream) -> None:
    """No path is the path `/`."""
    await proxy.call(request("http://agent.test"))
    assert (await upstream.seen()).target == b"/"


async def test_asterisk_form_is_passed_on(proxy: Proxy, upstream: RawUpstream) -> None:
    """`OPTIONS *` is about the server as a whole (RFC 9112 3.2.4)."""
    await proxy.call(request("*", method="OPTIONS"))
    assert (await upstream.seen()).start == b"OPTIONS * HTTP/1.1"


@pytest.mark.parametrize("path", ["/base", "/base/", "/b%2Fase/deep"])
async def test_the_base_path_stands_before_every_path(upstream: RawUpstream, path: str) -> None:
    """The upstream's `url` may have a path; the agent's bytes follow it."""
    async with holdfast(upstream.url + path) as proxy:
        await proxy.call(request("/x%2Fy?z"))
    assert (await upstream.seen()).target == path.rstrip("/").encode() + b"/x%2Fy?z"


async def test_the_longest_mount_wins_and_is_stripped(upstream: RawUpstream) -> None:
    """`path:` mounts an upstream on the agent's side."""
    more = f"""
upstreams:
  side: {{url: "{upstream.url}/side", protocol: http, path: /deep}}
  deeper: {{url: "{upstream.url}/deeper", protocol: http, path: /deep/er}}
"""
    async with holdfast(upstream, policies=more) as proxy:
        for target in ("/deep/x", "/deep/er/x?y", "/deep", "/deepest", "/other"):
            await proxy.call(request(target))
    seen = [one.target for one in upstream.requests]
    assert seen[0] == b"/side/x"
    assert seen[1] == b"/deeper/x?y"
    assert seen[2] in (b"/side", b"/side/")
    assert seen[3:] == [b"/deepest", b"/other"]


async def test_headers_keep_case_order_and_number(proxy: Proxy, upstream: RawUpstream) -> None:
    """Every end-to-end header arrives as it was written; none is added but `Via`."""
    lines = (
        "X-Custom-CASE: V",
        "x-multi: 1",
        "X-Multi: 2",
        "X-MULTI: 1",
        "X-Latin: caf\xe9",
        "X-Empty:",
        "X-Inner:  two  spaces  ",
        "Accept-Encoding: br;q=0.1",
        "User-Agent: ua/1",
        "Cookie: a=b; c=d",
        "Cookie: e=f",
        "!#$%&'*+-.^_`|~09: odd",
    )
    await proxy.call(request("/", *lines))
    seen = await upstream.seen()
    wanted = Message(b"", tuple(line.encode("latin-1") for line in lines)).headers
    assert [pair for pair in seen.without("via") if pair[0].lower() != b"host"] == wanted


async def test_nothing_is_invented(proxy: Proxy, upstream: RawUpstream) -> None:
    """A bare request goes upstream with Host and Via, and nothing else."""
    await proxy.call(request())
    seen = await upstream.seen()
    assert {name.lower() for name, _ in seen.headers} <= {b"host", b"via", b"connection"}
    assert [value.lower() for value in seen.values("connection")] in ([], [b"keep-alive"])


async def test_bodies_are_bytes(proxy: Proxy, upstream: RawUpstream) -> None:
    """All 256 byte values, with a content-encoding that is a lie."""
    body = bytes(range(256)) * 300
    await proxy.call(request("/", "Content-Encoding: br", method="POST", body=body))
    seen = await upstream.seen()
    assert seen.body == body
    assert seen.value("content-encoding") == b"br"
    assert seen.value("content-length") == b"%d" % len(body)


@pytest.mark.parametrize(
    ("lines", "gone"),
    [
        (("Connection: X-Hop", "X-Hop: secret"), "x-hop"),
        (("Connection: close, x-hop , X-Two", "X-HOP: secret", "X-Two: s"), "x-hop"),
        (("Connection: X-Hop", "Connection: X-Two", "X-Two: secret"), "x-two"),
        (("Keep-Alive: timeout=5",), "keep-alive"),
        (("Proxy-Connection: keep-alive",), "proxy-connection"),
        (("TE: gzip",), "te"),
        (("Upgrade: h2c",), "upgrade"),
    ],
)
async def test_hop_by_hop_headers_stay_here(
    proxy: Proxy, upstream: RawUpstream, lines: tuple[str, ...], gone: str
) -> None:
    """What is about this connection is not passed on (RFC 9110 7.6.1)."""
    await proxy.call(request("/", *lines))
    seen = await upstream.seen()
    assert seen.values(gone) == []
    assert b"secret" not in seen.raw


@pytest.mark.parametrize(
    "named", ["Host", "Content-Length", "Transfer-Encoding", "Via", "keep-alive"]
)
async def test_connection_cannot_name_framing_away(
    proxy: Proxy, upstream: RawUpstream, named: str
) -> None:
    """An agent cannot have Host, Via or the body's length dropped by naming it in `Connection`."""
    await proxy.call(request("/", f"Connection: {named}", method="POST", body=b"abc"))
    seen = await upstream.seen()
    assert seen.body == b"abc"
    assert len(seen.values("host")) == 1
    assert any(VIA.search(value) for value in seen.values("via"))


async def test_the_host_is_the_upstreams(proxy: Proxy, upstream: RawUpstream) -> None:
    """One Host, that of the upstream's url."""
    await proxy.call(request("/", host="agent.test:99"))
    assert (await upstream.seen()).value("host") == upstream.address.encode()


async def test_the_host_may_be_kept(upstream: RawUpstream) -> None:
    """`preserve_host: true` passes the agent's."""
    async with holdfast(upstream, mount={"preserve_host": True}) as proxy:
        await proxy.call(request("/", host="agent.test:99"))
    assert (await upstream.seen()).value("host") == b"agent.test:99"


async def test_via_is_appended_upstream(proxy: Proxy, upstream: RawUpstream) -> None:
    """Earlier entries stay, in front of ours."""
    await proxy.call(request("/", "Via: 1.0 first, 1.1 second (comment)"))
    seen = b", ".join((await upstream.seen()).values("via"))
    assert seen.startswith(b"1.0 first, 1.1 second (comment), ")
    assert VIA.fullmatch(seen.rsplit(b", ", 1)[1])


async def test_via_goes_upstream_only(proxy: Proxy, upstream: RawUpstream) -> None:
    """Answers get none; an upstream's own passes."""
    upstream.then(OK, answer(200, "Via: 1.1 far"))
    assert (await proxy.call(request())).values("via") == []
    assert (await proxy.call(request())).values("via") == [b"1.1 far"]


# credentials, cookies, holdfast-*


async def test_credentials_are_the_upstreams(upstream: RawUpstream) -> None:
    """With `auth: {bearer}` the agent's own Authorization and x-api-key are dropped."""
    async with holdfast(upstream, mount={"auth": {"bearer": "sesame"}}) as proxy:
        await proxy.call(request("/", "Authorization: Basic mine", "X-Api-Key: mine"))
    seen = await upstream.seen()
    assert seen.value("authorization") == b"Bearer sesame"
    assert b"mine" not in seen.raw


async def test_credentials_may_go_in_another_header(upstream: RawUpstream) -> None:
    """`auth: {header, value}` likewise."""
    auth = {"header": "x-api-key", "value": "sesame"}
    async with holdfast(upstream, mount={"auth": auth}) as proxy:
        await proxy.call(request("/", "Authorization: Bearer mine", "x-api-key: mine"))
    seen = await upstream.seen()
    assert seen.value("x-api-key") == b"sesame"
    assert b"mine" not in seen.raw


async def test_credentials_pass_where_the_upstream_has_none(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """Without `auth` the agent's go through."""
    await proxy.call(request("/", "Authorization: Bearer mine", "X-Api-Key: k"))
    seen = await upstream.seen()
    assert (seen.value("authorization"), seen.value("x-api-key")) == (b"Bearer mine", b"k")


async def test_an_upstream_may_be_told_of_the_call(upstream: RawUpstream) -> None:
    """`forward` names what; the deadline is what remains."""
    rules = "policies: [{name: t, timeout: {total: 30s}, retry: {attempts: 3}}]"
    mount = {"forward": ["call", "attempt", "deadline", "agent"]}
    async with holdfast(upstream, policies=rules, mount=mount, agent={"id": "me"}) as proxy:
        got = await proxy.call(request("/", "holdfast-call: forged", "holdfast-timeout-ms: 5000"))
    seen = await upstream.seen()
    assert seen.value("holdfast-call") == got.value("holdfast-call")
    assert seen.value("holdfast-attempt") == b"1; max=3"
    assert seen.value("holdfast-agent") == b"me"
    assert 0 < int(seen.value("holdfast-timeout-ms") or 0) <= 5000


async def test_holdfast_headers_of_an_agent_stay_here(proxy: Proxy, upstream: RawUpstream) -> None:
    """`holdfast-*` is read, and not passed on; nothing of ours is added upstream."""
    await proxy.call(request("/", "holdfast-workflow: w", "Holdfast-Call: forged", "HOLDFAST-X: y"))
    assert b"holdfast-" not in (await upstream.seen()).raw.lower().replace(b"1.1 holdfast-", b"")


async def test_holdfast_headers_of_an_upstream_are_dropped(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """An upstream cannot speak in our name."""
    forged = ("Holdfast-Call: forged", "holdfast-origin: forged", "HOLDFAST-Other: forged")
    upstream.then(answer(200, *forged))
    got = await proxy.call(request())
    assert b"forged" not in got.raw
    assert len(got.values("holdfast-call")) == 1


async def test_redirects_are_passed_on(proxy: Proxy, upstream: RawUpstream) -> None:
    """Never followed, `Location` untouched."""
    upstream.then(answer(307, "Location: http://elsewhere/%2F"))
    got = await proxy.call(request())
    assert (got.status, got.value("location")) == (307, b"http://elsewhere/%2F")
    assert len(upstream.requests) == 1


async def test_cookies_pass_and_are_not_kept(proxy: Proxy, upstream: RawUpstream) -> None:
    """`Set-Cookie` reaches the agent each by each, and the next call carries none of it."""
    upstream.then(answer(200, "Set-Cookie: a=1", "Set-Cookie: b=2"))
    async with await proxy.connect() as agent:
        assert (await agent.call(request())).values("set-cookie") == [b"a=1", b"b=2"]
        await agent.call(request())
    assert upstream.requests[1].values("cookie") == []
