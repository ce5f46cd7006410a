"""What can be asked of an upstream."""

import pytest

from proxy.config.addresses import Url
from proxy.config.health import Health
from proxy.config.types import Upstream
from proxy.units import Seconds


@pytest.mark.parametrize(
    ("probe", "why"),
    [
        ({}, "expected what to ask: tool, path or both"),
        ({"tool": " x"}, "tool: expected printable text"),
        ({"tool": "x\n"}, "tool: expected printable text"),
        ({"path": "healthz"}, "path: expected printable ASCII"),
        ({"path": "/a b"}, "path: expected printable ASCII"),
        ({"path": "/a#b"}, "path: expected printable ASCII"),
        ({"path": "/b\u00fc"}, "path: expected printable ASCII"),
        ({"path": "/", "interval": Seconds(0.0)}, "interval: must be longer than 0"),
        ({"path": "/", "timeout": Seconds(0.0)}, "timeout: must be longer than 0"),
    ],
)
def test_probes_that_cannot_be_sent(probe, why) -> None:
    """Something must be asked, in time, and fit into the head of a request."""
    with pytest.raises(ValueError, match=why):
        Health(**probe)


def test_only_upstreams_with_tools_are_asked_for_one() -> None:
    """To any other a call of a tool is some POST, and nobody knows what that does."""
    asked = Health(tool="get_balance", path="/v1/run?x=1")
    assert Upstream(Url("http://h"), "tools", health=asked).health is asked
    with pytest.raises(ValueError, match="health: an upstream of protocol http has no tools"):
        Upstream(Url("http://h"), "http", health=asked)
    Upstream(Url("http://h"), "http", health=Health(path="/"))
