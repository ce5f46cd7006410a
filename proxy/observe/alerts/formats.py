"""How a notice is written for each kind of receiver. What people read is in
`slack_pagerduty.py`.

- webhook: the body of Alertmanager's webhook, version 4, which most receivers know, signed as
  Standard Webhooks has it.
- alertmanager: its API v2. Firing alerts have no `endsAt`: they are sent again every minute, and
  its `resolve_timeout` (5 min) is what ends them if we are gone. Nothing in them is later than now,
  for it takes no alert that ends before it starts.
- gateway: the tool gateway's `publish_event`, with the same body as a webhook as its payload.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

import msgspec

from proxy.observe.alerts.notice import Notice, Told, Whence
from proxy.observe.alerts.receiver import Kind, Receiver
from proxy.observe.alerts.slack_pagerduty import pagerduty, pagerduty_url, slack
from proxy.posts import JSON, Headers, tool_call
from proxy.protocols import standard_webhooks

_OPEN = "0001-01-01T00:00:00Z"
"""When an alert ends that fires: Go's zero time, as Alertmanager writes it."""
_API = "/api/v2/alerts"
_NO_LABEL = re.compile("[^a-zA-Z0-9_]")


class Parcel(NamedTuple):
    """One post."""

    url: str
    content: bytes
    headers: Headers


Format: TypeAlias = Callable[[Receiver, Notice, Whence, float], Sequence[Parcel]]
"""The posts that tell a notice, at a moment (seconds since 1970). All must be taken."""


def parcels(receiver: Receiver, notice: Notice, whence: Whence, at: float) -> Sequence[Parcel]:
    """What is posted to the receiver."""
    return _FORMATS[receiver.kind](receiver, notice, whence, at)


def _webhook(receiver: Receiver, notice: Notice, whence: Whence, at: float) -> Sequence[Parcel]:
    content = msgspec.json.encode(_body(notice, whence))
    keys = [standard_webhooks.key(secret) for secret in receiver.secrets]
    signed = standard_webhooks.headers(keys, notice.id, at, content)
    return (Parcel(receiver.url, content, (*JSON, *signed, *receiver.headers)),)


def _gateway(receiver: Receiver, notice: Notice, whence: Whence, _: float) -> Sequence[Parcel]:
    given = {
        "agent_id": whence.agent,
        "event_type": f"alert.{notice.status}",
        "payload": _body(notice, whence),
    }
    content, headers = tool_call("publish_event", given, notice.id)
    return (Parcel(receiver.url, content, (*headers, *receiver.headers)),)


def _alertmanager(receiver: Receiver, notice: Notice, whence: Whence, at: float) -> list[Parcel]:
    url = receiver.url.rstrip("/")
    bearer = tuple(("Authorization", f"Bearer {secret}") for secret in receiver.secrets[:1])
    alerts = [_postable(alert, whence, at) for alert in notice.alerts]
    place = url if url.endswith(_API) else url + _API
    headers = (*JSON, *bearer, *receiver.headers)
    return [Parcel(place, msgspec.json.encode(alerts), headers)]


def _pagerduty(receiver: Receiver, notice: Notice, whence: Whence, _: float) -> Sequence[Parcel]:
    url = pagerduty_url(receiver)
    return [
        Parcel(url, content, (*JSON, *receiver.headers))
        for content in pagerduty(receiver, notice, whence)
    ]


def _slack(receiver: Receiver, notice: Notice, whence: Whence, _: float) -> Sequence[Parcel]:
    return (Parcel(receiver.url, slack(notice, whence), (*JSON, *receiver.headers)),)


_FORMATS: dict[Kind, Format] = {
    "webhook": _webhook,
    "alertmanager": _alertmanager,
    "slack": _slack,
    "pagerduty": _pagerduty,
    "gateway": _gateway,
}


def _body(notice: Notice, whence: Whence) -> dict[str, Any]:
    labels = [alert.all_labels for alert in notice.alerts]
    annotations = [_annotations(alert) for alert in notice.alerts]
    return {
        "version": "4",
        "groupKey": notice.group,
        "truncatedAlerts": notice.left_out,
        "status": notice.status,
        "receiver": notice.receiver,
        "groupLabels": {"group": notice.group},
        "commonLabels": _common(labels),
        "commonAnnotations": _common(annotations),
        "externalURL": whence.url,
        "alerts": [
            {
                "status": alert.status,
                "labels": mine,
                "annotations": told,
                "startsAt": _moment(alert.starts_at),
                "endsAt": _moment(alert.ends_at) if alert.ends_at else _OPEN,
                "generatorURL": whence.url,
                "fingerprint": alert.fingerprint,
            }
            for alert, mine, told in zip(notice.alerts, labels, annotations, strict=True)
        ],
    }


def _postable(alert: Told, whence: Whence, at: float) -> dict[str, Any]:
    starts = min(alert.starts_at, at)
    ends = {"endsAt": _moment(max(starts, min(alert.ends_at, at)))} if alert.ends_at else {}
    return {
        # It knows no empty labels, and no other names before its version 0.27.
        "labels": {_NO_LABEL.sub("_", name): v for name, v in alert.all_labels.items() if v},
        "annotations": _annotations(alert),
        "startsAt": _moment(starts),
        **ends,
        **({"generatorURL": whence.url} if whence.url else {}),
    }


def _annotations(alert: Told) -> dict[str, str]:
    return {"summary": alert.summary or alert.name, **alert.annotations}


def _common(each: Sequence[dict[str, str]]) -> dict[str, str]:
    """What all of them have alike."""
    return {
        name: value
        for name, value in each[0].items()
        if all(other.get(name) == value for other in each[1:])
    }


def _moment(seconds: float) -> str:
    """RFC 3339."""
    moment = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")
