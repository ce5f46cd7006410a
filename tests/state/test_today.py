"""What was spent today."""

from proxy.state.today import Today

MIDNIGHT = 19_700 * 86_400.0


def test_a_day_ends_at_midnight() -> None:
    """In UTC; what comes late counts as of the last one."""
    today = Today()
    today.on(MIDNIGHT - 1)["bot"] = 5
    assert today.on(MIDNIGHT - 1) == {"bot": 5}
    assert today.on(MIDNIGHT) == {}
    today.on(MIDNIGHT)["bot"] = 7
    assert today.on(MIDNIGHT - 60) == {"bot": 7}
    assert today.until == MIDNIGHT + 86_400
