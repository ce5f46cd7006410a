"""An upstream that answers as a test says, and takes the time that the test says."""

import asyncio

import msgspec
from msgspec import UNSET

from proxy.attempt import Attempt
from proxy.call import Whole
from proxy.clock import NEVER, Clock
from proxy.lab.trials.written import Answer, One, Script
from proxy.reply import NEVER_SENT, Failure, Reply

UNDER_WAY = "under-way-"
"""Calls whose ids begin so are never answered: they are what the state calls in flight."""


class Endless(Exception):
    """A call waits for ever: the upstream does not answer, and no policy limits the wait."""


class Scripted:
    """One upstream. It is a `Sender`, as the wire's client is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rest: list[One] = []
        self._always: One = 200

    def follow(self, script: Script) -> None:
        """Answer so from now on."""
        if isinstance(script, tuple):
            self._rest, self._always = list(script), 200
        else:
            self._rest, self._always = [], script

    async def send(self, attempt: Attempt) -> Reply:
        """The next answer, or how the network fails."""
        if attempt.call.id.startswith(UNDER_WAY):
            attempt.sent = True
            await asyncio.get_running_loop().create_future()  # until the test is over
        step = self._rest.pop(0) if self._rest else self._always
        if isinstance(step, str):
            return await self._fails(attempt, Failure(step))
        return await self._answers(attempt, Answer(step) if isinstance(step, int) else step)

    async def _fails(self, attempt: Attempt, failure: Failure) -> Reply:
        attempt.sent = failure not in NEVER_SENT
        if failure is Failure.TIMEOUT:
            await self._clock.sleep(_left(attempt, self._clock.now()))
        return Reply(status=0, failure=failure, detail=f"the test says so: {failure}")

    async def _answers(self, attempt: Attempt, answer: Answer) -> Reply:
        attempt.sent = True
        until = min(attempt.deadline, attempt.first_byte_by)
        if self._clock.now() + answer.after > until:
            return await self._fails(attempt, Failure.TIMEOUT)
        await self._clock.sleep(float(answer.after))
        attempt.first_byte = self._clock.now()
        return _reply(answer)


def _left(attempt: Attempt, now: float) -> float:
    until = min(attempt.deadline, attempt.first_byte_by)
    if until == NEVER:
        raise Endless
    return max(0.0, until - now)


def _reply(answer: Answer) -> Reply:
    body = b"" if answer.body is UNSET else msgspec.json.encode(answer.body)
    fields = {
        b"content-type": b"application/json",
        **{name.lower().encode(): value.encode() for name, value in answer.headers.items()},
        b"content-length": b"%d" % len(body),
    }
    lines = b"".join(b"%b: %b\r\n" % field for field in fields.items())
    return Reply(
        status=answer.status,
        lines=b"HTTP/1.1 %d Scripted\r\n%b" % (answer.status, lines),
        fields=fields,
        body=Whole(body),
        length=len(body),
    )
