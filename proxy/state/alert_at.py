"""When an alert is due: at shares of a limit, each once in a window (`Cap.alert_at`)."""

from proxy.state.allotment import ENDLESS, Allotment
from proxy.state.caps import WHOLE, Cap


def next_alert(cap: Cap, one: Allotment) -> int:
    """What must be spent of it for the next one, in micro-dollars; ENDLESS: all were raised."""
    return ENDLESS if one.alerted >= len(cap.alert_at) else _share(cap, one, one.alerted)


def rearm(cap: Cap, one: Allotment) -> None:
    """What rolls never ends: an alert is raised again when half of it was not spent since."""
    one.alerted = min(one.alerted, len(cap.alert_at))
    while one.alerted and 2 * one.all_spent < _share(cap, one, one.alerted - 1):
        one.alerted -= 1


def _share(cap: Cap, one: Allotment, number: int) -> int:
    return -(-one.limit.micros * cap.alert_at[number] // WHOLE)
