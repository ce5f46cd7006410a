"""proxy/observe/alerts/slack_pagerduty.py: what Slack and PagerDuty are told."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from proxy.observe.alerts.notice import Notice, Whence
from proxy.observe.alerts.receiver import Receiver
from proxy.observe.alerts.slack_pagerduty import pagerduty, slack
from tests.observe.alerts.notices import START, notice, over, told

WHENCE = Whence("pricing-01", "http://holdfast.example:8701")
RECEIVER = Receiver(name="ops", kind="pagerduty", url="", secrets=("R" * 32,))


def events(of: Notice, whence: Whence = WHENCE) -> list[Any]:
    """What PagerDuty is told."""
    return [json.loads(each) for each in pagerduty(RECEIVER, of, whence)]


def message(of: Notice) -> str:
    """What Slack shows."""
    said = json.loads(slack(of, WHENCE))
    text: str = said["blocks"][0]["text"]["text"]
    assert said["blocks"][0]["text"]["type"] == "mrkdwn"
    return text


def test_an_incident_is_known_by_its_fingerprint() -> None:
    """So it is resolved by the same, and told again it is no other one."""
    (event,) = events(notice("n", told("f1", upstream="billing")))
    assert event == {
        "routing_key": "R" * 32,
        "event_action": "trigger",
        "dedup_key": "f1",
        "payload": {
            "summary": "CircuitOpen: calls of billing are refused",
            "source": "holdfast pricing-01",
            "severity": "critical",
            "timestamp": "2023-11-14T22:13:20+00:00",
            "component": "billing",
            "group": "breaker/billing",
            "class": "breaker",
            "custom_details": {
                "upstream": "billing",
                "runbook_url": "https://runbooks.example/circuit?a=1&b=2",
            },
        },
        "client": "Holdfast",
        "client_url": "http://holdfast.example:8701",
        "links": [{"href": "https://runbooks.example/circuit?a=1&b=2", "text": "runbook"}],
    }
    (event,) = events(over("n"), Whence("pricing-01"))
    assert (event["event_action"], event["dedup_key"]) == ("resolve", "f1")
    assert "client_url" not in event


@pytest.mark.parametrize(
    ("severity", "theirs"), [("page", "critical"), ("ticket", "warning"), ("info", "info")]
)
def test_severities_are_theirs(severity: Any, theirs: str) -> None:
    """They have words of their own."""
    (event,) = events(notice("n", replace(told(), severity=severity)))
    assert event["payload"]["severity"] == theirs


def test_a_message_has_a_line_for_each_alert() -> None:
    """With what it is about, since when, and until when."""
    both = notice("n", told("f1", tool="pay"), told("f2", ends_at=START + 60))
    assert message(both).split("\n") == [
        ":rotating_light: *[FIRING:1] CircuitOpen (pricing-01)*",
        "• page: calls of billing are refused (tool pay) _since 2023-11-14 22:13:20 UTC_",
        "• over: calls of billing are refused _2023-11-14 22:13:20 UTC to 22:14:20_",
        "<https://runbooks.example/circuit?a=1&amp;b=2|runbook>",
    ]


def test_what_is_over_looks_so() -> None:
    """At a glance."""
    assert message(over("n")).startswith(":white_check_mark: *[RESOLVED] CircuitOpen")


def test_what_lasted_over_midnight_has_two_dates() -> None:
    """Else three days would look like three minutes."""
    alert = replace(told("f1"), starts_at=1_795_906_001.0, ends_at=1_795_906_121.0)
    assert "2026-11-28 22:46:41 UTC to 22:48:41_" in message(notice("n", alert))
    alert = replace(alert, ends_at=1_796_165_321.0)
    assert "2026-11-28 22:46:41 UTC to 2026-12-01 22:48:41_" in message(notice("n", alert))


def test_agents_cannot_call_everybody() -> None:
    """They may name a tool as they like; to Slack it means nothing."""
    evil = told("f1", tool="<!channel> <https://evil.example|ok> & `x`\nnew line")
    text = message(notice("n", evil))
    assert "<!channel>" not in text
    assert "&lt;!channel&gt; &lt;https://evil.example|ok&gt; &amp; 'x' new line" in text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://a.example/|b", "https://a b", ""])
def test_a_link_is_a_link(url: str) -> None:
    """Or it is left out."""
    odd = replace(told(), annotations={"dashboard_url": url})
    assert "dashboard" not in message(notice("n", odd))


def test_a_message_is_short() -> None:
    """Ten alerts, and how many more there are; never more than Slack takes."""
    many = [replace(told(str(n)), summary="&" * 5000) for n in range(12)]
    text = message(replace(notice("n", *many), left_out=3))
    assert len(text) <= 3000
    few = [told(str(n)) for n in range(12)]
    assert "… and 5 more" in message(replace(notice("n", *few), left_out=3))
