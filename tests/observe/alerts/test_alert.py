"""One alert."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from proxy.config.types import Name
from proxy.observe.alerts.alert import (
    LONGEST,
    LONGEST_TEXT,
    MOST_LABELS,
    Act,
    Alert,
    act_of,
    bounded,
    clean,
    fingerprint,
    key_of,
)
from tests.fakes import EPOCH
from tests.observe.alerts.scene import said

texts = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)


@given(texts, texts)
def test_the_same_labels_are_the_same_alert(one: dict[str, str], other: dict[str, str]) -> None:
    """In whatever order they come; and other labels are another alert."""
    here, there = said(), said()
    here = bounded(msgspec.structs.replace(here, about=one))
    there = bounded(msgspec.structs.replace(there, about=other))
    turned = msgspec.structs.replace(here, about=dict(reversed(here.about.items())))
    assert (key_of(turned), fingerprint(turned)) == (key_of(here), fingerprint(here))
    alike = here.about == there.about
    assert (key_of(here) == key_of(there)) is alike
    assert (fingerprint(here) == fingerprint(there)) is alike


def test_figures_make_no_other_alert() -> None:
    """What is said of it changes; what it is does not. Source, name and severity are what it is."""
    first = said(upstream="a")
    again = said(summary="worse", told={"burn": "14"}, group="g", lasts=3.0, upstream="a")
    assert fingerprint(first) == fingerprint(again)
    others = [
        said("Other", upstream="a"),
        said(source="upstream", upstream="a"),
        said(severity="page", upstream="a"),
        said(tool="a"),
    ]
    assert len({fingerprint(each) for each in (first, *others)}) == 5
    assert fingerprint(first) == "810118f3cbe0bed8cec8b7469251b6e2"  # of all pods, and versions


def test_what_agents_make_up_is_cut() -> None:
    """Labels are bounded in number and length, and none moves a terminal."""
    many = {f"l{i}": "x" for i in range(100)}
    labels = {"agent": "x" * 10_000, "tool": "a\x1b[2J\n\ud800", **many}
    condition = bounded(msgspec.structs.replace(said(), about=labels))
    assert len(condition.about) == MOST_LABELS
    assert len(condition.about["agent"]) == LONGEST
    assert condition.about["tool"] == "a\\x1b[2J\\n\\ud800"
    named = bounded(said(upstream=Name("gateway")))
    assert [type(text) for text in named.about.values()] == [str]
    fine = said(agent="ann")
    assert bounded(fine) is fine
    assert clean("ü\t" + "x" * 2 * LONGEST_TEXT)[:5] == "\\xfc\\"


def test_as_it_is_shown() -> None:
    """To people and to receivers."""
    alert = Alert("f", said(summary="bad\n", told={"burn": "2"}, upstream="a"))
    assert (alert.state, alert.firing, alert.group) == ("pending", False, "f")
    alert.id, alert.starts_at, alert.acknowledged_by = "e", EPOCH, "ann"
    alert.acts = (Act("kill", "agent:a b"),)
    told = alert.told_as({"runbook_url": "https://r"})
    assert (told.status, told.summary, told.labels) == ("firing", "bad\\n", {"upstream": "a"})
    assert told.annotations == {"burn": "2", "acknowledged_by": "ann", "runbook_url": "https://r"}
    shown = alert.shown(inhibited=True)
    assert (shown["state"], shown["starts"]) == ("firing", "2023-11-14T22:13:20.000Z")
    assert (shown["acts"], shown["ends"]) == (["kill agent:a b"], None)
    assert shown["inhibited"] is True
    assert act_of("kill agent:a b") == alert.acts[0]
    alert.ends_at = EPOCH + 1
    assert (alert.state, alert.firing, alert.told_as({}).status) == ("resolved", False, "resolved")
    assert alert.labels == {
        "upstream": "a",
        "source": "breaker",
        "name": "CircuitOpen",
        "severity": "ticket",
    }
