"""`kill:` in policy files."""

import pytest

from proxy.config.places import ConfigError
from proxy.units import Moment

UPSTREAM = 'upstreams: {gateway: {url: "http://h:1"}}\n'


def test_each_with_its_place(folder):
    """All that a kill has."""
    loaded = folder.load(
        UPSTREAM
        + """kill:
  - {scope: "agent:pay-*", reason: looping, until: 2999-01-31T18:00:00Z, in_flight: finish}
  - {scope: all, reason: "case 12"}
"""
    )
    first, second = loaded.kills
    assert (str(first.scope), first.reason, first.until, first.in_flight) == (
        "agent:pay-*",
        "looping",
        Moment.parse("2999-01-31T18:00:00Z"),
        "finish",
    )
    assert first.place.endswith(":3")
    assert (first.by, first.origin) == ("policies", "policies")
    assert (str(second.scope), second.until, second.in_flight) == ("all", None, "end")
    assert loaded.version != folder.load(UPSTREAM).version


@pytest.mark.parametrize(
    ("kill", "why"),
    [
        ("{scope: agnt:x, reason: x}", "kill[0].scope: expected all, fleet:NAME"),
        ("{scope: all}", "kill[0]: the key reason is missing"),
        ("{scope: all, reason: ''}", "kill[0].reason: expected text of 1 to 500 characters"),
        ("{scope: all, reason: x, until: soon}", "kill[0].until: expected a moment such as"),
        ("{scope: all, reason: x, in_flight: stop}", "kill[0].in_flight: expected end or finish"),
        ("{scope: all, reason: x}, {scope: all, reason: y}", "kill[1].scope: this scope is killed"),
    ],
)
def test_what_is_no_kill(folder, kill, why):
    """With its place."""
    with pytest.raises(ConfigError) as raised:
        folder.load(f"{UPSTREAM}kill: [{kill}]\n")
    assert why in str(raised.value)


def test_what_stops_nothing_is_warned_of(folder):
    """Names that nothing has; of others nobody knows."""
    loaded = folder.load(
        UPSTREAM
        + """kill:
  - {scope: "upstream:getaway", reason: x}
  - {scope: "upstream:gateway", reason: x}
  - {scope: "bulkhead:b", reason: x}
  - {scope: "agent:nobody", reason: x}
"""
    )
    told = [str(each) for each in loaded.warnings if "it stops nothing" in str(each)]
    assert [":3:" in told[0], ":5:" in told[1], len(told)] == [True, True, 2]


def test_what_is_over_is_warned_of(folder):
    """Somebody mistyped the year, and believes that it is stopped."""
    loaded = folder.load(
        UPSTREAM
        + """kill:
  - {scope: "all", reason: x, until: 2020-01-01T00:00:00Z}
  - {scope: "agent:a", reason: x, until: 2999-01-01T00:00:00Z}
"""
    )
    told = [str(each) for each in loaded.warnings if "it stops nothing" in str(each)]
    assert ["until: it stops nothing: 2020-" in told[0], len(told)] == [True, 1]
