"""proxy/tracing.py: who we are to a collector; tests/whole/test_traces.py has it on a real one."""

from typing import Any

import pytest

from proxy.config.loaded import Loaded
from proxy.config.settings import load_settings
from proxy.keep import Keep
from proxy.tracing import Tracing
from tests.fakes import FakeClock
from tests.tables import load

POLICIES = """
upstreams:
  gateway: {url: "https://tools.example:8443/base", path: /}
  models: {url: "http://models.example", path: /llm}
"""


def tracing(**flags: Any) -> Tracing:
    """By these settings."""
    return Tracing(load_settings(None, {}, flags), FakeClock(), Keep())


async def test_without_a_collector_there_is_nothing() -> None:
    """No tracer, no metric, nothing to stop."""
    made = tracing()
    made.begin()
    made.obey(Loaded("v"))
    assert (made.tracer, list(made.families())) == (None, [])
    await made.stop()


async def test_upstreams_are_where_policies_say() -> None:
    """Spans tell where a call went, and nothing that is secret."""
    made = tracing(**{"trace.otlp": "http://127.0.0.1:4318"})
    made.obey(load(POLICIES))
    assert made.tracer is not None
    places = made.tracer.places
    assert places["gateway"].url == "https://tools.example:8443/base"
    assert (places["models"].url, places["models"].route) == ("http://models.example", "/llm")
    assert [family.metric.name for family in made.families()] == [
        "holdfast_trace_spans_total",
        "holdfast_trace_waiting",
    ]


@pytest.mark.parametrize("stops", [1, 2])
async def test_it_ends(stops: int) -> None:
    """Also twice, and with nothing to post."""
    made = tracing(**{"trace.otlp": "http://127.0.0.1:9"})
    made.begin()
    for _ in range(stops):
        await made.stop()
    assert made.tracer is not None
