"""The watch over one agent: one question at a time, asked by one timer."""

from typing import Any

import pytest

from proxy.call import RequestHead
from proxy.clock import NEVER
from proxy.wire import vigil
from proxy.wire.body import Memory
from proxy.wire.head import Limits
from proxy.wire.incoming import PACE_FOR, Incoming
from proxy.wire.vigil import Vigil
from tests.fakes import FakeClock, FakeSource
from tests.wire.plug import Plug


class Watched:
    """A connection that writes down what it is told."""

    def __init__(self) -> None:
        self.plug = Plug(socket=object())
        self.transport: Any = self.plug
        self.told: list[str] = []

    def too_slow(self) -> None:
        self.told.append("too slow")

    def left(self) -> None:
        self.told.append("left")


class Watch:
    """A vigil, with everything around it; `there` and `gone` answer for the kernel."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock, self.watched = FakeClock(), Watched()
        self.vigil = Vigil(self.watched, self.clock)
        self.there = True
        self.gone = False
        monkeypatch.setattr(vigil, "still_there", lambda found: self.there)
        monkeypatch.setattr(vigil, "fin_has_come", lambda found: self.gone)
        head = RequestHead("POST", b"/", 1, [], {}, length=1 << 20)
        self.incoming = Incoming(head, FakeSource(), Limits(), Memory(1 << 20), lambda: None)

    @property
    def told(self) -> list[str]:
        return self.watched.told


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """One that has not been asked anything."""
    return Watch(monkeypatch)


def test_a_head_must_come_in_time(watch: Watch) -> None:
    """Once the time is over, and once only."""
    watch.vigil.for_head(10.0)
    watch.clock.advance(9.9)
    assert watch.told == []
    watch.clock.advance(99.0)
    assert watch.told == ["too slow"]


def test_a_later_question_takes_the_place_of_the_one_before(watch: Watch) -> None:
    """A head that was waited for has come: nobody is too slow any more."""
    watch.vigil.for_head(10.0)
    watch.vigil.for_peer()
    watch.clock.advance(11.0)
    assert watch.told == []


def test_an_agent_that_is_there_is_asked_for_again(watch: Watch) -> None:
    """Every 50 ms, until it has left; then no more."""
    watch.vigil.look_at_peer()
    watch.clock.advance(0.12)
    assert watch.told == []
    watch.there = False
    watch.clock.advance(0.05)
    assert watch.told == ["left"]
    watch.clock.advance(9.0)
    assert watch.told == ["left"]


def test_who_cannot_be_asked_for_has_left(watch: Watch) -> None:
    """Where there is no socket, a FIN is a hang-up."""
    watch.watched.plug = watch.watched.transport = Plug()
    watch.vigil.look_at_peer()
    assert watch.told == ["left"]


def test_a_fin_that_nobody_reads_is_seen(watch: Watch) -> None:
    """And the connection ends at once: it would be read no more."""
    watch.vigil.for_fin()
    watch.clock.advance(0.2)
    assert watch.told == []
    watch.gone = True
    watch.clock.advance(0.05)
    assert watch.told == ["left"]
    assert watch.watched.plug.aborted


def test_a_body_that_is_waited_for_has_a_pace(watch: Watch) -> None:
    """Measured anew each time; what comes too slowly ends there."""
    watch.vigil.for_pace(watch.incoming)
    watch.incoming.take(b"x" * int(1024 * PACE_FOR))
    watch.clock.advance(PACE_FOR)
    assert watch.incoming.bad is None
    watch.incoming.take(b"x" * 1000)
    watch.clock.advance(PACE_FOR)
    assert watch.incoming.bad is not None


def test_a_body_that_we_do_not_read_is_not_too_slow(watch: Watch) -> None:
    """It is looked whether the agent is there; when it is read again, its pace counts again."""
    watch.vigil.for_pace(watch.incoming)
    watch.vigil.for_fin()
    watch.clock.advance(3 * PACE_FOR)
    assert watch.incoming.bad is None
    watch.vigil.reads_again()
    watch.clock.advance(PACE_FOR - 0.1)
    assert watch.incoming.bad is None
    watch.clock.advance(0.2)
    assert watch.incoming.bad is not None


def test_reading_again_where_nobody_waits_for_a_body_asks_nothing(watch: Watch) -> None:
    """Nor does it end another question."""
    watch.vigil.for_fin()
    watch.vigil.reads_again()
    assert watch.vigil.question is None
    watch.vigil.for_linger()
    watch.vigil.reads_again()
    watch.clock.advance(2.1)
    assert watch.watched.plug.closed


def test_an_agent_that_never_reads_the_last_answer_is_let_go(watch: Watch) -> None:
    """After 30 s, whatever is still unread."""
    watch.vigil.for_flush()
    watch.clock.advance(29.9)
    assert not watch.watched.plug.aborted
    watch.clock.advance(0.2)
    assert watch.watched.plug.aborted


def test_an_agent_that_still_sends_may_read_first(watch: Watch) -> None:
    """For 2 s; then the connection closes, and if the answer is never read it ends 30 s on."""
    watch.vigil.for_linger()
    watch.clock.advance(1.9)
    assert not watch.watched.plug.closed
    watch.clock.advance(0.2)
    assert watch.watched.plug.closed
    watch.clock.advance(29.8)
    assert not watch.watched.plug.aborted
    watch.clock.advance(0.2)
    assert watch.watched.plug.aborted


def test_a_connection_that_has_ended_is_not_watched(watch: Watch) -> None:
    """No time runs for it any more."""
    watch.vigil.for_head(10.0)
    watch.vigil.close()
    assert [alarm.due for alarm in watch.clock.alarms] == [NEVER]
