"""proxy/observe/alerts/trimmed.py"""

import msgspec
from msgspec.structs import replace

from proxy.observe.alerts.trimmed import LARGEST, trimmed
from tests.observe.alerts.notices import notice, told


def test_what_is_small_stays_as_it_is() -> None:
    """To the last letter."""
    one = notice("n", told(tool="x" * 1000))
    assert trimmed(one) is one


def test_a_large_one_loses_its_last_alerts() -> None:
    """They are counted, with those that were left out before; texts are cut first."""
    many = [told(str(n), tool="x" * 5000) for n in range(1000)]
    kept = trimmed(replace(notice("n", *many), left_out=7))
    assert len(msgspec.json.encode(kept)) <= LARGEST + 1000
    assert 50 < len(kept.alerts) < 1000
    assert len(kept.alerts) + kept.left_out == 1007
    assert [alert.fingerprint for alert in kept.alerts[:3]] == ["0", "1", "2"]
    assert kept.alerts[0].labels["tool"] == "x" * 500


def test_the_first_alert_is_always_told() -> None:
    """However large it is."""
    labels = {f"{n}": "\x01" * 500 for n in range(100)}
    kept = trimmed(notice("n", replace(told(), labels=labels, annotations=labels), told("f2")))
    assert [alert.fingerprint for alert in kept.alerts] == ["f1"]
    assert len(kept.alerts[0].labels) == 20
