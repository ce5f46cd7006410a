"""The watch over one agent: is it too slow, has it gone, does it read? One timer for all of it.

There is always one question at a time; a later one takes the place of the one before. While a call
runs and nothing is asked of its agent there is none, and the timer may ring for nothing: to stop it
would cost each call more than that.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

from proxy.clock import Clock
from proxy.wire.incoming import PACE_FOR, Incoming
from proxy.wire.peer import fin_has_come, still_there

_LINGER = 2.0  # seconds in which an agent may still read an answer to a request that was not read
_SOON = 0.05  # seconds between looks at whether an agent is still there
_FLUSH = 30.0  # seconds for an agent to read what was written before its connection closed


class Watched(Protocol):
    """What is asked of the connection."""

    transport: asyncio.Transport

    def too_slow(self) -> None:
        """No whole head came in time, if one was waited for."""

    def left(self) -> None:
        """The agent has hung up."""


class Vigil:
    """See the head of this file."""

    __slots__ = ("_alarm", "_connection", "_incoming", "_now", "question")

    def __init__(self, connection: Watched, clock: Clock) -> None:
        self._connection = connection
        self._now = clock.now
        self._alarm = clock.alarm(self._rang)
        self.question: Callable[[], None] | None = None
        """Asked when the timer rings. None: has a head come in time, if one was waited for?"""
        self._incoming: Incoming | None = None

    def close(self) -> None:
        """The connection has ended."""
        self._alarm.close()

    def for_head(self, seconds: float) -> None:
        """A head must come within `seconds`."""
        self.question = None
        self._alarm.set(self._now() + seconds)

    def for_peer(self) -> None:
        """Its FIN has come: is it still there to read the answer? Asked soon, and again."""
        self._ask(self.look_at_peer, _SOON)

    def for_fin(self) -> None:
        """Nobody reads from it, so nobody would see it leave."""
        self._ask(self._look_at_fin, _SOON)

    def for_pace(self, incoming: Incoming) -> None:
        """All of a body must come, and not too slowly."""
        incoming.measure()
        self._incoming = incoming
        self._ask(self._look_at_pace, PACE_FOR)

    def for_flush(self) -> None:
        """The connection closes once the last answer is read; if it never is, it ends."""
        self._ask(self._connection.transport.abort, _FLUSH)

    def for_linger(self) -> None:
        """The agent still sends. To close now would reset the connection and lose the answer."""
        self._ask(self._lingered, _LINGER)

    def reads_again(self) -> None:
        """It is read from again: its leaving will be seen, and its pace is its own."""
        if self.question == self._look_at_fin:
            if self._incoming is None:
                self.rest()
            else:
                self.for_pace(self._incoming)

    def rest(self) -> None:
        """Nothing is asked of it any more."""
        self.question = self._incoming = None

    def _ask(self, question: Callable[[], None], after: float) -> None:
        self.question = question
        self._alarm.set(self._now() + after)

    def _rang(self) -> None:
        if self.question is None:
            self._connection.too_slow()
        else:
            self.question()

    def look_at_peer(self) -> None:
        """Is it still there? Asked now, and again."""
        found = self._socket()
        if found is not None and still_there(found):
            self.for_peer()
        else:
            self._connection.left()

    def _look_at_fin(self) -> None:
        found = self._socket()
        if found is not None and fin_has_come(found):
            self._connection.left()
            self._connection.transport.abort()
        else:
            self.for_fin()

    def _look_at_pace(self) -> None:
        if self._incoming is not None and self._incoming.keeps_pace():
            self._ask(self._look_at_pace, PACE_FOR)

    def _lingered(self) -> None:
        self._connection.transport.close()
        self.for_flush()

    def _socket(self) -> socket.socket | None:
        found: socket.socket | None = self._connection.transport.get_extra_info("socket")
        return found
