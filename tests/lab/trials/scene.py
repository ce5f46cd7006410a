"""Tests of policies as text, and what comes of them."""

# ruff: noqa: E501 -- a policy on one line
import tempfile
from pathlib import Path

from proxy.lab.trials.judge import Judged, judge
from proxy.lab.trials.play import Outcome, play
from proxy.lab.trials.written import Trial, read_trials
from proxy.protocols.identity import Identity
from tests.tables import load

ANN = Identity("ann", "crew")
POLICIES = """
upstreams:
  gateway: {url: 'http://h', protocol: tools}
  other: {url: 'http://h', protocol: http, path: /other}
policies:
  - {name: default, timeout: {total: 45s}, retry: {attempts: 2}, breaker: {consecutive: 2, open: {base: 9s, jitter: 0}}}
  - {name: reads, match: {tool: "get_*"}, effect: read, retry: {attempts: 3}}
  - {name: trial, mode: shadow, breaker: {consecutive: 1}}
"""


def trial(text: str) -> Trial:
    """The test that is written; its name and what it expects may be left out."""
    whole = f"tests:\n  - name: a\n    {text.strip()}\n"
    if "expect:" not in whole:
        whole += "    expect: {attempts: 1}\n"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "t.yaml").write_text(whole)
        return read_trials(Path(folder), {})[0]


def played(text: str, policies: str = POLICIES) -> Outcome:
    """What comes of its call."""
    return play(trial(text).case, load(policies), ANN)


def judged(text: str, policies: str = POLICIES) -> Judged:
    """Whether it passes."""
    return judge(trial(text), load(policies), ANN)
