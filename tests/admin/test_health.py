"""proxy/admin/health.py"""

from proxy.admin.health import Health


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
