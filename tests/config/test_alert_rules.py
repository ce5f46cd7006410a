"""proxy/config/alert_rules.py: what alerts obey, of what policy files say."""

from proxy.config.alert_rules import Labelled, rules_of, tightens
from proxy.observe.alerts.rules import Every, Rules, Step, ToolCall
from tests.config.test_misalerted import OPS, UPSTREAM


def test_nothing_is_written(folder):
    """Then nobody is told, and what is over is resolved after a minute."""
    rules = rules_of(folder.load(UPSTREAM).alerts)
    timing = rules.timing({})
    assert (rules.routes, rules.receivers, rules.ladders) == ((), frozenset(), ())
    assert (timing.holds_for, timing.resolves_after, rules.repeat) == (0.0, 60.0, 14_400.0)


def test_all_that_may_be_written(folder):
    """As alerts obey it."""
    alerts = folder.load(
        UPSTREAM
        + f"""
slos: [{{name: latency, sli: latency, threshold: 5s, objective: 0.99}}]
alerts:
  receivers: [{OPS}, {{name: boss, kind: slack, url: "https://h.example/y"}}]
  routes:
    - {{to: [ops]}}
    - to: [boss]
      match: {{severity: page, source: ["slo", "!breaker"], slo: latency, agent: "a*"}}
  repeat: 1h
  for: 10s
  resolve_after: 2m
  timing:
    - {{match: {{source: breaker}}, resolve_after: 10m}}
    - {{match: {{name: "Slo*"}}, for: 0s}}
  runbook: https://w.example/{{name}}
  dashboard: https://d.example
  escalation:
    - name: usual
      match: {{severity: page}}
      steps:
        - {{notify: [ops], tighten: [careful]}}
        - {{after: 5m, open_breaker: ["gw/pay", "{{upstream}}"]}}
        - after: 30m
          kill: ["agent:{{agent}}", all]
          call: [{{upstream: gw, tool: create_dispute, arguments: {{why: "{{name}}", n: 1}}}}]
    - {{name: rest, steps: [{{notify: [boss]}}]}}
"""
    ).alerts
    rules: Rules = rules_of(alerts)
    page = {"severity": "page", "source": "slo", "slo": "latency", "agent": "ann"}
    assert rules.to(page) == {"ops", "boss"}
    assert rules.to({**page, "source": "breaker"}) == {"ops"}
    assert rules.to({**page, "agent": ""}) == {"ops"}
    times = [
        (timing.holds_for, timing.resolves_after)
        for timing in (
            rules.timing({"source": "breaker"}),
            rules.timing({"name": "SloBurn"}),
            rules.timing({}),
        )
    ]
    assert times == [(10.0, 600.0), (0.0, 120.0), (10.0, 120.0)]
    assert (rules.repeat, rules.runbook) == (3600.0, "https://w.example/{name}")
    usual, rest = rules.ladders
    assert usual.steps == (
        Step(0.0, notify=("ops",), tighten=("careful",)),
        Step(300.0, open_breaker=("gw/pay", "{upstream}")),
        Step(
            1800.0,
            kill=("agent:{agent}", "all"),
            call=(ToolCall("gw", "create_dispute", {"why": "{name}", "n": 1}),),
        ),
    )
    assert isinstance(usual.which, Labelled)
    assert isinstance(rest.which, Every)
    assert tightens(alerts) == {"careful"}
