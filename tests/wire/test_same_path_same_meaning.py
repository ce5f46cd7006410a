"""A tool that is named by the path cannot be dodged by the path's spelling either (spec 2.2)."""

import pytest

from tests.harness import Proxy, RawUpstream
from tests.wire.guarded import BLOCKED, FREE, passes, post, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_tool_in_the_path_is_recognised(guarded: Proxy, upstream: RawUpstream) -> None:
    """`POST …/v1/{tool}`, with the arguments as the body."""
    raw = post(b"{}", target="/v1/blocked")
    await refused(guarded, upstream, raw, 503, codes=("circuit_open",))


@pytest.mark.parametrize(
    "target", ["/v1/bl%6Fcked", "/v1/%62%6c%6f%63%6b%65%64", "/v1/blocked?x=y", "/deep/v1/blocked"]
)
async def test_a_path_is_decoded_once(guarded: Proxy, upstream: RawUpstream, target: str) -> None:
    """Percent-encoding is another spelling of the same name."""
    await refused(guarded, upstream, post(b"{}", target=target), 503, codes=("circuit_open",))


async def test_a_path_is_not_decoded_twice(guarded: Proxy, upstream: RawUpstream) -> None:
    """`%256F` means `%6F`, which is another tool's name; it is forwarded as it was."""
    await passes(guarded, upstream, post(b"{}", target="/v1/bl%256Fcked"), b"{}")
    assert upstream.requests[0].target == b"/v1/bl%256Fcked"


@pytest.mark.parametrize(
    "target",
    [
        "/v1/x%2Fblocked",
        "/v1/blocked%2F",
        "/v1/x%2fblocked",
        "/v1/x%5Cblocked",
        "/v1/x%5cblocked",
        "/v1/blocked%00",
        "/v1/blocked%00x",
        "/v1/../v1/blocked",
        "/v1/x/../blocked",
        "/v1/./blocked",
        "/v1/blocked/.",
        "/v1/blocked/..",
        "/v1/%2e/blocked",
        "/v1/x/%2E%2e/blocked",
        "/v1/.%2e/v1/blocked",
        "/v1//blocked",
        "//v1/blocked",
        "/v1/blocked//",
    ],
)
async def test_a_doubtful_path_is_refused(
    guarded: Proxy, upstream: RawUpstream, target: str
) -> None:
    """Encoded separators, dot segments and `//` around the name: 400 `ambiguous_call`."""
    await refused(guarded, upstream, post(b"{}", target=target), 400, codes=("ambiguous_call",))


async def test_a_doubtful_path_on_an_http_upstream_passes(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """There the path is only a path."""
    for target in ("/v1/x%2Fy", "/v1/../x", "//v1//x", "/v1/%00"):
        upstream.then()
        await passes(proxy, upstream, post(b"{}", target=target), b"{}")


async def test_a_path_and_a_body_that_disagree_are_refused(
    guarded: Proxy, upstream: RawUpstream
) -> None:
    """400 `ambiguous_call`, whichever of the two is the one that is off."""
    for target, body in (("/v1/free", BLOCKED), ("/v1/blocked", FREE), ("/v1/other", FREE)):
        upstream.then()
        raw = post(body, target=target)
        await refused(guarded, upstream, raw, 400, codes=("ambiguous_call",))


async def test_a_path_and_a_body_that_agree_pass(guarded: Proxy, upstream: RawUpstream) -> None:
    """Saying it twice is not saying two things."""
    await passes(guarded, upstream, post(FREE, target="/v1/fr%65e"), FREE)
