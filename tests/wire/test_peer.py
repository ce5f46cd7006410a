"""Has the agent hung up, or only said all that it had to say? Asked of real sockets."""

import contextlib
import socket
import struct
import sys
from collections.abc import Iterator

import pytest

from proxy.wire import peer
from proxy.wire.peer import still_there

LIMIT = 5.0

LINUX = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux tells who owns the other end"
)


def has_ipv6() -> bool:
    """May a socket listen on ::1 here?"""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
KINDS = [
    pytest.param("v4", marks=LINUX),
    pytest.param("v6", marks=[LINUX, IPV6]),
    pytest.param("mapped", marks=[LINUX, IPV6]),
    "unix",
]
every = pytest.mark.parametrize("kind", KINDS)


@contextlib.contextmanager
def pair(kind: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The agent's socket and ours. `mapped`: an IPv4 agent of a listener for both."""
    if kind == "unix":
        theirs, ours = socket.socketpair(socket.AF_UNIX)
    elif kind == "mapped":
        with socket.socket(socket.AF_INET6) as door:
            door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            door.bind(("::", 0))
            door.listen()
            theirs = socket.create_connection(("127.0.0.1", door.getsockname()[1]), LIMIT)
            ours, _ = door.accept()
    else:
        family = socket.AF_INET if kind == "v4" else socket.AF_INET6
        host = "127.0.0.1" if kind == "v4" else "::1"
        with socket.create_server((host, 0), family=family) as door:
            theirs = socket.create_connection(door.getsockname()[:2], LIMIT)
            ours, _ = door.accept()
    ours.settimeout(LIMIT)
    with theirs, ours:
        yield theirs, ours


def heard_the_end(ours: socket.socket) -> bool:
    """Has the FIN come? Waits for it."""
    return ours.recv(1) == b""


@every
def test_an_agent_that_only_stopped_sending_is_there(kind):
    """It waits for its answer."""
    with pair(kind) as (theirs, ours):
        theirs.shutdown(socket.SHUT_WR)
        assert heard_the_end(ours)
        assert still_there(ours)


@every
def test_an_agent_that_closed_is_gone(kind):
    """Nobody would read the answer."""
    with pair(kind) as (theirs, ours):
        theirs.close()
        assert heard_the_end(ours)
        assert not still_there(ours)


@every
def test_an_agent_that_stopped_sending_and_closed_later_is_gone(kind):
    """Asked again, it is told otherwise."""
    with pair(kind) as (theirs, ours):
        theirs.shutdown(socket.SHUT_WR)
        assert heard_the_end(ours)
        assert still_there(ours)
        theirs.close()
        assert not still_there(ours)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_an_agent_that_reset_is_gone(kind):
    """There is no other end any more."""
    with pair(kind) as (theirs, ours):
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        with pytest.raises(ConnectionResetError):
            ours.recv(1)
        assert not still_there(ours)


def test_a_socket_that_is_closed_here_has_nobody_on_it():
    """It is asked about when the loop gets to it, which may be too late."""
    with pair("v4") as (_, ours):
        ours.close()
        assert not still_there(ours)


class Elsewhere:
    """A connection from another machine: the kernel does not know its other end."""

    family = socket.AF_INET

    def getsockname(self) -> tuple[str, int]:
        return "192.0.2.1", 8700

    def getpeername(self) -> tuple[str, int]:
        return "192.0.2.2", 40_000


def test_an_agent_on_another_machine_counts_as_gone():
    """As it does with every other proxy."""
    assert not still_there(Elsewhere())  # type: ignore[arg-type]


def test_where_the_kernel_tells_nothing_a_fin_is_the_end(monkeypatch):
    """Other systems have no such question to ask."""
    monkeypatch.setattr(peer.sys, "platform", "darwin")
    with pair("v4") as (theirs, ours):
        theirs.shutdown(socket.SHUT_WR)
        assert heard_the_end(ours)
        assert not still_there(ours)
