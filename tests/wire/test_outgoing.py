"""What goes out on a connection, in which order, and how that ends."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.reply import Reply
from proxy.wire.outgoing import MANY, Outgoing
from tests.fakes import FakeClock
from tests.harness import request
from tests.wire.plug import Plug
from tests.wire.visit import Visit, raw_of, reply_of


class Out:
    """What goes out of one of many. Turns of the loop end when `turn` is called."""

    def __init__(self, plugged: object = None) -> None:
        self.clock, self.plug = FakeClock(), Plug(plugged)
        self.clock.gathers = []
        self.outgoing = Outgoing(self.plug, self.clock, range(MANY))

    def turn(self) -> None:
        gathered, self.clock.gathers = self.clock.gathers or [], []
        for work in gathered:
            work()


@given(st.lists(st.tuples(st.sampled_from(["now", "soon", "turn"]), st.binary(max_size=9))))
def test_everything_goes_out_once_and_in_its_order(steps: list[tuple[str, bytes]]) -> None:
    """However it was written, and whenever a turn ends."""
    out, written = Out(), b""
    for how, content in steps:
        if how == "turn":
            out.turn()
        else:
            written += content
            (out.outgoing.write if how == "now" else out.outgoing.write_whole)(content)
    out.outgoing.close()
    out.turn()
    assert out.plug.written == written


def test_what_is_written_whole_waits_for_the_end_of_the_turn() -> None:
    """And is asked for once, however much it is."""
    out = Out()
    out.outgoing.write_whole(b"a")
    out.outgoing.write_whole(b"b")
    assert (out.plug.written, len(out.clock.gathers or [])) == (b"", 1)
    out.turn()
    assert out.plug.written == b"ab"


@pytest.mark.parametrize("end", ["close", "half_close"])
def test_an_end_waits_for_what_is_kept(end: str) -> None:
    """The last answer is not lost."""
    out = Out()
    out.outgoing.write_whole(b"a")
    getattr(out.outgoing, end)()
    assert out.plug.written == b"a"
    assert (out.plug.closed, out.plug.eof) == ((True, False) if end == "close" else (False, True))


def test_nothing_goes_to_who_is_gone() -> None:
    """Nor is a connection that has ended closed once more."""
    out = Out()
    out.outgoing.write_whole(b"a")
    out.outgoing.lost = True
    out.turn()
    out.outgoing.write(b"b")
    out.outgoing.close()
    assert (out.plug.written, out.plug.closed) == (b"", False)


def test_nothing_is_written_to_what_is_closing() -> None:
    """It would be a library's warning at best."""
    out = Out()
    out.plug.closed = True
    out.outgoing.write(b"a")
    out.outgoing.half_close()
    assert (out.plug.written, out.plug.eof) == (b"", False)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_a_reset_is_one_where_there_is_such_a_thing(family: socket.AddressFamily) -> None:
    """What was sent must not look whole."""
    ours, theirs = socket.socketpair() if family == socket.AF_UNIX else tcp_pair()
    with ours, theirs:
        out = Out(ours)
        out.outgoing.reset()
        assert out.plug.aborted
        lingers = ours.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        assert bool(lingers[0]) is (family == socket.AF_INET)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of one connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        return ours, server.accept()[0]


@pytest.mark.parametrize("others", [0, MANY - 2, MANY - 1, MANY])
def test_answers_are_gathered_where_many_calls_are_on_their_way(others: int) -> None:
    """With few there is nothing to gather; either way each gets its own."""
    visit = Visit(connections=99)
    visit.clock.gathers = []
    agents = [visit.another(Plug()) for _ in range(others)]
    for agent in agents:
        agent.data_received(request("/other"))
    visit.desk.replies = [reply_of(b"mine")]
    visit.says(request())
    gathered = others + 1 >= MANY
    assert (visit.plug.written == b"") is gathered
    assert len(visit.clock.gathers) == gathered
    for work in visit.clock.gathers:
        work()
    assert visit.plug.written == raw_of(b"mine")


def test_an_answer_that_is_kept_goes_out_before_the_next_one_begins() -> None:
    """A pipelined request may be answered in the same turn, and in another way."""
    visit = Visit(connections=99)
    visit.clock.gathers = []
    for _ in range(MANY):
        visit.another(Plug()).data_received(request("/other"))
    closing = Reply(200, b"HTTP/1.1 200 OK\r\n", body=reply_of().body, length=2)
    visit.desk.replies = [reply_of(b"first"), closing]
    visit.says(request() + request("/", "Connection: close"))
    assert visit.plug.written.startswith(raw_of(b"first") + b"HTTP/1.1 200 OK\r\nConnection: close")
    assert visit.plug.closed


def test_not_more_is_kept_than_is_worth_it() -> None:
    """Refusals of a pipeline may be many; who does not read them is to stop us."""
    out = Out()
    for _ in range(64):
        out.outgoing.write_whole(b"x" * 1024)
    assert out.plug.written == b""
    out.outgoing.write_whole(b"y")
    assert out.plug.written == b"x" * (64 << 10) + b"y"
