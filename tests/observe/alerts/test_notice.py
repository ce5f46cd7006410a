"""proxy/observe/alerts/notice.py"""

from tests.observe.alerts.notices import START, notice, over, told


def test_an_alert_fires_until_it_ends() -> None:
    """In the words of Alertmanager."""
    assert told().status == "firing"
    assert told(ends_at=START + 1).status == "resolved"


def test_a_notice_is_resolved_when_all_of_it_is() -> None:
    """One that fires is enough."""
    assert over("n", "f1", "f2").status == "resolved"
    assert notice("n", told("f1", ends_at=START + 1), told("f2")).status == "firing"
