"""proxy/mirrors/posting.py, against real servers that fail, hang and lie."""

import ssl
from collections.abc import Callable

import pytest
import trustme

from proxy.mirrors.posting import Poster
from tests.harness import RawUpstream, answer, within
from tests.harness.upstream import Step, hang_up, never, slam

LONG = 30.0


async def posted(far: RawUpstream, patience: float = LONG, path: str = "/notes") -> str:
    """Why a note was not taken."""
    poster = Poster(far.url + path, patience)
    try:
        return await within(poster.post("a note\n\n— signed\n"))
    finally:
        await poster.close()


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_a_note_is_posted_as_it_stands(status: int) -> None:
    """As plain text; any 2xx takes it."""
    async with RawUpstream(answer(status)) as far:
        assert await posted(far) == ""
        request = await far.seen()
    assert request.start == b"POST /notes HTTP/1.1"
    assert request.body.decode() == "a note\n\n— signed\n"
    assert request.value("content-type") == b"text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (answer(500), "it answered 500"),
        (answer(404), "it answered 404"),
        (answer(302, "Location: /elsewhere"), "it answered 302"),
        (hang_up, "no answer: ServerDisconnectedError"),
        (slam, "no answer: "),
        (b"nonsense\r\n\r\n", "no answer: "),
        (b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n", "no answer: "),
    ],
)
async def test_what_takes_no_note(step: Step, why: str) -> None:
    """Whatever it says, it is asked once, and led nowhere else."""
    async with RawUpstream(step) as far:
        assert (await posted(far)).startswith(why)
        assert len(far.heads) == 1


async def test_a_server_that_never_answers_is_given_up() -> None:
    """In time."""
    async with RawUpstream(never) as far:
        assert await posted(far, patience=0.05) == "it did not answer in time"


async def test_a_body_without_end_is_not_read() -> None:
    """The status is all that counts; the connection is closed."""
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"5\r\naaaaa\r\n" * 1000
    lying = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\nshort"
    for told in (endless, lying):
        async with RawUpstream(told) as far:
            assert await posted(far) == ""
            await within(far.closed())


async def test_nobody_listens() -> None:
    """A port that is closed."""
    async with RawUpstream() as far:
        await far.shut()
        why = await posted(far)
    assert why.startswith("no connection: ")


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Callable[[trustme.CA], ssl.SSLContext]:
    """A server's side of TLS."""

    def context(ca: trustme.CA) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("127.0.0.1").configure_cert(made)
        return made

    return context


async def test_a_certificate_must_be_trusted(
    trusted: Callable[[trustme.CA], ssl.SSLContext],
) -> None:
    """As usual: by the authorities of the system, of which a stranger is none."""
    async with RawUpstream(tls=trusted(trustme.CA())) as far:
        why = await posted(far)
        assert far.heads == []
    assert why.startswith("its certificate is not trusted: ")
