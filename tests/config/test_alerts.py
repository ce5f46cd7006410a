"""`alerts` as it is written; `test_alerting.py` has what is made of it."""

import pytest

from proxy.config.alerts import Alerts, Step
from proxy.units import Seconds


def test_a_step_does_something():
    """One that does nothing was meant to."""
    with pytest.raises(ValueError, match="a step does something: notify, tighten"):
        Step(after=Seconds(5.0))
    assert Step(kill=("all",)).after == 0.0


def test_what_is_not_written():
    """Told again every four hours; over for a minute before it is."""
    alerts = Alerts()
    assert (alerts.repeat, alerts.hold_for, alerts.resolve_after) == (14_400.0, 0.0, 60.0)
    assert (alerts.receivers, alerts.routes, alerts.escalation) == ((), (), ())
