"""What is heard in the answers of Anthropic's API."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.anthropic_heard import AnthropicHeard, CountHeard, Meter
from proxy.protocols.hearing import Usage
from proxy.reply import Executed, Result


def said(*events: Any) -> AnthropicHeard:
    """A hearing that has heard these; each stands under its type, as the API sends it."""
    heard = AnthropicHeard()
    for event in events:
        assert heard.event(event["type"].encode(), json.dumps(event).encode()) is None
    return heard


START = {
    "type": "message_start",
    "message": {
        "id": "msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyy",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "claude-sonnet-4-5",
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 25,
            "cache_creation_input_tokens": 300,
            "cache_read_input_tokens": 1000,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
            "output_tokens": 1,
            "service_tier": "standard",
        },
    },
}
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
PING = {"type": "ping"}
TEXT = {
    "type": "content_block_delta",
    "index": 0,
    "delta": {"type": "text_delta", "text": "Hello"},
}
BLOCK_STOP = {"type": "content_block_stop", "index": 0}
DELTA = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {"output_tokens": 15},
}
STOP = {"type": "message_stop"}


def test_a_message_is_heard_from_its_start_to_its_stop() -> None:
    """What was cached is part of what came in; the last word about what went out counts."""
    heard = said(START, BLOCK, PING, TEXT, BLOCK_STOP, DELTA, STOP)
    assert heard.usage == Usage(
        input=1325, output=15, cache_read=1000, cache_write=300, cache_write_1h=200
    )
    assert (heard.content, heard.ended, heard.written, heard.told) == (True, True, 5, None)


def test_before_the_first_word_there_is_no_content() -> None:
    """Its start, the empty block and pings can still be unsaid."""
    heard = said(START, PING, BLOCK)
    assert (heard.content, heard.ended) == (False, False)
    assert heard.usage is not None


def test_without_its_stop_it_has_not_ended() -> None:
    """Though all was said."""
    assert not said(START, BLOCK, TEXT, BLOCK_STOP, DELTA).ended


def test_an_empty_message_is_said_when_it_stops() -> None:
    """There is nothing more to wait for."""
    heard = said(START, DELTA)
    assert not heard.content
    heard.event(b"message_stop", b'{"type":"message_stop"}')
    assert heard.content


@pytest.mark.parametrize(
    ("delta", "written"),
    [
        ({"type": "thinking_delta", "thinking": "Hm"}, 2),
        ({"type": "input_json_delta", "partial_json": '{"a'}, 3),
        ({"type": "signature_delta", "signature": "EqQBCgIYAhIM"}, 0),
        ({"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "x"}}, 1),
    ],
)
def test_whatever_a_model_says_is_content(delta: Any, written: int) -> None:
    """Thoughts, calls of tools, what vouches for them."""
    heard = said(START, TEXT | {"delta": delta})
    assert (heard.content, heard.written) == (True, written)


@pytest.mark.parametrize(
    "delta", [{"type": "input_json_delta", "partial_json": ""}, {"type": "text_delta", "text": ""}]
)
def test_an_empty_delta_is_no_content(delta: Any) -> None:
    """The first one of a call of a tool is."""
    assert not said(START, TEXT | {"delta": delta}).content


@pytest.mark.parametrize(
    ("block", "content"),
    [
        ({"type": "text", "text": ""}, False),
        ({"type": "thinking", "thinking": "", "signature": ""}, False),
        ({"type": "text", "text": "Hello"}, True),
        ({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}, True),
        ({"type": "web_search_tool_result", "tool_use_id": "x", "content": []}, True),
        ({"type": "redacted_thinking", "data": "EmwKAhgB"}, True),
    ],
)
def test_a_block_may_begin_with_what_it_says(block: Any, content: bool) -> None:
    """Or with nothing."""
    assert said(START, BLOCK | {"content_block": block}).content is content


def test_an_event_that_is_new_is_content() -> None:
    """Nobody knows that it is not."""
    assert said({"type": "message_aside", "x": 1}).content


def test_an_event_may_have_its_type_only_before_it() -> None:
    """Or stand without one."""
    heard = AnthropicHeard()
    heard.event(b"ping", b"{}")
    assert not heard.content
    heard.event(b"message_stop", b"{}")
    assert heard.ended


@pytest.mark.parametrize(
    ("error", "status", "result"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, 529, Result.FAILURE),
        ({"type": "rate_limit_error", "message": "x"}, 429, Result.THROTTLED),
        (None, 500, Result.FAILURE),
    ],
)
def test_an_error_in_a_stream_is_told(error: Any, status: int, result: Result) -> None:
    """It is no content, and with it the stream has ended."""
    heard = said(START, {"type": "error", "error": error})
    assert heard.told is not None
    assert (heard.told.status, heard.told.result) == (status, result)
    assert (heard.content, heard.ended) == (False, True)


def test_a_spend_limit_is_a_quota() -> None:
    """Its code stands in the details."""
    details = {"error_code": "enforced_spend_limit_reached"}
    heard = said({"type": "error", "error": {"type": "rate_limit_error", "details": details}})
    assert heard.told is not None
    assert heard.told.quota


def test_what_cannot_be_read_was_said() -> None:
    """It is the agent's to understand."""
    heard = AnthropicHeard()
    assert heard.event(b"", b"hello") is None
    assert (heard.content, heard.ended) == (True, False)


numbers = st.fixed_dictionaries(
    {},
    optional={
        name: st.none() | st.integers(0, 9)
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens")
    },
)


@given(st.lists(numbers, min_size=1))
def test_usage_is_the_most_that_was_said_of_each_number(words: list[dict[str, Any]]) -> None:
    """In whatever order, however often, and whatever is left out or null."""
    meter = Meter()
    for word in words:
        meter.add(word)
    most = {
        name: max((word[name] for word in words if word.get(name) is not None), default=None)
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens")
    }
    read = most["cache_read_input_tokens"] or 0
    if all(number is None for number in most.values()):
        assert meter.usage is None
    else:
        assert meter.usage == Usage(
            input=(most["input_tokens"] or 0) + read,
            output=most["output_tokens"] or 0,
            cache_read=read,
        )


@pytest.mark.parametrize(
    ("used", "usage"),
    [
        ({"input_tokens": 0, "output_tokens": 0}, Usage()),
        (
            {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}},
            Usage(output=9, reasoning=4),
        ),
        (
            {"cache_creation": {"ephemeral_1h_input_tokens": 7}},
            Usage(input=7, cache_write=7, cache_write_1h=7),
        ),
        ({"cache_creation_input_tokens": 7}, Usage(input=7, cache_write=7)),
    ],
)
def test_usage_counts_caches_by_how_long_they_keep(used: Any, usage: Usage) -> None:
    """Zero is zero; what is missing is none."""
    meter = Meter()
    meter.add(used)
    assert meter.usage == usage


def test_a_whole_message_says_all_at_once() -> None:
    """Text, usage, end."""
    heard = AnthropicHeard()
    content = [
        {"type": "text", "text": "Hello"},
        {"type": "tool_use", "id": "x", "input": {"a": "bc"}},
    ]
    answer = {
        "type": "message",
        "content": content,
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    assert heard.whole(json.dumps(answer).encode()) is None
    assert (heard.content, heard.ended, heard.written) == (True, True, 7)
    assert heard.usage == Usage(input=3, output=2)


def test_an_answer_may_be_an_error_though_its_status_is_good() -> None:
    """As some that stand between say it."""
    heard = AnthropicHeard()
    heard.whole(b'{"type":"error","error":{"type":"api_error","message":"x"}}')
    assert heard.told is not None
    assert (heard.told.status, heard.told.executed) == (500, Executed.UNKNOWN)
    assert (heard.content, heard.ended) == (False, True)


def test_counting_costs_nothing() -> None:
    """What it says of a message is not what it used."""
    heard = CountHeard()
    assert heard.ended
    assert heard.whole(b'{"input_tokens":14}') is None
    assert (heard.usage, heard.content) == (Usage(), True)


def test_what_is_no_count_says_nothing_of_its_cost() -> None:
    """Nobody streams one either."""
    heard = CountHeard()
    heard.whole(b"{}")
    assert heard.event(b"", b"{}") is None
    assert (heard.usage, heard.content) == (None, True)
