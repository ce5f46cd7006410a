"""proxy/admin/health.py"""

from types import SimpleNamespace
from typing import Any

from proxy.admin.health import Health
from proxy.clock import Clock
from proxy.journal.segments import Terms
from proxy.journal.writer import State
from proxy.mirrors.webhook import WebhookAnchor


def journal(state: State | None = None, **changes: Any) -> Any:
    """One that is well, but for `changes`."""
    facts = {"tampered": "", "held": 0, "dropped": 0, "terms": Terms(), "seq": 9, "checkpointed": 7}
    return SimpleNamespace(state=state or State("ok", 0.0), **(facts | changes))


def test_ready_needs_a_listener_and_policies():
    """Either alone is not enough."""
    health = Health()
    health.listening("127.0.0.1:8700")
    assert not health.ready
    health.loaded("ab12cd")
    assert health.ready


def test_draining_is_not_ready():
    """New calls go elsewhere while the last ones end."""
    health = Health(listen="127.0.0.1:8700", version="ab12cd", draining=True)
    assert not health.ready


def test_a_rejected_reload_leaves_it_ready():
    """The policies before it are in force; the report says what is wrong."""
    health = Health(listen="127.0.0.1:8700", version="ab12cd")
    health.rejected = "10.yaml:3:1: no such key"
    assert health.ready
    assert health.report()["parts"]["policies"] == {
        "ok": True,
        "version": "ab12cd",
        "last_reload_error": "10.yaml:3:1: no such key",
    }


def test_a_good_reload_forgets_the_rejected_one():
    """The report is of the last reload."""
    health = Health(listen="127.0.0.1:8700", version="ab12cd", rejected="10.yaml:3:1: no")
    health.loaded("ef34ab")
    assert (health.version, health.rejected) == ("ef34ab", "")


def test_once_started_it_stays_so():
    """A drain is not a reason to be started again."""
    health = Health()
    health.loaded("ab12cd")
    assert not health.started
    health.listening("127.0.0.1:8700")
    health.draining = True
    health.listening("")
    assert health.started


def test_a_journal_that_cannot_be_written_is_not_ready():
    """And says why, and how much it holds."""
    full = journal(State("full", 1.0, "No space left on device (ENOSPC)"), held=12)
    health = Health(listen="127.0.0.1:8700", version="ab12cd", journal=full)
    assert not health.ready
    part = health.report()["parts"]["journal"]
    assert (part["ok"], part["state"], part["held"]) == (False, "full", 12)
    assert part["why"] == "No space left on device (ENOSPC)"


def test_a_journal_that_does_not_hold_is_told_and_served_on():
    """Whoever changed a line must not be able to stop the agents with it."""
    changed = journal(tampered="00000001.jsonl line 7")
    health = Health(listen="127.0.0.1:8700", version="ab12cd", journal=changed)
    assert health.ready
    assert health.report()["parts"]["journal"]["tampered"] == "00000001.jsonl line 7"


def test_who_does_not_take_checkpoints_is_told_and_served_on():
    """A witness that is down takes nobody's calls away."""
    witness = WebhookAnchor("https://w.example/s3cret", "https://w.example", Clock(), print, 1.0)
    witness.trouble = "it answered 500"
    health = Health(
        listen="127.0.0.1:8700", version="ab12cd", journal=journal(), webhooks=(witness,)
    )
    told = health.report()["parts"]["journal"]
    assert (health.ready, told["ok"]) == (True, True)
    assert told["anchors"] == [
        {"anchor": "https://w.example", "ok": False, "why": "it answered 500", "waiting": 0}
    ]


def test_what_may_be_lost_is_stated():
    """Only where nobody waits for the disk."""
    for sync, window in (("async", {"records": 1000, "seconds": 60.0}), ("group", None)):
        health = Health(journal=journal(terms=Terms(sync=sync)))
        assert health.report()["parts"]["journal"]["loss_window"] == window


def link(**changes: Any) -> Any:
    """A link that is up, but for `changes`."""
    facts = {
        "up": True, "why": "", "withholds": "", "grants": True, "live": 3, "on_failure": "local",
    }  # fmt: skip
    return SimpleNamespace(**(facts | changes))


def test_it_is_ready_without_its_store():
    """Calls go on by what was leased; the report says how it does."""
    health = Health(listen="127.0.0.1:8700", version="ab12cd")
    assert "store" not in health.report()["parts"]
    health.store = link(up=False, why="it hangs", grants=False)
    assert health.ready
    assert health.report()["parts"]["store"] == {
        "ok": False, "why": "it hangs", "grants": False, "pods": 3, "on_failure": "local",
    }  # fmt: skip
    health.store = link(grants=False, withholds="it gathers")
    assert health.report()["parts"]["store"]["why"] == "it gathers"


def test_it_is_not_ready_without_a_store_that_it_needs():
    """Where the settings say so: calls go to pods that reach it."""
    health = Health(listen="127.0.0.1:8700", version="ab12cd", needs_store=True)
    assert not health.ready
    health.store = link()
    assert health.ready
    assert health.report()["parts"]["store"]["why"] is None
    health.store = link(up=False)
    assert not health.ready
