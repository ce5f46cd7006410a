"""Metrics of objectives."""

from proxy.observe.slo.figures import METRICS, families
from tests.observe.slo.objectives import Watched, matching, objective


def rows(made: Watched) -> dict[str, dict[tuple[str, ...], object]]:
    return {each.metric.name: dict(each.rows) for each in families(made.slos.entries.values())}


def test_each_metric_is_there_once() -> None:
    """Also where nothing is counted."""
    found = list(families(()))
    assert [each.metric for each in found] == [*METRICS]
    assert all(not each.rows for each in found)


def test_what_was_counted_is_shown() -> None:
    """And of what was not, no figure that looks well."""
    made = Watched(objective(), objective(name="idle", match=matching(tool="x"))).begin()
    made.ends(good=18, bad=2)
    made.end("refused", code="killed")
    made.passes(10)
    found = rows(made)
    assert found["holdfast_slo_events_total"] == {
        ("works", "true"): 18, ("works", "false"): 2, ("works", "excluded"): 1,
        ("idle", "true"): 0, ("idle", "false"): 0, ("idle", "excluded"): 0,
    }  # fmt: skip
    assert found["holdfast_slo_objective"] == {("works",): 0.99, ("idle",): 0.99}
    assert found["holdfast_slo_budget_remaining"] == {("works",): -9.0}
    assert found["holdfast_slo_burn_rate"] == {
        ("works", window): 10.0 for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")
    }
    assert {row for row, value in found["holdfast_slo_state"].items() if value} == {
        ("works", "exhausted"),
        ("idle", "insufficient_data"),
    }
    assert len(found["holdfast_slo_state"]) == 8
    assert found["holdfast_slo_coverage"]["works",] == round(10 / 2_592_000, 6)


def test_one_that_was_not_looked_at_has_no_state() -> None:
    """Its counts it has."""
    made = Watched(objective())
    made.ends(good=1, bad=0)
    found = rows(made)
    assert found["holdfast_slo_events_total"]["works", "true"] == 1
    assert not found["holdfast_slo_state"]
