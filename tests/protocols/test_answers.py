"""What is heard in answers to JSON-RPC: their end, their errors, and that something was said."""

import pytest

from proxy.protocols.answers import Answers, told_of
from proxy.protocols.hearing import Told
from proxy.reply import Executed, Result

PROGRESS = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}'


def failed(code: int, raw_id: bytes = b"1") -> bytes:
    """An error in answer to a request."""
    return b'{"jsonrpc":"2.0","id":%b,"error":{"code":%d,"message":"no"}}' % (raw_id, code)


def good(raw_id: bytes = b"1") -> bytes:
    """A result in answer to a request."""
    return b'{"jsonrpc":"2.0","id":%b,"result":{"a":1}}' % raw_id


@pytest.mark.parametrize(
    ("code", "result", "executed"),
    [
        (-32700, Result.CALLER_ERROR, Executed.NO),
        (-32600, Result.CALLER_ERROR, Executed.NO),
        (-32601, Result.CALLER_ERROR, Executed.NO),
        (-32602, Result.CALLER_ERROR, Executed.NO),
        (-32603, Result.FAILURE, Executed.UNKNOWN),
        (0, Result.FAILURE, Executed.UNKNOWN),
        (-32000, Result.FAILURE, Executed.UNKNOWN),
        (-32099, Result.FAILURE, Executed.UNKNOWN),
        (-31999, Result.CALLER_ERROR, Executed.UNKNOWN),
        (7, Result.CALLER_ERROR, Executed.UNKNOWN),
    ],
)
def test_codes_say_what_an_answer_came_to(code, result, executed):
    """Whether the call ran is known only where it could not."""
    told = told_of(code)
    assert (told.result, told.executed) == (result, executed)
    assert told.status == (500 if result is Result.FAILURE else 404 if code == -32601 else 400)


def test_a_protocol_knows_codes_of_its_own():
    """They go first."""
    own = {-32002: Told(404, Result.CALLER_ERROR, Executed.NO)}
    assert told_of(-32002, own) is own[-32002]
    assert told_of(-32001, own).result is Result.FAILURE


def test_a_stream_ends_with_the_response():
    """What was said before passes; progress is content, a ping is not."""
    hearing = Answers([b"1"])
    assert hearing.event(b"message", b'{"jsonrpc":"2.0","id":9,"method":"ping"}') is None
    assert (hearing.content, hearing.ended) == (False, False)
    hearing.event(b"message", PROGRESS)
    assert (hearing.content, hearing.ended) == (True, False)
    hearing.event(b"message", b'{"jsonrpc":"2.0","id":"1","result":{}}')
    assert not hearing.ended
    hearing.event(b"message", good(b"1.0"))
    assert (hearing.content, hearing.ended, hearing.told) == (True, True, None)


def test_an_error_is_told_and_is_no_content():
    """So the call may still be sent again."""
    hearing = Answers([b"1"])
    hearing.event(b"", failed(-32603))
    assert (hearing.content, hearing.ended, hearing.told) == (False, True, told_of(-32603))


def test_an_answer_to_nobody_ends_all():
    """The server could not read whose request it was. A result for nobody is nobody's."""
    for unread in (
        failed(-32700, b"null"),
        b'{"jsonrpc":"2.0","error":{"code":-32700,"message":""}}',
    ):
        hearing = Answers([b"1", b"2"])
        hearing.whole(good(b"null"))
        assert not hearing.ended
        hearing.whole(unread)
        assert hearing.ended


def test_a_batch_has_its_end_when_all_have_theirs():
    """The worst of its errors is told."""
    hearing = Answers([b"1", b"2", b'"x"'])
    hearing.whole(b"[" + failed(-32602, b"1") + b"," + good(b"2") + b"]")
    assert not hearing.ended
    assert hearing.told == told_of(-32602)
    hearing.whole(b' [{"id":"x","error":{"code":-32603}}]')
    assert hearing.ended
    assert hearing.told == told_of(-32603)
    hearing.whole(failed(-32602, b"1"))
    assert hearing.told == told_of(-32603)


def test_where_the_status_has_told_an_error_tells_nothing():
    """A 503 stays what it is."""
    hearing = Answers([b"1"], told=False)
    hearing.whole(failed(-32603))
    assert (hearing.ended, hearing.told) == (True, None)


@pytest.mark.parametrize("content", [b"no JSON", b"7", b'{"method":1}', b"\xff", b"[" * 9000])
def test_what_cannot_be_read_was_said(content):
    """It is nobody's response."""
    hearing = Answers([b"1"])
    hearing.whole(content)
    assert (hearing.content, hearing.ended, hearing.told) == (True, False, None)


def test_where_nothing_is_awaited_there_is_no_end_to_wait_for():
    """As of a subscription."""
    assert Answers([]).ended
