"""Whose turn it is where a pool is full, without sockets and without time that passes by itself."""

import errno
from typing import Any

import pytest

from proxy.clock import NEVER
from proxy.reply import Failure, Reply
from proxy.strand import Strand
from proxy.wire.client import Client, Forward
from proxy.wire.head import Limits
from proxy.wire.pool import CONNECT, ConnectionPool, Origin
from proxy.wire.upstream import UpstreamConnection
from tests.fakes import FakeClock, make_attempt
from tests.harness import breathe
from tests.wire.plug import Plug

FAR = 1060.0


class Street(ConnectionPool):
    """A pool of one, whose connections are made at once. `times` are the ends of connecting."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        super().__init__(Origin("up", 80), self.clock, Limits(), most=1, idle=60.0)
        self.times: list[float] = []
        self.stillborn = False
        self.wakings = 0

    def _let_one_try(self) -> None:
        self.wakings += 1
        super()._let_one_try()

    async def _opened(self, due: float) -> UpstreamConnection | Reply:
        self.times.append(due)
        return await super()._opened(due)

    async def _connect(self) -> UpstreamConnection:
        connection = self._made()
        connection.connection_made(Plug())
        if self.stillborn:
            connection.connection_lost(None)
        return connection


class Waiting:
    """A call that needs a connection, and what it got."""

    def __init__(self, street: Street, due: float = FAR, deadline: float = FAR) -> None:
        self.got: list[Any] = []

        async def opens() -> None:
            self.got.append(await street.open(due, 3.0, deadline))

        self.strand = Strand(opens(), lambda _: None)
        self.strand.step()

    @property
    def connection(self) -> UpstreamConnection:
        """That it got."""
        (got,) = self.got
        assert isinstance(got, UpstreamConnection)
        return got


async def busy() -> tuple[Street, UpstreamConnection]:
    """A pool whose only connection is in use."""
    street = Street()
    first = Waiting(street)
    await breathe(3)
    return street, first.connection


# times


@pytest.mark.parametrize(("deadline", "end"), [(FAR, 1005.5), (1004.0, 1004.0)])
async def test_connecting_has_its_own_time_when_its_turn_has_come(
    deadline: float, end: float
) -> None:
    """However long the queue was; but not more than its attempt has."""
    street, first = await busy()
    Waiting(street, due=1003.0, deadline=deadline)
    street.clock.advance(2.5)
    first.close()
    await breathe(3)
    assert street.times == [1003.0, end]


async def test_a_turn_that_does_not_come_in_time_is_an_overload() -> None:
    """Nothing was opened for it."""
    street, _ = await busy()
    late = Waiting(street, due=1003.0)
    street.clock.advance(2.9)
    assert late.got == []
    street.clock.advance(0.2)
    assert late.got[0].failure is Failure.OVERLOADED
    assert street.times == [1003.0]


@pytest.mark.parametrize(
    ("times", "asked"),
    [
        ({}, (1002.0 + CONNECT, CONNECT, NEVER)),
        ({"connect_by": 1005.0}, (1007.0, 5.0, NEVER)),
        ({"connect_by": 1005.0, "deadline": 1006.0}, (1006.0, 5.0, 1006.0)),
    ],
)
async def test_an_attempt_says_how_long_connecting_may_take(
    times: dict[str, Any], asked: tuple[float, float, float]
) -> None:
    """For its turn and for connecting; `timeout.connect` is a length, whenever it is begun."""

    class Full:
        """A pool that notes what it is asked for."""

        def take(self, *, fresh: bool) -> None:
            """There is none."""

        async def open(self, *times: float) -> Reply:
            """No."""
            opened.append(times)
            return Reply(status=0, failure=Failure.OVERLOADED)

    opened: list[tuple[float, ...]] = []
    pool: Any = Full()
    writer: Any = None
    client = Client("gateway", writer, pool, FakeClock(at=1002.0), Forward())
    reply = await client.send(make_attempt(started=1000.0, **times))
    assert (reply.failure, opened) == (Failure.OVERLOADED, [asked])


# turns


async def test_a_connection_that_is_lost_twice_makes_room_once() -> None:
    """It ends in more than one way: closed by us, and then told so by the loop."""
    street, first = await busy()
    second, third = Waiting(street), Waiting(street)
    street.wakings = 0
    first.close()
    first.connection_lost(None)
    street.lost(first)
    await breathe(5)
    assert street.wakings == 2  # it was lost, and another one was opened
    assert len(street.times) == 2
    assert (len(second.got), third.got) == (1, [])
    assert repr(street) == "<pool of up: 1 busy, 0 idle, 1 waiting>"


async def test_who_is_woken_for_nothing_keeps_his_place() -> None:
    """Who came later, and waits behind him, is not served before."""
    street, first = await busy()
    second, third = Waiting(street), Waiting(street)
    for _ in range(3):
        street._let_one_try()  # somebody made room, and somebody else was faster
    assert (second.got, third.got) == ([], [])
    street.release(first)
    await breathe(3)
    assert second.got == [first]
    street.release(first)
    await breathe(3)
    assert third.got == [first]


async def test_who_comes_first_is_served_first() -> None:
    """Though a connection that was promised to him was gone before he had it."""
    street, first = await busy()
    waiting = [Waiting(street) for _ in range(3)]
    street.release(first)
    first.close()
    for one in waiting:
        await breathe(3)
        assert len([other for other in waiting if other.got]) == waiting.index(one) + 1
        street.release(one.connection)


async def test_a_connection_that_is_closed_at_once_is_none() -> None:
    """It takes no place: the next call may open one."""
    street = Street()
    street.stillborn = True
    stillborn = Waiting(street)
    await breathe(3)
    assert stillborn.got[0].failure is Failure.CONNECT
    assert repr(street) == "<pool of up: 0 busy, 0 idle, 0 waiting>"
    street.stillborn = False
    second = Waiting(street)
    await breathe(3)
    assert not second.connection.closed


@pytest.mark.parametrize(
    ("number", "failure"),
    [
        (errno.EMFILE, Failure.OVERLOADED),
        (errno.EADDRNOTAVAIL, Failure.OVERLOADED),
        (errno.ECONNREFUSED, Failure.CONNECT),
    ],
)
async def test_what_we_have_run_out_of_is_not_the_upstreams_fault(number, failure):
    """It opens no circuit."""
    street = Street()

    async def fails() -> UpstreamConnection:
        raise OSError(number, "no more")

    street._connect = fails
    waiting = Waiting(street)
    await breathe()
    (got,) = waiting.got
    assert got.failure is failure
