"""`GET /v1/events`: news as they come, and calls as they end (server-sent events).

Nobody is waited for. What a listener does not take in time is kept for it up to a bound; one that
is slower loses the rest, is told how much that was, and must come again. While nobody listens to
calls a call pays nothing for it. Pages listen to samples (`sampling.py`): one is made each second
and written once, however many listen.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import hdrs, web

from proxy.admin.answers import NotDone
from proxy.admin.routes import Parameter, Visit
from proxy.admin.sampling import EVERY, Sample, short
from proxy.admin.sight import Sight
from proxy.keys import NEWS
from proxy.news import Event, News
from proxy.record import Record

MOST = 16
"""Listeners."""
KEPT = 512
"""Events that are kept for one."""
HEARTBEAT = 15.0
"""Seconds of silence, after which a comment is sent: else who is gone would be noticed late."""
PATIENCE = 10.0
"""Seconds in which a listener must take something, when its connection is full."""
STREAM = "text/event-stream"
CALLS = Parameter(
    "calls",
    "Calls that have ended as well; sample: a few of each second, and how many there were.",
    {"type": "string", "enum": ["true", "sample", "false"]},
)


class Listener:
    """What is kept for one, until it has been sent."""

    def __init__(self, calls: bool, known: bool = False, samples: bool = False) -> None:
        """`known`: it has a name, and is not just anybody on this machine."""
        self.calls = calls
        self.samples = samples
        self.known = known
        self.connected: Callable[[], bool] = lambda: True
        self.over = False
        self.lost = 0
        self._kept: deque[bytes] = deque()
        self._news = asyncio.Event()

    def push(self, event: bytes) -> None:
        """Never waits. Once something is lost all that comes after it is as well."""
        if self.lost or len(self._kept) >= KEPT:
            self.lost += 1
        else:
            self._kept.append(event)
        self._news.set()

    def end(self) -> None:
        """There will be no more."""
        self.over = True
        self._news.set()

    async def take(self) -> bytes:
        """What there is, or a comment after a while without anything."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT):
                await self._news.wait()
        self._news.clear()
        told = b"".join(self._kept)
        self._kept.clear()
        if self.lost:
            self.over = True
            return told + written("dropped", {"lost": self.lost})
        return told + (written("end", {}) if self.over else b"") or b": \n\n"


class Events:
    """The handler; a listener to the news and, where somebody wants calls, a recorder."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._news = sight.keep.of(NEWS, News)
        self._news.listeners.append(self.hear)
        self._listeners: set[Listener] = set()
        self.forgets: list[Callable[[], None]] = []
        """Told of news first: who hears of something must not see it as it was."""
        self._closed = False
        self._sample = Sample()
        self._sampling: asyncio.Task[None] | None = None

    def close(self) -> None:
        """End all streams. May be called again."""
        self._closed = True
        self._stop_sampling()
        with contextlib.suppress(ValueError):
            self._news.listeners.remove(self.hear)
        for listener in self._listeners:
            listener.end()

    def hear(self, event: Event) -> None:
        """Listens to the news."""
        for forget in self.forgets:
            forget()
        if self._listeners:
            told = written(event.word, msgspec.to_builtins(event))
            for listener in self._listeners:
                listener.push(told)

    def note(self, record: Record) -> None:
        """A call has ended."""
        event = written("call", short(record))
        for listener in self._listeners:
            if listener.calls:
                listener.push(event)

    async def stream(self, visit: Visit) -> web.StreamResponse:
        """Until one of both goes. Raises NotDone."""
        if visit.request.method == "HEAD":
            return web.Response(content_type=STREAM)
        known = bool(visit.author.name)
        self._forget_gone()
        alike = sum(each.known is known for each in self._listeners)
        if self._closed or alike >= MOST:
            raise NotDone(503, f"there are {MOST} who listen", {str(hdrs.RETRY_AFTER): "10"})
        calls = visit.request.query.get("calls")
        listener = Listener(calls == "true", known, calls == "sample")
        listener.connected = lambda: visit.request.transport is not None
        self._add(listener)
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: STREAM})
        try:
            await response.prepare(visit.request)
            await self._send(listener, response)
        except (ConnectionError, TimeoutError):
            response.force_close()
        finally:
            self._remove(listener)
        return response

    async def _send(self, listener: Listener, response: web.StreamResponse) -> None:
        health, tokens = self._sight.health, self._sight.tokens()
        hello = {"policy_version": health.version, "ready": health.ready}
        await response.write(written("hello", hello))
        while not listener.over:
            told = await listener.take()
            if self._sight.tokens() is not tokens:  # whose token it was may not count any more
                listener.end()
            async with asyncio.timeout(PATIENCE):
                await response.write(told)
        await response.write_eof()

    def _add(self, listener: Listener) -> None:
        self._listeners.add(listener)
        if listener.calls and self not in self._sight.recorders:
            self._sight.recorders.add(self)
        if listener.samples and self._sampling is None:
            self._sight.recorders.add(self._sample)
            self._sampling = self._sight.clock.spawn(self._tell_samples())

    def _remove(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        if not any(each.calls for each in self._listeners):
            self._sight.recorders.drop(self)
        if not any(each.samples for each in self._listeners):
            self._stop_sampling()

    def _forget_gone(self) -> None:
        """Who has hung up is noticed at the next thing that is told, and may have come again long
        before: a page that is loaded anew must not find its own place taken."""
        for listener in tuple(self._listeners):
            if not listener.connected():
                listener.end()
                self._remove(listener)

    def _stop_sampling(self) -> None:
        if self._sampling is not None:
            self._sampling.cancel()
            self._sampling = None
            self._sight.recorders.drop(self._sample)
            self._sample.take()

    async def _tell_samples(self) -> None:
        """Until cancelled."""
        while True:
            await self._sight.clock.sleep(EVERY)
            told = self._sample.take()
            if told is not None:
                event = written("calls", told)
                for listener in self._listeners:
                    if listener.samples:
                        listener.push(event)


def written(name: str, content: Any) -> bytes:
    """As the stream has it: JSON has no line breaks of its own."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(content))
