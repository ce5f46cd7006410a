"""How a notice is written for those who call people: Slack's incoming webhooks, PagerDuty's Events
API v2."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from proxy.observe.alerts.condition import Severity
from proxy.observe.alerts.notice import Notice, Told, Whence
from proxy.observe.alerts.receiver import Receiver

PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"

_SHOWN = 10  # alerts in one message
_LONGEST_SAID = 200  # characters
_LONGEST_TEXT = 3000  # characters of one block
_LONGEST_SUMMARY = 1024  # characters that PagerDuty shows of it
_SEVERITIES: dict[Severity, str] = {"page": "critical", "ticket": "warning", "info": "info"}
_LINKS = {"runbook_url": "runbook", "dashboard_url": "dashboard"}
_FIRES, _OVER = ":rotating_light:", ":white_check_mark:"


def slack(notice: Notice, whence: Whence) -> bytes:
    """One message: a line that phones show, and a line for each alert."""
    firing = sum(not alert.ends_at for alert in notice.alerts)
    title = f"[FIRING:{firing}]" if firing else "[RESOLVED]"
    headline = f"{title} {_plain(notice.alerts[0].name)} ({_plain(whence.agent)})"
    lines = [f"{_FIRES if firing else _OVER} *{headline}*"]
    lines += [_line(alert) for alert in notice.alerts[:_SHOWN]]
    more = len(notice.alerts) + notice.left_out - _SHOWN
    if more > 0:
        lines.append(f"… and {more} more")
    links = " · ".join(
        f"<{url.replace('&', '&amp;')}|{word}>" for url, word in _links(notice.alerts[0])
    )
    text = "\n".join(filter(None, [*lines, links]))
    block = {"type": "section", "text": {"type": "mrkdwn", "text": text[:_LONGEST_TEXT]}}
    return msgspec.json.encode({"text": headline, "blocks": [block]})


def _line(alert: Told) -> str:
    mark = "over" if alert.ends_at else alert.severity
    began, ended = (datetime.fromtimestamp(at, UTC) for at in (alert.starts_at, alert.ends_at))
    same_day = began.date() == ended.date()
    until = ended.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S")
    since = began.strftime("%Y-%m-%d %H:%M:%S UTC")
    span = f"{since} to {until}" if alert.ends_at else f"since {since}"
    about = ", ".join(f"{name} {value}" for name, value in alert.labels.items())
    said = f"{alert.summary or alert.name} ({about})" if about else alert.summary or alert.name
    return f"• {mark}: {_plain(said[:_LONGEST_SAID])} _{span}_"


def _links(alert: Told) -> Iterator[tuple[str, str]]:
    """URLs and words for them; what is no link is left out."""
    for name, word in _LINKS.items():
        url = alert.annotations.get(name, "")
        if url.startswith(("https://", "http://")) and not set("<>| \n") & set(url):
            yield url, word


def _plain(text: str) -> str:
    """Nothing in it means something to Slack: agents name tools, and could name everybody."""
    one = " ".join(text.split())
    return one.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", "'")


def pagerduty_url(receiver: Receiver) -> str:
    """Where its events go; in Europe it has another one."""
    return receiver.url or PAGERDUTY


def pagerduty(receiver: Receiver, notice: Notice, whence: Whence) -> Iterator[bytes]:
    """One event for each alert: its incident is known by the fingerprint."""
    for alert in notice.alerts:
        event: dict[str, Any] = {
            "routing_key": receiver.secrets[0],
            "event_action": "resolve" if alert.ends_at else "trigger",
            "dedup_key": alert.fingerprint,
            "payload": {
                "summary": f"{alert.name}: {alert.summary or alert.name}"[:_LONGEST_SUMMARY],
                "source": f"holdfast {whence.agent}",
                "severity": _SEVERITIES[alert.severity],
                "timestamp": datetime.fromtimestamp(alert.starts_at, UTC).isoformat(),
                "component": alert.labels.get("upstream", whence.agent),
                "group": notice.group,
                "class": alert.source,
                "custom_details": {**alert.labels, **alert.annotations},
            },
            "client": "Holdfast",
            "links": [{"href": url, "text": word} for url, word in _links(alert)],
        }
        if whence.url:
            event["client_url"] = whence.url
        yield msgspec.json.encode(event)
