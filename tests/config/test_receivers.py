"""proxy/config/receivers.py"""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.config.load import load_policies
from proxy.config.places import ConfigError
from proxy.config.receivers import PostUrl, receivers_of
from proxy.observe.alerts import receiver as told

KEY = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OLD = "whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7"
HOOK = "https://hooks.example/services/T0/B0/sesame?sig=sesame"
FILE = """
upstreams:
  gateway:
    url: "http://127.0.0.1:8790/base/"
    protocol: tools
    auth: [{bearer: hush}, {bearer: next}]
alerts:
  receivers:
    - {name: ops, RECEIVER}
"""


def loaded(folder: Any, receiver: str) -> tuple[told.Receiver, ...]:
    """What delivery takes."""
    read = folder.load(FILE.replace("RECEIVER", receiver))
    return receivers_of(read.alerts.receivers, read.upstreams)


@pytest.mark.parametrize(
    ("written", "made"),
    [
        (
            f'kind: webhook, url: "{HOOK}", secret: "{KEY} {OLD}"',
            told.Receiver(name="ops", kind="webhook", url=HOOK, secrets=(KEY, OLD)),
        ),
        (
            "kind: alertmanager, url: http://127.0.0.1:9093, allow_private: true",
            told.Receiver(
                name="ops", kind="alertmanager", url="http://127.0.0.1:9093", private=True
            ),
        ),
        (f'kind: slack, url: "{HOOK}"', told.Receiver(name="ops", kind="slack", url=HOOK)),
        (
            f"kind: pagerduty, secret: {'R' * 32}",
            told.Receiver(name="ops", kind="pagerduty", url="", secrets=("R" * 32,)),
        ),
        (
            "kind: gateway, upstream: gateway",
            told.Receiver(
                name="ops",
                kind="gateway",
                url="http://127.0.0.1:8790/base/",
                headers=(("authorization", "Bearer hush"),),
                private=True,
            ),
        ),
    ],
)
def test_a_receiver_as_it_is_written(folder: Any, written: str, made: told.Receiver) -> None:
    """Of each kind."""
    assert loaded(folder, written) == (made,)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("kind: webhook", "a receiver of kind webhook needs a url"),
        ("kind: slack", "a receiver of kind slack needs a url"),
        ("kind: alertmanager", "a receiver of kind alertmanager needs a url"),
        ("kind: gateway", "upstream: a receiver of kind gateway has one, and no other"),
        (
            f'kind: slack, url: "{HOOK}", upstream: gateway',
            "upstream: a receiver of kind gateway has one, and no other",
        ),
        (
            f'kind: gateway, upstream: gateway, url: "{HOOK}"',
            "url: a receiver of kind gateway has that of its upstream",
        ),
        (
            "kind: gateway, upstream: gateway, secret: sesame",
            "secret: a receiver of kind gateway has none",
        ),
        ("kind: pagerduty", "secret: a receiver of kind pagerduty needs its routing key"),
        (
            f'kind: webhook, url: "{HOOK}", secret: sesame',
            "secret: expected a secret that begins with whsec_",
        ),
        (f'kind: webhook, url: "{HOOK}", secret: ""', "secret: it is empty"),
        (f'kind: alertmanager, url: "{HOOK}", secret: ""', "secret: it is empty"),
        (
            f'kind: webhook, url: "{HOOK}", secret: "{" ".join([KEY] * 5)}"',
            "secret: expected 4 secrets at most",
        ),
        ('kind: webhook, url: "https://u:sesame@a.example"', "a user or password cannot be part"),
        ('kind: webhook, url: "https://a.example/#sesame"', "a fragment cannot be part of the URL"),
        ('kind: webhook, url: "ftp://sesame.example"', "expected a URL that begins with http://"),
        ('kind: webhook, url: "https://a.example/?sesame 1"', "expected a URL of printable ASCII"),
        ("kind: webhook, url: 7", "expected a URL such as https://example.org/hook"),
        ('kind: webhook, url: "https://a.example:sesame/"', "the URL has no valid port"),
        ("kind: gateway, upstream: gatewey", "no upstream is named gatewey; did you mean"),
    ],
)
def test_what_is_none(folder: Any, written: str, why: str) -> None:
    """Said where it stands, and without what may be secret."""
    (problem,) = folder.errors(FILE.replace("RECEIVER", written))
    assert why in problem
    assert problem.startswith("p.yaml:9:")
    assert "sesame" not in problem


def test_secrets_are_shown_nowhere(folder: Any) -> None:
    """Neither where they are read, nor where they are used."""
    read = folder.load(FILE.replace("RECEIVER", f'kind: webhook, url: "{HOOK}", secret: {KEY}'))
    written = read.alerts.receivers[0]
    (made,) = receivers_of(read.alerts.receivers, read.upstreams)
    shown = f"{written!r} {written} {read!r} {made!r} {made} {written.url} {written.secret}"
    assert "sesame" not in shown
    assert KEY not in shown
    assert written.url.place == "https://hooks.example"


def test_an_upstream_of_the_command_line_takes_anothers_place(tmp_path: Path) -> None:
    """Whoever named that one is told so."""
    (tmp_path / "a.yaml").write_text(FILE.replace("RECEIVER", "kind: gateway, upstream: gateway"))
    with pytest.raises(ConfigError) as raised:
        load_policies(tmp_path, ("http://127.0.0.1:1", "tools"))
    assert "no upstream is named gateway" in str(raised.value)


def test_a_url_is_text() -> None:
    """A number is none, also where no file says it."""
    with pytest.raises(ValueError):
        PostUrl.parse(7)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": 1}, told.Receiver)


def test_what_the_docs_show_can_be_read(folder: Any) -> None:
    """Each kind but that of an upstream, with and without variables."""
    page = (Path(__file__).parents[2] / "docs" / "receivers.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    read = folder.load(block, SLACK_HOOK="https://hooks.slack.example/services/T1/B1/y")
    made = {each.kind: each for each in receivers_of(read.alerts.receivers, {})}
    assert list(made) == ["webhook", "alertmanager", "slack", "pagerduty"]
    assert made["slack"].url.endswith("/y")
    assert page.count("\n| `") >= 8
