"""Answering one request on its socket, as it should be or as a script wants it harmed."""

import asyncio
import contextlib
import gzip
from dataclasses import dataclass

from aiohttp import web

from proxy.lab.sandbox import breakage
from proxy.lab.sandbox.calls import Received
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.faults import Fault
from proxy.lab.sandbox.said import Answer, Question, Role, Said, Stream, written
from proxy.lab.sandbox.streaming import Writer


@dataclass(frozen=True, slots=True)
class Act:
    """One request that was understood, and the fault that it meets."""

    request: web.Request
    role: Role
    question: Question
    received: Received
    fault: Fault


class Acting:
    """Answers requests, until `closing` is set."""

    def __init__(self, closing: asyncio.Event) -> None:
        self._closing = closing
        self._writer = Writer(self._wait)

    async def act(self, act: Act) -> web.StreamResponse:
        """Answer, or do what the fault says."""
        question, received, fault = act.question, act.received, act.fault
        match fault.kind:
            case "pass" | "cut" | "stall" | "garble" | "no_end":
                return await self._say(act, question.run(received))
            case "error":
                return await self._fail(act)
            case "duplicate":
                return await self._say(act, question.run_twice(received))
            case "slow":
                return await self._say(act, await self._late(act))
            case _:
                pass  # these answer otherwise, after the tool ran or without it
        said = question.run(received) if fault.executed else _never_run()
        match fault.kind:
            case "status" | "rate_limit_after":
                return _scripted(act)
            case "stream":
                return await self._count(act)
            case "hang":
                await self._wait(None)
            case _:
                pass
        return _break_off(act, said)

    async def _say(self, act: Act, said: Said) -> web.StreamResponse:
        if isinstance(said, Stream):
            return await self._writer.write(act.request, said, act.fault, act.role.errors)
        return answered(said, compressed=act.fault.in_stream.gzip)

    async def _fail(self, act: Act) -> web.StreamResponse:
        """In the protocol's words: instead of an answer, or inside the stream that it is."""
        fault = act.fault
        assert fault.in_stream.error is not None
        whole = fault.in_stream.after is None
        said = act.question.run(act.received) if fault.executed or not whole else _never_run()
        if not whole and isinstance(said, Stream):
            return await self._say(act, said)
        failed = act.question.refusal(act.role.errors[fault.in_stream.error])
        return answered(failed, compressed=fault.in_stream.gzip)

    async def _late(self, act: Act) -> Said:
        question, received = act.question, act.received
        early = question.run(received) if act.fault.executed else None
        with question.held():
            await self._wait(act.fault.seconds)
        return early or question.run(received)

    async def _count(self, act: Act) -> web.StreamResponse:
        """Aloud."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(act.request)
        number = 0
        with contextlib.suppress(ConnectionError):
            while not self._closing.is_set():
                number += 1
                await response.write(b'data: {"n": %d}\n\n' % number)
                await self._wait(act.fault.seconds)
        return response

    async def _wait(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()


def answered(answer: Answer, *, compressed: bool = False) -> web.Response:
    """The answer as it goes out."""
    if answer.body is None:
        return web.Response(status=answer.status, headers=answer.headers)
    headers = {**answer.headers, **({"Content-Encoding": "gzip"} if compressed else {})}
    body = gzip.compress(answer.encoded()) if compressed else answer.encoded()
    return web.Response(
        status=answer.status, body=body, headers=headers, content_type=answer.content_type
    )


def _never_run() -> Answer:
    """What a gateway that fails before the tool runs was about to say."""
    return Answer(200, {"result": {"note": "this answer was never finished"}})


def _scripted(act: Act) -> web.Response:
    """The body as the script gives it: text stays text, anything else goes out as JSON."""
    fault = act.fault
    if isinstance(fault.body, str):
        response = web.Response(status=fault.status, text=fault.body)
    elif fault.body is None:
        error = GatewayError(fault.status, "scripted_fault", "this error was asked for")
        response = answered(act.question.refusal(error))
    else:
        response = web.json_response(body=written(fault.body), status=fault.status)
    response.headers.update(fault.headers)
    return response


def _break_off(act: Act, said: Said) -> web.Response:
    """Harm the connection; the response returned is dropped, its transport is closing."""
    transport = act.request.transport
    assert transport is not None  # a peer that left has cancelled this call
    match act.fault.kind:
        case "truncated":
            kind = "text/event-stream" if isinstance(said, Stream) else said.content_type
            breakage.truncate(transport, said.encoded(), kind)
        case "malformed":
            breakage.garble(transport)
        case "reset":
            breakage.reset(transport)
        case _:
            transport.abort()
    return web.Response()
