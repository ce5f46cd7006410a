"""`behaviour` in policy files."""

import pytest

from proxy.config.load import load_policies
from proxy.config.places import ConfigError
from proxy.observe.behaviour.rules import Rules


def load(folder, text):
    """What one file says."""
    (folder / "10.yaml").write_text(text)
    return load_policies(folder)


def test_off_unless_asked_for(tmp_path):
    """It costs something on each call."""
    assert load(tmp_path, "policies: []").behaviour is None


def test_the_defaults_are_those_of_the_spec(tmp_path):
    """An empty mapping turns it on."""
    assert load(tmp_path, "behaviour: {}").behaviour == Rules()


def test_all_can_be_tuned(tmp_path):
    """Each key has its place in the rules."""
    text = """
behaviour:
  baseline: 2d
  samples: 50
  idle: 5m
  min_calls: 7
  anomaly: {score: 5, calls: 4, cost: 6, retries: 0.5, escalations: 0.3}
  window: 10m
  degraded: {errors: 0.2, p99: 10s}
  critical: {errors: 0.4, p99: 20s}
  layers: [llm]
  emergency: 0.5
  min_agents: 9
"""
    assert load(tmp_path, text).behaviour == Rules(
        baseline=172_800.0,
        samples=50,
        score=5,
        calls=4,
        cost=6,
        retries=0.5,
        escalations=0.3,
        min_calls=7,
        idle=300.0,
        window=600.0,
        degraded_errors=0.2,
        degraded_p99=10.0,
        critical_errors=0.4,
        critical_p99=20.0,
        layers=frozenset({"llm"}),
        emergency=0.5,
        min_agents=9,
    )


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{baseline: 30m}", "behaviour.baseline: expected 1h to 30d"),
        ("{idle: 500ms}", "behaviour.idle: expected at least 1s"),
        ("{window: 5s}", "behaviour.window: expected at least 10s"),
        ("{critical: {errors: 0.01, p99: 9s}}", "behaviour.critical: expected no less than degr"),
        ("{samples: 5}", "behaviour.samples: expected a whole number of 10 to 200, found 5"),
        ("{anomly: {}}", "behaviour.anomly: unknown key; did you mean anomaly?"),
        ("[]", "behaviour: expected a mapping, found a list"),
    ],
)  # fmt: skip
def test_what_cannot_be(tmp_path, written, told):
    """Said with its place."""
    with pytest.raises(ConfigError) as error:
        load(tmp_path, f"behaviour: {written}")
    assert told in str(error.value)


def test_it_stands_once(tmp_path):
    """Two files would contradict each other."""
    (tmp_path / "20.yaml").write_text("behaviour: {}")
    with pytest.raises(ConfigError) as error:
        load(tmp_path, "behaviour: {}")
    assert "behaviour: it stands at " in str(error.value)
