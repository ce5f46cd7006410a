"""proxy/mirrors/gateway_table.py: which record becomes which call."""

import json

import pytest
from msgspec.structs import replace

from proxy.journal.entries import TYPES
from proxy.journal.tail import Hole
from proxy.mirrors.event import Event, hole_of
from proxy.mirrors.gateway_table import DECISIONS, SILENT, Step, called, steps
from tests.mirrors.at_gateway import AGENT, SOURCE, finished, record


def of(event: Event) -> list[Step]:
    return list(steps(event, called(event)))


def tools(event: Event) -> list[str]:
    return [step.tool for step in of(event)]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ["create_audit_trail"]),
        ({"tool": "get_balance"}, []),
        ({"tool": "search_services", "cost_micros": 5}, ["record_transaction"]),
        ({"tool": "get_balance", "decision": "refuse", "outcome": "refused"},
         ["create_audit_trail"]),
        ({"tool": "get_balance", "outcome": "unknown"}, ["create_audit_trail"]),
        ({"tool": "get_balance", "approval": "a-1"}, ["create_audit_trail"]),
        ({"cost_micros": 5}, ["create_audit_trail", "record_transaction"]),
        ({"cost_micros": 5, "agent": ""}, ["create_audit_trail"]),
        ({"layer": "llm", "tool": "gpt-9", "cost_micros": 5}, ["record_transaction"]),
        ({"layer": "http", "tool": "GET", "method": "GET"}, []),
        ({"layer": "http", "tool": "PUT", "method": "PUT"}, ["create_audit_trail"]),
        ({"layer": "agent", "tool": "planner"}, ["create_audit_trail"]),
        ({"tool": "publish_event", "cost_micros": 5, "decision": "refuse"}, []),
        ({"tool": "record_transaction", "cost_micros": 5}, []),
    ],
)  # fmt: skip
def test_calls(more: dict, expected: list[str]):
    """What may have changed something, what went wrong, and what cost something; nothing of what
    is told with the gateway's own tools, or it would never end."""
    assert tools(finished(**more)) == expected


def test_what_a_call_becomes():
    """The agent's, with the money as text, and the whole record as a CloudEvent."""
    event = finished(cost_micros=12_500, workflow="w")

    audit, money = of(event)

    assert audit.given["agent_id"] == money.given["agent_id"] == AGENT
    assert audit.given["action"] == "deposit"
    assert json.loads(bytes(audit.given["details"]))["data"]["workflow"] == "w"
    assert money.given["amount"] == "0.0125"
    assert "call id-2" in money.given["description"]
    assert len({audit.key, money.key}) == 2
    assert [step.key for step in of(event)] == [audit.key, money.key]


@pytest.mark.parametrize("kind", sorted({*TYPES, "alert.firing"} - {"call.finished"}))
def test_what_is_no_call(kind: str):
    """Decisions are audited and published, the journal's own lines are not, all else is
    published: also what this version does not know."""
    expected = ["create_audit_trail", "publish_event"] if kind in DECISIONS else ["publish_event"]

    assert tools(record(kind)) == ([] if kind in SILENT else expected)


def test_an_event_says_what_it_is():
    """Of nobody's agent it is ours."""
    [audit, event] = of(record("kill.engaged", scope="all"))

    assert event.given["agent_id"] == audit.given["agent_id"] == "holdfast"
    assert event.given["event_type"] == "holdfast.kill.engaged"
    assert json.loads(bytes(event.given["payload"]))["data"]["scope"] == "all"


def test_a_gap_is_published():
    """Whoever relies on it must know."""
    [step] = of(hole_of(Hole("missing", 3, 9), SOURCE))

    assert step.given["event_type"] == "holdfast.mirror.gap"


def test_a_record_that_cannot_be_read():
    """Is published as it is."""
    event = replace(record("start"), line=b'{"agent":3}')

    assert called(event).agent == ""
    assert tools(event) == ["publish_event"]
