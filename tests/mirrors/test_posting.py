"""proxy/mirrors/posting.py, against real servers that fail, hang and lie."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate
from typing import Any

import pytest
import trustme

from proxy.mirrors.posting import LOOKUPS, Posting
from proxy.mirrors.reach import NEVER, OURS
from proxy.posts import Answer, Headers
from tests.fakes import FakeClock
from tests.harness import RawUpstream, answer, within
from tests.harness.upstream import Step, UpstreamConnection, hang_up, never, slam

LONG = 30.0
TEXT: Headers = (("Content-Type", "text/plain"), ("webhook-id", "n-1"))


async def posted(url: str, patience: float = LONG, private: bool = True, read: int = 0) -> Answer:
    """What came of one try."""
    posting = Posting(FakeClock(), patience)
    try:
        return await within(posting(url, b"a note", TEXT, private=private, read=read))
    finally:
        await posting.close()


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_a_note_is_posted_as_it_stands(status: int) -> None:
    """With the headers that were asked for; any 2xx takes it."""
    async with RawUpstream(answer(status)) as far:
        said = await posted(far.url + "/notes")
        request = await far.seen()
    assert (said.taken, said.status, said.why) == (True, status, "")
    assert request.start == b"POST /notes HTTP/1.1"
    assert request.body == b"a note"
    assert request.value("content-type") == b"text/plain"
    assert request.value("webhook-id") == b"n-1"
    assert request.value("user-agent") == b"holdfast"


@pytest.mark.parametrize(
    ("step", "status", "why"),
    [
        (answer(500), 500, "it answered 500"),
        (answer(410), 410, "it answered 410"),
        (answer(302, "Location: /elsewhere"), 302, "it answered 302"),
        (answer(307, "Location: /elsewhere"), 307, "it answered 307"),
        (hang_up, 0, "no answer: ServerDisconnectedError"),
        (slam, 0, "no answer: "),
        (b"nonsense\r\n\r\n", 0, "no answer: "),
        (b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n", 0, "no answer: "),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000 + b"\r\n", 0, "no answer: "),
    ],
)
async def test_what_takes_no_note(step: Step, status: int, why: str) -> None:
    """Whatever it says, it is asked once, and led nowhere else."""
    async with RawUpstream(step) as far:
        said = await posted(far.url)
        assert len(far.heads) == 1
    assert not said.taken
    assert said.status == status
    assert said.why.startswith(why)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120.0),
        (formatdate(FakeClock().wall() + 90, usegmt=True), 90.0),
        ("Wed, 21 Oct 1998 07:28:00 GMT", 0.0),
        ("99999999999", 86_400.0),
        ("soon", 0.0),
        ("-5", 0.0),
    ],
)
async def test_it_may_ask_for_time(asked: str, seconds: float) -> None:
    """Retry-After, in seconds or as a date; a day at most."""
    async with RawUpstream(answer(429, f"Retry-After: {asked}")) as far:
        said = await posted(far.url)
    assert (said.status, said.retry_after) == (429, seconds)


async def test_a_server_that_never_answers_is_given_up() -> None:
    """In time."""
    async with RawUpstream(never) as far:
        assert (await posted(far.url, patience=0.05)).why == "it did not answer in time"


async def test_an_answer_that_drips_is_given_up() -> None:
    """The time is for all of it, and does not begin anew with each byte."""

    async def drips(connection: UpstreamConnection, _: object) -> None:
        while True:
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            await asyncio.sleep(0)

    async with RawUpstream(drips) as far:
        assert (await posted(far.url, patience=0.1)).why == "it did not answer in time"


ENDLESS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"5\r\naaaaa\r\n" * 1000
LYING = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\nshort"


@pytest.mark.parametrize("told", [ENDLESS, LYING])
async def test_a_body_without_end_is_not_read(told: bytes) -> None:
    """The status is all that counts; the connection is closed."""
    async with RawUpstream(told) as far:
        assert (await posted(far.url)).taken
        await within(far.closed())


async def test_only_so_much_of_it_is_read() -> None:
    """As was asked for."""
    async with RawUpstream(ENDLESS, answer(200, body=b"ok")) as far:
        assert (await posted(far.url, read=12)).body == b"aaaaaaaaaaaa"
        assert (await posted(far.url, read=12)).body == b"ok"


async def test_nobody_listens() -> None:
    """A port that is closed."""
    async with RawUpstream() as far:
        await far.shut()
        said = await posted(far.url)
    assert said.why.startswith("no connection: ")


async def test_a_url_that_leads_nowhere() -> None:
    """Is no bug of ours, and is not shown."""
    said = await posted("http://127.1:1/secret")
    assert said.why == "no answer: InvalidUrlClientError"


@pytest.fixture
def trusted() -> Callable[[trustme.CA], ssl.SSLContext]:
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
        said = await posted(far.url)
        assert far.heads == []
    assert said.why.startswith("its certificate is not trusted: ")


async def test_who_speaks_no_tls() -> None:
    """Where it should."""

    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example at your service\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        said = await posted(f"https://{host}:{port}/")
    assert said.why.startswith("no TLS with it: ")


class Names:
    """Who answers look-ups, instead of the resolver: each with what is next."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *_: Any) -> list[Any]:
        self.asked.append(host)
        address = self.addresses.pop(0)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]


@pytest.fixture
async def far() -> AsyncIterator[RawUpstream]:
    """Somebody on this machine."""
    async with RawUpstream() as upstream:
        yield upstream


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("127.0.0.1", OURS),
        ("localhost", OURS),
        ("[::1]", OURS),
        ("[::ffff:127.0.0.1]", OURS),
        ("0.0.0.0", NEVER),
        ("[::]", NEVER),
        ("169.254.169.254", NEVER),
        ("[fe80::1]", NEVER),
    ],
)
async def test_this_machine_is_not_reached(far: RawUpstream, host: str, why: str) -> None:
    """Whatever it is called, unless somebody said that it may."""
    said = await posted(f"http://{host}:{far.port}/", private=False)
    assert said == Answer(why=f"nothing was sent: {why}")
    assert far.connections == []


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1"])
@pytest.mark.parametrize("name", ["alerts.example", "localhost."])
async def test_a_name_may_lead_home(
    far: RawUpstream, monkeypatch: pytest.MonkeyPatch, address: str, name: str
) -> None:
    """It is not the name that is judged."""
    monkeypatch.setattr(socket, "getaddrinfo", Names(address))
    said = await posted(f"http://{name}:{far.port}/", private=False)
    assert said.why == f"nothing was sent: {OURS}"
    assert far.connections == []


async def test_a_name_is_looked_up_once(far: RawUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was judged is what is connected to: a second look-up could say something else."""
    names = Names("127.0.0.1", "169.254.169.254")
    monkeypatch.setattr(socket, "getaddrinfo", names)
    posting = Posting(FakeClock(), LONG)
    url = f"http://alerts.example:{far.port}/"
    first = await within(posting(url, b"", TEXT, private=True))
    second = await within(posting(url, b"", TEXT, private=True))
    await posting.close()
    assert first.taken
    assert second.why == f"nothing was sent: {NEVER}"
    assert names.asked == ["alerts.example", "alerts.example"]


async def test_a_name_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that could not be looked up."""

    def unknown(*_: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert (
        await posted("http://alerts.example/")
    ).why == "no connection: Name or service not known"
    monkeypatch.undo()
    said = await posted(f"http://{'a' * 70}.example/")
    assert said.why == "no connection: no name that could be looked up"


async def test_look_ups_that_hang_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """And hold up nobody else: each has a thread of its own."""
    released = threading.Event()

    def hangs(*_: Any) -> Any:
        released.wait(LONG)
        raise socket.gaierror(socket.EAI_AGAIN, "no")

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    posting = Posting(FakeClock(), 0.05)
    said = [await within(posting("http://a.example/", b"", TEXT)) for _ in range(3)]
    assert {each.why for each in said} == {"it did not answer in time"}
    many = [posting("http://a.example/", b"", TEXT) for _ in range(LOOKUPS - 2)]
    whys = [each.why for each in await within(asyncio.gather(*many))]
    assert "no connection: too many names are being looked up" in whys
    released.set()
    await posting.close()


async def test_there_may_be_no_thread_for_a_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is a failure like others, and takes no room from later ones."""

    def refuses(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    posting = Posting(FakeClock(), LONG)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuses)
        for _ in range(LOOKUPS + 1):
            said = await within(posting("http://a.example/", b"", TEXT))
            assert said.why == "no connection: can't start new thread"
    async with RawUpstream() as far:
        url = f"http://localhost:{far.port}/"
        assert (await within(posting(url, b"", TEXT, private=True))).taken
    await posting.close()
