"""proxy/observe/alerts/formats.py: what is posted to each kind of receiver."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from proxy.observe.alerts.formats import Parcel, parcels
from proxy.observe.alerts.notice import Notice, Whence
from proxy.observe.alerts.receiver import Kind, Receiver
from tests.observe.alerts.notices import START, notice, over, told

WHENCE = Whence("pricing-01", "http://holdfast.example:8701")
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
AT = START + 30.7


def written(
    kind: Kind, of: Notice, *secrets: str, url: str = "https://far.example/in", at: float = AT
) -> list[Parcel]:
    """The posts."""
    receiver = Receiver(name="ops", kind=kind, url=url, secrets=secrets, headers=(("X-Us", "1"),))
    return list(parcels(receiver, of, WHENCE, at))


def body(parcel: Parcel) -> Any:
    """What it says."""
    return json.loads(parcel.content)


def test_a_webhook_has_the_body_of_alertmanager() -> None:
    """Version 4, with all that its own has; and the signature of this try."""
    one = told("f1", upstream="billing", tool="pay")
    two = told("f2", ends_at=START + 60, upstream="billing", tool="refund")
    (parcel,) = written("webhook", notice("n-1", one, two), SECRET)
    assert body(parcel) == {
        "version": "4",
        "groupKey": "breaker/billing",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "ops",
        "groupLabels": {"group": "breaker/billing"},
        "commonLabels": {
            "alertname": "CircuitOpen",
            "severity": "page",
            "source": "breaker",
            "upstream": "billing",
        },
        "commonAnnotations": {
            "summary": "calls of billing are refused",
            "runbook_url": "https://runbooks.example/circuit?a=1&b=2",
        },
        "externalURL": "http://holdfast.example:8701",
        "alerts": [
            {
                "status": "firing",
                "labels": body(parcel)["commonLabels"] | {"tool": "pay"},
                "annotations": body(parcel)["commonAnnotations"],
                "startsAt": "2023-11-14T22:13:20.000Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://holdfast.example:8701",
                "fingerprint": "f1",
            },
            {
                "status": "resolved",
                "labels": body(parcel)["commonLabels"] | {"tool": "refund"},
                "annotations": body(parcel)["commonAnnotations"],
                "startsAt": "2023-11-14T22:13:20.000Z",
                "endsAt": "2023-11-14T22:14:20.000Z",
                "generatorURL": "http://holdfast.example:8701",
                "fingerprint": "f2",
            },
        ],
    }
    lines = dict(parcel.headers)
    assert parcel.url == "https://far.example/in"
    assert lines["webhook-id"] == "n-1"
    assert lines["webhook-timestamp"] == str(int(AT))
    assert lines["webhook-signature"].startswith("v1,")
    assert (lines["Content-Type"], lines["X-Us"]) == ("application/json", "1")


def test_a_group_is_resolved_when_all_of_it_is() -> None:
    """Not before."""
    assert body(written("webhook", over("n", "f1", "f2"))[0])["status"] == "resolved"


def test_an_alertmanager_gets_alerts() -> None:
    """At its API; without an end while they fire. Empty labels and odd names are none for it."""
    firing = replace(told(), labels={"upstream": "billing", "task.kind": "x", "tool": ""})
    (parcel,) = written("alertmanager", notice("n", firing), "token", url="http://am.example:9093/")
    assert parcel.url == "http://am.example:9093/api/v2/alerts"
    assert dict(parcel.headers)["Authorization"] == "Bearer token"
    assert body(parcel) == [
        {
            "labels": {
                "alertname": "CircuitOpen",
                "severity": "page",
                "source": "breaker",
                "upstream": "billing",
                "task_kind": "x",
            },
            "annotations": {
                "summary": "calls of billing are refused",
                "runbook_url": "https://runbooks.example/circuit?a=1&b=2",
            },
            "startsAt": "2023-11-14T22:13:20.000Z",
            "generatorURL": "http://holdfast.example:8701",
        }
    ]
    assert "Authorization" not in dict(written("alertmanager", notice("n"))[0].headers)


@pytest.mark.parametrize(
    ("starts", "ends", "told_start", "told_end"),
    [
        (START, START + 60, "2023-11-14T22:13:20.000Z", "2023-11-14T22:13:50.700Z"),
        (START + 90, START + 99, "2023-11-14T22:13:50.700Z", "2023-11-14T22:13:50.700Z"),
        (START, START - 99, "2023-11-14T22:13:20.000Z", "2023-11-14T22:13:20.000Z"),
    ],
)
def test_an_alertmanager_is_told_of_nothing_to_come(
    starts: float, ends: float, told_start: str, told_end: str
) -> None:
    """Clocks jump, and that of a drill runs ahead: it would refuse such an alert."""
    alert = told("f1", ends, starts)
    url = "http://am.example/api/v2/alerts"
    (parcel,) = written("alertmanager", notice("n", alert), url=url)
    assert parcel.url == url
    assert (body(parcel)[0]["startsAt"], body(parcel)[0]["endsAt"]) == (told_start, told_end)


@pytest.mark.parametrize(("of", "word"), [(notice("n"), "firing"), (over("n"), "resolved")])
def test_a_gateway_publishes_an_event(of: Notice, word: str) -> None:
    """By its tool; with a key, so that it publishes it once."""
    (parcel,) = written("gateway", of)
    assert body(parcel)["tool"] == "publish_event"
    said = body(parcel)["input"]
    assert (said["agent_id"], said["event_type"]) == ("pricing-01", f"alert.{word}")
    assert said["payload"]["alerts"][0]["fingerprint"] == "f1"
    assert dict(parcel.headers)["Idempotency-Key"] == "n"


def test_pagerduty_gets_an_event_for_each_alert() -> None:
    """At its usual address, unless it has another one."""
    both = notice("n", told("f1"), told("f2", ends_at=START + 60))
    posts = written("pagerduty", both, "R" * 32, url="")
    assert [parcel.url for parcel in posts] == ["https://events.pagerduty.com/v2/enqueue"] * 2
    assert [body(parcel)["event_action"] for parcel in posts] == ["trigger", "resolve"]
    (parcel,) = written("pagerduty", notice("n"), "R" * 32)
    assert parcel.url == "https://far.example/in"


def test_slack_gets_a_message() -> None:
    """One for all of it."""
    (parcel,) = written("slack", notice("n"))
    assert body(parcel)["text"] == "[FIRING:1] CircuitOpen (pricing-01)"
