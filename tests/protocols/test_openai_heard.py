"""What is heard in the answers of OpenAI's API."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.hearing import Usage
from proxy.protocols.openai_heard import ChatHeard, OpenAIHeard, ResponseHeard, usage_of
from proxy.reply import Executed, Result

CHAT_USAGE = {
    "prompt_tokens": 2006,
    "completion_tokens": 300,
    "total_tokens": 2306,
    "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 64,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}


def chunk(delta: Any = None, *, index: int = 0, ends: str | None = None, **more: Any) -> bytes:
    """One chunk of a chat with one choice."""
    choice = {"index": index, "delta": delta or {}, "logprobs": None, "finish_reason": ends}
    return json.dumps(
        {
            "id": "chatcmpl-123",
            "object": "chat.completion.chunk",
            "created": 1694268190,
            "model": "gpt-4o-mini",
            "system_fingerprint": "fp_44709d6fcb",
            "choices": [choice],
            **more,
        }
    ).encode()


FIRST = chunk({"role": "assistant", "content": "", "refusal": None})
USED = json.dumps({"id": "chatcmpl-123", "choices": [], "usage": CHAT_USAGE}).encode()


def chat(choices: int = 1, *, sifts: bool = False) -> ChatHeard:
    """A hearing of a chat."""
    return ChatHeard(choices, sifts=sifts)


def event(kind: str, **members: Any) -> bytes:
    """One event of a response."""
    return json.dumps({"type": kind, "sequence_number": 1, **members}).encode()


# usage


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        (CHAT_USAGE, Usage(input=2006, output=300, cache_read=1920, reasoning=64)),
        (
            {
                "input_tokens": 328,
                "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 100},
                "output_tokens": 52,
                "output_tokens_details": {"reasoning_tokens": 12},
                "total_tokens": 380,
            },
            Usage(input=328, output=52, cache_read=20, cache_write=100, reasoning=12),
        ),
        ({"prompt_tokens": 8, "total_tokens": 8}, Usage(input=8)),
        ({"total_tokens": 8}, Usage(input=8)),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, Usage()),
        ({"completion_tokens": 0}, Usage()),
        # Some count what was thought beside what was written.
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 45}, Usage(10, 35)),
        ({"type": "duration", "seconds": 3}, None),
        ({"prompt_tokens": None}, None),
        ({}, None),
        (None, None),
        ("many", None),
    ],
)
def test_usage_has_the_same_names_for_all(said: Any, usage: Usage | None) -> None:
    """Either API's. Zero is zero, and nothing is not."""
    assert usage_of(said) == usage


# chats


def test_a_role_alone_is_no_content() -> None:
    """Until something is said, the answer may still be asked for elsewhere."""
    heard = chat()
    assert heard.event(b"", FIRST) is None
    assert not heard.content
    heard.event(b"", chunk({"content": "Hel"}))
    heard.event(b"", chunk({"content": "lo"}))
    assert heard.content
    assert not heard.ended
    assert heard.written == 5


@pytest.mark.parametrize(
    ("delta", "written"),
    [
        ({"refusal": "No."}, 3),
        ({"reasoning_content": "Hm"}, 2),
        ({"tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                          "function": {"name": "f", "arguments": ""}}]}, 1),
        ({"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}, 4),
        ({"content": [{"type": "text", "text": "hi"}]}, 2),
        ({"audio": {"data": "UklGRg=="}}, 0),
    ],
)  # fmt: skip
def test_whatever_a_model_says_is_content(delta: Any, written: int) -> None:
    """Words, thoughts, calls of tools, sounds."""
    heard = chat()
    heard.event(b"", chunk(delta))
    assert (heard.content, heard.written) == (True, written)


def test_a_completion_has_text_instead_of_a_delta() -> None:
    """The older API."""
    heard = chat()
    heard.event(b"", b'{"choices":[{"text":"","index":0,"finish_reason":null}]}')
    assert not heard.content
    heard.event(b"", b'{"choices":[{"text":"abc","index":0,"finish_reason":null}]}')
    assert heard.written == 3
    heard.event(b"", b'{"choices":[{"text":"","index":0,"finish_reason":"length"}]}')
    assert heard.ended


@pytest.mark.parametrize("done", [b"[DONE]", b" [DONE]\n"])
def test_done_is_the_end(done: bytes) -> None:
    """Whatever was heard before."""
    heard = chat(5)
    heard.event(b"", done)
    assert (heard.ended, heard.content) == (True, True)


@given(st.integers(1, 4).flatmap(lambda n: st.tuples(st.just(n), st.permutations(range(n)))))
def test_a_chat_has_ended_when_all_its_choices_have(asked: tuple[int, list[int]]) -> None:
    """In whatever order, and not one before. One that ends twice ends once."""
    choices, order = asked
    heard = chat(choices)
    for index in order:
        assert not heard.ended
        heard.event(b"", chunk(index=index, ends="stop"))
        heard.event(b"", chunk(index=order[0], ends="stop"))
    assert heard.ended
    assert heard.content


def test_usage_comes_in_a_chunk_of_its_own() -> None:
    """Others say that it is null, which says nothing."""
    heard = chat()
    heard.event(b"", chunk({"content": "x"}, usage=None))
    assert heard.usage is None
    heard.event(b"", USED)
    assert heard.usage == Usage(input=2006, output=300, cache_read=1920, reasoning=64)


def test_the_newest_usage_counts() -> None:
    """Servers that tell it with each chunk tell sums."""
    heard = chat()
    for written in (1, 2, 3):
        heard.event(
            b"", chunk({"content": "x"}, usage={"prompt_tokens": 4, "completion_tokens": written})
        )
    assert heard.usage == Usage(input=4, output=3)


def test_the_chunk_that_we_asked_for_is_ours() -> None:
    """Agents who did not ask expect a choice in each chunk. Theirs pass as they came."""
    heard = chat(sifts=True)
    assert heard.sifts
    assert heard.event(b"", chunk({"content": "x"}, usage=None)) is None
    assert heard.event(b"", b'{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}') is None
    assert heard.event(b"", b'{"choices":[],"usage":null}') is None
    assert heard.event(b"", chunk(ends="stop", usage=CHAT_USAGE)) is None
    assert heard.event(b"", USED) == b""
    assert heard.event(b"", b"[DONE]") is None
    assert heard.usage is not None


def test_the_chunk_that_its_agent_asked_for_passes() -> None:
    """Nothing is kept from him."""
    heard = chat()
    assert not heard.sifts
    assert heard.event(b"", USED) is None


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        (b"", b'{"error":{"message":"x","type":"server_error","code":null}}', 500),
        (b"", b'{"error":{"message":"x","code":429}}', 429),
        (b"error", b'{"error":{"type":"overloaded_error"}}', 529),
        (b"error", b'{"message":"x","type":"rate_limit_error"}', 429),
        (b"", b'{"type":"error","code":"server_error","message":"x"}', 500),
        (b"", b'{"error":"out of memory"}', 500),
    ],
)
def test_an_error_in_a_stream_is_told(kind: bytes, data: bytes, status: int) -> None:
    """It is no content, and with it the stream has ended."""
    heard = chat()
    heard.event(b"", FIRST)
    assert heard.event(kind, data) is None
    assert heard.told is not None
    assert heard.told.status == status
    assert (heard.content, heard.ended) == (False, True)


def test_what_cannot_be_read_was_said() -> None:
    """It is the agent's to understand."""
    for data in (b"hello", b"[1]", b"\xff"):
        heard = chat()
        assert heard.event(b"", data) is None
        assert (heard.content, heard.ended) == (True, False)


@pytest.mark.parametrize(
    "data",
    [b'{"choices":7}', b'{"choices":[7,null,{"delta":7,"index":"x"}]}', b"{}", b'{"usage":[]}',
     b'{"choices":[{"delta":null,"finish_reason":null}]}'],
)  # fmt: skip
def test_a_chunk_may_be_of_any_shape(data: bytes) -> None:
    """Nobody promised what an upstream sends."""
    heard = chat()
    assert heard.event(b"", data) is None
    assert not heard.ended


def test_a_whole_chat_says_all_at_once() -> None:
    """Text, usage, end."""
    heard = chat(2)
    answer = {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"},
                     "finish_reason": "stop"}],
        "usage": CHAT_USAGE,
    }  # fmt: skip
    assert heard.whole(json.dumps(answer).encode()) is None
    assert heard.usage == Usage(input=2006, output=300, cache_read=1920, reasoning=64)
    assert (heard.content, heard.ended, heard.written, heard.told) == (True, True, 5, None)


def test_an_answer_may_be_an_error_though_its_status_is_good() -> None:
    """As some that route to others do."""
    heard = chat()
    heard.whole(b'{"error":{"code":502,"message":"Provider returned error"}}')
    assert heard.told is not None
    assert (heard.told.status, heard.told.executed) == (502, Executed.UNKNOWN)
    assert (heard.content, heard.ended) == (False, True)


def test_a_text_about_quotas_is_no_quota() -> None:
    """Only what stands in the error counts."""
    heard = chat()
    heard.whole(b'{"error":{"code":"server_error"},"choices":[{"text":"insufficient_quota"}]}')
    assert heard.told is not None
    assert not heard.told.quota


# responses


@pytest.mark.parametrize(
    "kind",
    ["response.created", "response.queued", "response.in_progress", "response.output_item.added",
     "response.content_part.added", "response.reasoning_summary_part.added", "keepalive"],
)  # fmt: skip
def test_that_a_response_goes_on_is_no_content(kind: str) -> None:
    """It can still be asked for elsewhere."""
    heard = ResponseHeard()
    assert heard.event(kind.encode(), event(kind, response={"usage": None})) is None
    assert (heard.content, heard.ended) == (False, False)


@pytest.mark.parametrize(
    ("data", "written"),
    [
        (event("response.output_text.delta", delta="In a", obfuscation="xyz"), 4),
        (event("response.reasoning_summary_text.delta", delta="I"), 1),
        (event("response.function_call_arguments.delta", delta='{"'), 2),
        (event("response.audio.delta", delta="UklGRg=="), 0),
        (event("response.web_search_call.in_progress"), 0),
        (event("response.output_text.done", text="In a"), 0),
    ],
)
def test_whatever_a_response_says_is_content(data: bytes, written: int) -> None:
    """Text is counted once, as it comes."""
    heard = ResponseHeard()
    heard.event(b"", data)
    assert (heard.content, heard.ended, heard.written) == (True, False, written)


def test_an_empty_delta_is_no_content() -> None:
    """As in chats."""
    heard = ResponseHeard()
    heard.event(b"", event("response.output_text.delta", delta=""))
    assert not heard.content


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete"])
def test_a_response_ends_with_its_usage(kind: str) -> None:
    """One that was cut at its limit was answered too."""
    heard = ResponseHeard()
    usage = {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}
    heard.event(kind.encode(), event(kind, response={"status": "x", "usage": usage}))
    assert (heard.content, heard.ended, heard.told) == (True, True, None)
    assert heard.usage == Usage(input=9, output=3)


def test_a_response_that_failed_tells_why() -> None:
    """Before any content, so that it may be asked for once more."""
    heard = ResponseHeard()
    error = {"code": "rate_limit_exceeded", "message": "Slow down"}
    heard.event(b"", event("response.failed", response={"error": error, "usage": None}))
    assert heard.told is not None
    assert (heard.told.status, heard.told.result) == (429, Result.THROTTLED)
    assert (heard.content, heard.ended, heard.usage) == (False, True, None)


def test_a_response_may_end_in_an_error_of_its_own() -> None:
    """An event of that type."""
    heard = ResponseHeard()
    heard.event(b"error", event("error", code="server_error", message="x", param=None))
    assert heard.told is not None
    assert (heard.told.status, heard.ended) == (500, True)


def test_some_servers_end_responses_as_chats() -> None:
    """Then that is the end."""
    heard = ResponseHeard()
    heard.event(b"", b"[DONE]")
    assert heard.ended


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"status": "failed", "error": {"code": "server_error"}}, 500),
        ({"status": "failed", "error": None}, 500),
        ({"status": "completed", "error": None}, None),
        ({"status": "incomplete"}, None),
    ],
)
def test_a_whole_response_says_whether_it_failed(answer: Any, status: int | None) -> None:
    """The status is 200 all the same."""
    heard = ResponseHeard()
    heard.whole(json.dumps(answer).encode())
    assert (None if heard.told is None else heard.told.status) == status
    assert heard.ended


# others


def test_of_what_is_not_known_usage_and_errors_are() -> None:
    """Pictures and sounds have them too; how their streams end is not known."""
    heard = OpenAIHeard()
    assert heard.ended
    used = {"input_tokens": 50, "output_tokens": 4160, "total_tokens": 4210}
    heard.event(b"", event("image_generation.completed", b64_json="iVBO", usage=used))
    assert (heard.content, heard.usage) == (True, Usage(input=50, output=4160))


def test_embeddings_use_what_came_in() -> None:
    """Numbers are not looked at."""
    heard = OpenAIHeard()
    heard.whole(
        b'{"object":"list","data":[{"embedding":[0.1,-0.2]}],"usage":{"prompt_tokens":8,"total_tokens":8}}'
    )
    assert (heard.usage, heard.written) == (Usage(input=8), 0)
