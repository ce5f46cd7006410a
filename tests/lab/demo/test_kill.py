import asyncio

import aiohttp

from proxy.lab.demo.kill import _Stream, kill


async def test_a_stream_is_ended_and_the_agent_goes_on_when_people_say_so(alone):
    """Its last event says why; only an operator revives."""
    played = await alone(kill)

    assert played.failed == []
    assert "answers 200: 1 call stopped, durable" in played.text
    assert "as the last event of the stream: killed, wrong recipients, case 12" in played.text
    assert "tries to revive itself: 401" in played.text
    assert "revived by olga" in played.text


async def test_a_stream_that_ends_by_itself_tells_of_no_problem():
    """It is not cut, and its last event is an ordinary one."""
    content = aiohttp.StreamReader(
        aiohttp.base_protocol.BaseProtocol(asyncio.get_running_loop()), 2**16
    )
    content.feed_data(b"data: 1\n\n")
    content.feed_eof()
    stream = _Stream(content)

    await stream.read(2)

    assert (stream.heard, stream.cut, stream.problem) == (b"data: 1\n\n", False, {})
