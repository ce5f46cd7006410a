"""Notices, as tests want them."""

from proxy.observe.alerts.notice import Notice, Told

START = 1_700_000_000.0


def told(
    fingerprint: str = "f1", ends_at: float = 0.0, starts_at: float = START, **more: str
) -> Told:
    """One alert; `more` are labels."""
    return Told(
        fingerprint=fingerprint,
        name="CircuitOpen",
        severity="page",
        source="breaker",
        starts_at=starts_at,
        ends_at=ends_at,
        summary="calls of billing are refused",
        labels=more,
        annotations={"runbook_url": "https://runbooks.example/circuit?a=1&b=2"},
    )


def notice(
    name: str, *alerts: Told, receiver: str = "ops", group: str = "breaker/billing"
) -> Notice:
    """One that fires, unless alerts say otherwise."""
    return Notice(name, receiver, group, alerts or (told(),), START)


def over(name: str, *fingerprints: str, receiver: str = "ops") -> Notice:
    """One that tells that alerts are over."""
    alerts = [told(each, ends_at=START + 60) for each in fingerprints or ("f1",)]
    return notice(name, *alerts, receiver=receiver)
