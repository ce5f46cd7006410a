"""proxy/observe/conventions.py"""

import pytest

from proxy.observe.conventions import MCP, METRICS, MODELS, TOKENS
from proxy.observe.family import Spread
from proxy.observe.labels import LIMIT
from tests.observe.records import metrics, record, rows

CHAT = {"layer": "llm", "protocol": "openai", "model": "gpt"}


def spread(found, metric, *labels):
    """One row."""
    row = rows(found, metric.name)[labels]
    assert isinstance(row, Spread)
    return row


def test_a_chat_is_told_in_their_words():
    """Seconds of the call, and tokens by what they were."""
    found = metrics()
    found.note(record("gpt", **CHAT, duration_us=20_001, tokens={"input": 100, "output": 5}))

    took = spread(found, MODELS, "chat", "openai", "gpt", "")
    assert (took.count, took.sum_us, dict(took.upto)[20_000], dict(took.upto)[40_000]) == (
        1, 20_001, 0, 1,
    )  # fmt: skip
    used = spread(found, TOKENS, "chat", "openai", "gpt", "input")
    assert (used.count, used.sum_us, used.parts) == (1, 100, 1)
    assert spread(found, TOKENS, "chat", "openai", "gpt", "output").sum_us == 5


def test_the_buckets_are_those_of_the_conventions():
    """Others could not be added up with what agents say of themselves."""
    found = metrics()
    found.note(record("gpt", **CHAT, tokens={"input": 1}))
    found.note(record("search", protocol="mcp"))
    bounds = {
        metric.name: [bound / row.parts for bound in row.bounds]
        for metric in METRICS
        for row in rows(found, metric.name).values()
        if isinstance(row, Spread)
    }
    assert bounds == {
        TOKENS.name: [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304,
                      16777216, 67108864],
        MODELS.name: [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48,
                      40.96, 81.92],
        MCP.name: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300],
    }  # fmt: skip


def test_a_model_that_embeds():
    """It is known by its first answer, which says no word; then its failures are told so too."""
    found = metrics()
    found.note(record("ada", **CHAT, tokens={"input": 7}))
    found.note(record("ada", **CHAT, outcome="failed", code="timeout"))
    assert list(rows(found, MODELS.name)) == [
        ("embeddings", "openai", "ada", ""),
        ("embeddings", "openai", "ada", "timeout"),
    ]


def test_what_went_wrong_is_said_and_waiting_for_people_is_not_counted():
    """A refusal by its code, what has none by how it ended."""
    found = metrics()
    found.name_tools(["gpt"])
    found.note(record("gpt", **CHAT, outcome="refused", code="budget_exceeded"))
    found.note(record("gpt", **CHAT, outcome="cancelled", duration_us=9_000_000, held_us=8_000_000))
    assert {labels[-1] for labels in rows(found, MODELS.name)} == {"budget_exceeded", "cancelled"}
    assert spread(found, MODELS, "chat", "openai", "gpt", "cancelled").sum_us == 1_000_000


@pytest.mark.parametrize(
    ("tool", "labels"),
    [
        ("search", ("tools/call", "search", "")),
        ("tools/list", ("tools/list", "", "")),
        ("initialize", ("initialize", "", "")),
        ("prompts/get", ("prompts/get", "", "")),
        ("notifications/made_up", ("other", "", "")),
    ],
)
def test_requests_of_mcp(tool, labels):
    """By their method, and a tool's call by its name too."""
    found = metrics()
    found.note(record("search", upstream="another"))  # so that it is known
    found.note(record(tool, protocol="mcp", outcome="ok" if tool == "search" else "stale"))
    assert list(rows(found, MCP.name)) == [labels]


@pytest.mark.parametrize("tool", ["", "response"])
def test_what_is_no_request_of_mcp(tool):
    """A session's stream lasts for hours, and says nothing of how quick a server is."""
    found = metrics()
    found.note(record(tool, protocol="mcp"))
    assert rows(found, MCP.name) == {}


def test_plain_tools_have_no_words_there():
    """Nothing is counted of them, nor paid."""
    found = metrics()
    found.note(record())
    assert [rows(found, metric.name) for metric in METRICS] == [{}, {}, {}]


def test_invented_models_and_tools_are_few():
    """As everywhere."""
    found = metrics()
    for i in range(10_000):
        found.note(record(f"model-{i}", **CHAT, tokens={"input": 1, "output": 1}))
        found.note(record(f"tool-{i}", protocol="mcp", upstream="mcp"))
    assert all(len(rows(found, metric.name)) <= 2 * LIMIT for metric in METRICS)


def test_traced_calls_are_remembered():
    """Beside the bucket that they are in."""
    found = metrics()
    found.note(record("gpt", **CHAT, duration_us=15_000, trace="ab" * 16, span="cd" * 8))
    (exemplar,) = spread(found, MODELS, "chat", "openai", "gpt", "").exemplars.values()
    assert (exemplar.span, exemplar.us) == ("cd" * 8, 15_000)
