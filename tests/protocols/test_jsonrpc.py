"""JSON-RPC: all readers of a message that passes find the same method in it, or it is refused."""

import json

import pytest

from proxy.protocols import jsonrpc
from proxy.protocols.document import DEEPEST, MOST_READ, Ambiguous, NotADocument
from proxy.protocols.jsonrpc import LARGEST_BATCH, LONGEST_ID, Document, Message, read

CALL = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x"}}'


def refusal(content: bytes) -> str:
    """Why a body is refused."""
    with pytest.raises(Ambiguous) as why:
        read(content)
    return str(why.value)


def test_a_request_is_read_as_it_is_written():
    """Its id and its params keep their spelling."""
    content = b' {"id" : "a\\u0062" , "method":"tools/call","jsonrpc":"2.0","params" : {"n": 1} }\n'
    read_as = read(content)
    assert read_as is not None
    (message,) = read_as.messages
    assert (message.method, message.id) == ("tools/call", b'"a\\u0062"')
    assert (message.params, message.version) == (b'{"n":1}', b'"2.0"')
    assert message.raw == content.translate(None, b" \n")
    assert read_as.ids == (b'"a\\u0062"',)
    assert not read_as.batch


def test_a_notification_and_an_answer_await_nothing():
    """Only a request with an id does."""
    notification = read(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
    answer = read(b'{"jsonrpc":"2.0","id":3,"result":{}}')
    failed = read(b'{"jsonrpc":"2.0","id":3,"error":{"code":1,"message":"no"}}')
    assert notification is not None
    assert answer is not None
    assert failed is not None
    assert notification.ids == answer.ids == failed.ids == ()
    assert [one.messages[0].method for one in (notification, answer, failed)] == [
        "notifications/initialized",
        "",
        "",
    ]


def test_a_batch_is_a_batch_even_of_one():
    """Its answer must be one too."""
    message = Message("tools/call", b"7", b'{"name":"x"}', CALL, b'"2.0"')
    assert read(b"[" + CALL + b"]") == Document((message,), batch=True)


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[]",
        b"[" + b"7," * LARGEST_BATCH + b"7]",
        b"[1]",
        b"7",
        b'"method"',
        b'{"tool":"x"}',
        b'{"result":1}',
        b"null",
    ],
)
def test_what_is_no_json_rpc_is_nobodys(content):
    """It is JSON, and somebody else's."""
    assert read(content) is None


def test_a_message_without_a_version_is_one():
    """Some servers understand it, so its policies hold."""
    read_as = read(b'{"method":"tools/call"}')
    assert read_as is not None
    assert read_as.messages[0].version == b""


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"method":"a","method":"b"}', "the body names method more than once"),
        (b'{"method":"a","\\u006dethod":"b"}', "the body names method more than once"),
        (b'{"method":"a","Method":"b"}', "the body names method in another spelling"),
        (b'{"Method":"a"}', "the body names method in another spelling"),
        (b'{"method":"a","params":{},"PARAMS":{}}', "the body names params in another spelling"),
        (b'{"method":"a" , "x": 1, "x": 2}', "the body names x more than once"),
        (b'{"method":7}', "method is not a string with something in it"),
        (b'{"method":""}', "method is not a string with something in it"),
        (b'{"method":null}', "method is not a string with something in it"),
        (b'{"method":"a","id":{}}', "the id is neither a string nor a number"),
        (b'{"method":"a","id":true}', "the id is neither a string nor a number"),
        (b'{"method":"a","id":"%b"}' % (b"x" * LONGEST_ID), "the id is longer than 1024 bytes"),
        (b'[{"method":"a"},7]', "the batch holds something that is no JSON-RPC message"),
        (b"[" + b",".join([CALL] * (LARGEST_BATCH + 1)) + b"]", "the batch holds more than 100"),
        (b'{"\\u006dethod":[' + b"1," * MOST_READ + b"1]}", "the body is too large to tell"),
    ],
)
def test_what_has_two_readings_is_refused(content, why):
    """By whoever takes the first of a name, the last, or any letters."""
    assert refusal(content).startswith(why)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        CALL + CALL,
        b"\xef\xbb\xbf" + CALL,
        CALL.decode().encode("utf-16"),
        b'{"method":"\xff"}',
        b'{"method":"a","params":' + b"[" * DEEPEST + b"]" * DEEPEST + b"}",
        b'{"params":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"method":"a","params":{\'a\':1}}',
        b'[{"method":"a"},]',
    ],
)
def test_what_is_no_document_is_refused(content):
    """In UTF-8, one, and not too deep."""
    with pytest.raises(NotADocument):
        read(content)


def test_escapes_in_names_are_read():
    """They are rare, and no trick as long as nothing stands twice."""
    read_as = read(b'{"\\u006dethod":"a","x":12345678901234567890123}')
    assert read_as is not None
    assert read_as.messages[0].method == "a"


def test_ids_mean_the_same_however_they_are_written():
    """A server may write them anew. A number is no text."""
    assert jsonrpc.meaning(b'"a\\u0062"') == jsonrpc.meaning(b'"ab"')
    assert jsonrpc.meaning(b"1.0") == jsonrpc.meaning(b"1") != jsonrpc.meaning(b'"1"')
    assert jsonrpc.meaning(b"null") is None
    assert jsonrpc.meaning(b"1e999") == b"1e999"


def test_answers_repeat_the_id_as_it_came():
    """In results and errors; without an id it is null."""
    assert jsonrpc.result(b"1.0", {"a": 1}) == b'{"jsonrpc":"2.0","id":1.0,"result":{"a":1}}'
    assert (
        jsonrpc.error(b'"x"', -1, "no", {"why": 1})
        == b'{"jsonrpc":"2.0","id":"x","error":{"code":-1,"message":"no","data":{"why":1}}}'
    )
    assert (
        jsonrpc.error(b"", -1, "no")
        == b'{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no"}}'
    )
    assert json.loads(jsonrpc.result(b"", None))["id"] is None
    assert jsonrpc.batch([b"1", b"2"]) == b"[1,2]"


@pytest.mark.parametrize(
    ("content", "same"),
    [
        (
            b'{"id":7, "method":"a","params":{"id": 7}}',
            b'{"method":"a","params":{"id": 7}}',
        ),
        (b'{"method":"a"}', b'{"method":"a"}'),
        (b"[1]", b"[1]"),
        (b"{", b"{"),
        (b"\xff", b"\xff"),
        (b'{"id":1,"id":2}', b'{"id":1,"id":2}'),
    ],
)
def test_what_is_asked_is_the_same_under_any_id(content: bytes, same: bytes) -> None:
    """What is no request, or can be read in two ways, stays as it is."""
    assert jsonrpc.unaddressed(content) == same
