"""proxy/config/misalerted.py: who is told, and what is done, beside the rest of the files."""

import pytest

UPSTREAM = (
    'upstreams: {gw: {url: "http://h:1"}}\npolicies: [{name: careful, timeout: {total: 1s}}]\n'
)
OPS = "{name: ops, kind: slack, url: 'https://h.example/x'}"


@pytest.mark.parametrize(
    ("alerts", "where", "why"),
    [
        ("routes: [{to: [opps]}]", "routes[0].to[0]", "no receiver is named opps; did you mean"),
        ("routes: [{to: []}]", "routes[0].to", ""),
        ("repeat: 59s", "repeat", "expected at least 1m"),
        (f"receivers: [{OPS}, {OPS}]", "receivers[1].name", "another one has this name"),
        (
            "routes: [{to: [ops], match: {severity: pager}}]",
            "routes[0].match.severity",
            "no alert has 'pager' here; did you mean page?",
        ),
        (
            "routes: [{to: [ops], match: {source: ['!brekaer']}}]",
            "routes[0].match.source",
            "no alert has 'brekaer' here",
        ),
        ("routes: [{to: [ops], match: {slo: x}}]", "routes[0].match.slo", "no alert has 'x'"),
        ("timing: [{match: {upstream: x}}]", "timing[0].match.upstream", "no alert has 'x'"),
        (
            "escalation: [{name: a, steps: [{notify: [ops]}, {notify: [ops]}]}]",
            "escalation[0].steps[1].after",
            "must be later than the step before it",
        ),
        (
            "escalation: [{name: a, steps: [{after: 1s}]}]",
            "escalation[0].steps[0]",
            "a step does something",
        ),
        (
            "escalation: [{name: a, steps: [{tighten: [x]}]}]",
            "escalation[0].steps[0].tighten[0]",
            "no policy is named x; there is careful",
        ),
        (
            "escalation: [{name: a, steps: [{open_breaker: [x/t]}]}]",
            "escalation[0].steps[0].open_breaker[0]",
            "no upstream is named x",
        ),
        (
            "escalation: [{name: a, steps: [{open_breaker: ['{upstream']}]}]",
            "escalation[0].steps[0].open_breaker[0]",
            "a label stands in braces, as {agent}",
        ),
        (
            "escalation: [{name: a, steps: [{kill: ['agnt:{agent}']}]}]",
            "escalation[0].steps[0].kill[0]",
            "expected all, fleet:NAME",
        ),
        (
            "escalation: [{name: a, steps: [{call: [{upstream: x, tool: t}]}]}]",
            "escalation[0].steps[0].call[0].upstream",
            "no upstream is named x",
        ),
        (
            "escalation: [{name: a, steps: [{notify: [x]}]}, {name: a, steps: [{kill: [all]}]}]",
            "escalation[1].name",
            "another one has this name",
        ),
        (
            "escalation: [{name: a, match: {severity: x}, steps: [{kill: [all]}]}]",
            "escalation[0].match.severity",
            "no alert has 'x'",
        ),
    ],
)
def test_what_leads_nowhere(folder, alerts, where, why):
    """Is an error, at its place."""
    more = "" if alerts.startswith("receivers") else f"  receivers: [{OPS}]\n"
    errors = folder.errors(f"{UPSTREAM}alerts:\n{more}  {alerts}\n")
    assert any(f"alerts.{where}: " in error and why in error for error in errors), errors


def test_what_has_no_effect_is_warned_of(folder):
    """A receiver that nobody is sent to; a circuit that would be held open for being open."""
    warnings = folder.warnings(
        UPSTREAM
        + f"""alerts:
  receivers: [{OPS}, {{name: boss, kind: slack, url: "https://h.example/y"}}]
  escalation:
    - name: a
      match: {{source: breaker}}
      steps: [{{open_breaker: ["{{upstream}}"], notify: [boss]}}]
    - {{name: b, match: {{source: slo}}, steps: [{{open_breaker: ["{{upstream}}"]}}]}}
"""
    )
    told = [each.split(": ", 2)[1:] for each in warnings if ": alerts." in each]
    assert [where for where, _ in told] == [
        "alerts.receivers[0].name",
        "alerts.escalation[0].steps[0].open_breaker",
    ]


def test_it_stands_in_one_file(folder):
    """It is one mapping."""
    folder.write("alerts: {repeat: 1h}\n", "q.yaml")
    [error] = folder.errors(UPSTREAM + "alerts: {repeat: 2h}\n")
    assert "alerts: it stands at" in error


@pytest.mark.parametrize(
    ("url", "private", "why"),
    [
        ("http://127.0.0.1:9093", "false", "allow_private would let it be"),
        ("http://[fd00::1]/x", "false", "allow_private would let it be"),
        ("http://169.254.169.254/x", "true", "none that a receiver can have"),
        ("http://127.0.0.1:9093", "true", ""),
        ("https://h.example/x", "false", ""),
    ],
)
def test_a_receiver_to_which_nothing_is_sent(folder, url, private, why):
    """Who looks at the file is told, and not who waits for the first alert."""
    told = f"{{name: am, kind: alertmanager, url: '{url}', allow_private: {private}}}"
    warnings = folder.load(
        UPSTREAM + f"alerts: {{receivers: [{told}], routes: [{{to: [am]}}]}}\n"
    ).warnings
    found = [each for each in warnings if "receivers[0].url" in str(each)]
    assert [why in str(each) for each in found] == [True] * bool(why)
    assert url not in str(found)


def test_a_label_that_no_alert_has(folder):
    """Else the step that is to stop everything would do nothing, and nobody knew before."""
    steps = "[{kill: ['agent:{agnt}', 'tool:{tool}'], open_breaker: ['{upstream}/{tol}']}]"
    warnings = folder.load(
        UPSTREAM
        + "alerts: {runbook: 'https://r.example/{nam}', dashboard: 'https://d.example/{slo}',"
        + f" escalation: [{{name: a, steps: {steps}}}]}}\n"
    ).warnings
    found = [str(each).partition("alerts.")[2] for each in warnings if "no alert has" in str(each)]
    assert sorted(found) == [
        "escalation[0].steps[0].kill[0]: no alert has a label agnt; did you mean agent?",
        "escalation[0].steps[0].open_breaker[0]: no alert has a label tol; did you mean tool?",
        "runbook: no alert has a label nam; did you mean name?",
    ]
