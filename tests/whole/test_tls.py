"""TLS to an upstream (spec 2.1): verified, named, and a doubtful one never spoken to."""

import asyncio
import json
import os
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from tests.harness import RawUpstream, breathe, holdfast, request
from tests.harness.upstream import then_close
from tests.harness.wire import Ended

pytestmark = pytest.mark.asyncio(loop_scope="module")

RETRY = "policies: [{name: r, effect: read, retry: {attempts: 3, backoff: {base: 1ms}}}]"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    """A CA of our own, and its certificate in a file."""
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return ca, path


def server(ca: trustme.CA, *names: str) -> ssl.SSLContext:
    """What a server with these names presents."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    return context


def named(upstream: RawUpstream, host: str = "localhost") -> str:
    """Its url by name."""
    return f"https://{host}:{upstream.port}"


async def test_a_good_certificate_is_spoken_to(authority: tuple[trustme.CA, Path]) -> None:
    """`tls: {ca}` names who is trusted; the upstream is told by SNI which name is meant."""
    ca, path = authority
    async with RawUpstream(tls=server(ca, "localhost")) as upstream:
        async with holdfast(named(upstream), mount={"tls": {"ca": str(path)}}) as proxy:
            for _ in range(3):
                got = await proxy.call(request("/", method="POST", body=b"secret"))
                assert (got.status, got.body) == (200, b"ok")
        assert upstream.requests[0].body == b"secret"
        assert upstream.server_names == ["localhost"]
        assert len(upstream.connections) == 1


async def test_an_address_can_be_certified(authority: tuple[trustme.CA, Path]) -> None:
    """A url with an IP address needs a certificate for it, and sends no name."""
    ca, path = authority
    async with RawUpstream(tls=server(ca, "127.0.0.1")) as upstream:
        async with holdfast(upstream, mount={"tls": {"ca": str(path)}}) as proxy:
            assert (await proxy.call(request())).status == 200
        assert upstream.server_names == [None]


async def refused(url: str, mount: dict[str, object]) -> None:
    """502 `upstream_unreachable`, nothing ran, and asked only once in spite of retry."""
    async with holdfast(url, policies=RETRY, mount=mount) as proxy:
        got = await proxy.call(request())
        problem = json.loads(got.body)
        assert (got.status, problem["code"]) == (502, "upstream_unreachable")
        assert problem["executed"] == "no"
        assert problem["attempts"] == 1


async def test_an_unknown_authority_is_not_spoken_to(authority: tuple[trustme.CA, Path]) -> None:
    """A certificate of nobody we trust is refused, and not tried again: it will not change."""
    ca, _ = authority
    async with RawUpstream(tls=server(ca, "localhost")) as upstream:
        await refused(named(upstream), {})
        assert upstream.requests == []


async def test_another_name_is_not_spoken_to(authority: tuple[trustme.CA, Path]) -> None:
    """A good certificate for somebody else is not good."""
    ca, path = authority
    async with RawUpstream(tls=server(ca, "other.test")) as upstream:
        await refused(named(upstream), {"tls": {"ca": str(path)}})
        assert upstream.requests == []


async def test_verification_can_be_switched_off(authority: tuple[trustme.CA, Path]) -> None:
    """`tls: {insecure: true}` takes any certificate."""
    ca, _ = authority
    async with (
        RawUpstream(tls=server(ca, "other.test")) as upstream,
        holdfast(named(upstream), mount={"tls": {"insecure": True}}) as proxy,
    ):
        assert (await proxy.call(request())).status == 200


async def test_a_plain_upstream_is_not_a_tls_one() -> None:
    """An https url to a port that speaks HTTP is unreachable, and got no request."""
    async with RawUpstream() as upstream:
        async with holdfast(named(upstream), mount={"tls": {"insecure": True}}) as proxy:
            got = await proxy.call(request())
            assert (got.status, json.loads(got.body)["code"]) == (502, "upstream_unreachable")
        assert upstream.requests == []


async def test_an_old_protocol_is_not_spoken(authority: tuple[trustme.CA, Path]) -> None:
    """TLS 1.2 is the least."""
    ca, path = authority
    context = server(ca, "localhost")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with RawUpstream(tls=context) as upstream:
        await refused_or_down(named(upstream), path)
        assert upstream.requests == []


async def refused_or_down(url: str, ca: Path) -> None:
    """502, however often it was tried."""
    async with holdfast(url, mount={"tls": {"ca": str(ca)}}) as proxy:
        got = await proxy.call(request())
        assert (got.status, json.loads(got.body)["code"]) == (502, "upstream_unreachable")


async def test_large_bodies_pass_through_tls(authority: tuple[trustme.CA, Path]) -> None:
    """Megabytes, up and down."""
    ca, path = authority
    body = bytes(range(256)) * 8192
    async with RawUpstream(tls=server(ca, "localhost")) as upstream:

        async def echo(connection, asked) -> None:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(asked.body))
            connection.send(asked.body)

        upstream.then(echo)
        async with holdfast(named(upstream), mount={"tls": {"ca": str(path)}}) as proxy:
            assert (await proxy.call(request("/", method="POST", body=body))).body == body


async def test_a_tls_answer_may_end_with_its_connection(
    authority: tuple[trustme.CA, Path],
) -> None:
    """With a proper close of TLS the close is the end of the body."""
    ca, path = authority
    step = then_close(b"HTTP/1.1 200 OK\r\n\r\nuntil-eof")
    async with (
        RawUpstream(step, tls=server(ca, "localhost")) as upstream,
        holdfast(named(upstream), mount={"tls": {"ca": str(path)}}) as proxy,
    ):
        assert (await proxy.call(request())).body == b"until-eof"


async def test_a_tls_answer_that_is_cut_is_no_answer(authority: tuple[trustme.CA, Path]) -> None:
    """A FIN without the close of TLS may be anybody's (RFC 9112 9.8): the agent sees a cut."""
    ca, path = authority

    async def cuts(connection, asked) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\n\r\npart")
        await breathe()
        number = os.dup(connection.transport.get_extra_info("socket").fileno())
        with socket.socket(fileno=number) as raw:
            raw.shutdown(socket.SHUT_WR)

    async with (
        RawUpstream(cuts, tls=server(ca, "localhost")) as upstream,
        holdfast(named(upstream), mount={"tls": {"ca": str(path)}}) as proxy,
        await proxy.connect() as agent,
    ):
        agent.send(request())
        if "uvloop" in type(asyncio.get_running_loop()).__module__:
            with pytest.raises(Ended):
                await agent.answer()
        else:  # asyncio tells both ends in the same way
            assert (await agent.answer()).body == b"part"
