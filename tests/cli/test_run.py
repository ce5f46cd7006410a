from pathlib import Path

import pytest

import proxy.app


@pytest.fixture
def served(monkeypatch):
    """What `serve` was asked for; it does nothing. tests/whole has the real one."""
    asked = []

    def serve(settings, upstream, ready_file):
        asked.append((settings, upstream, ready_file))
        return 0

    monkeypatch.setattr(proxy.app, "serve", serve)
    return asked


def test_needs_no_file(holdfast, here, served):
    """An upstream is enough."""
    assert holdfast("run", "--upstream", "http://h", "--protocol", "tools").code == 0

    ((settings, upstream, ready_file),) = served
    assert (settings.listen, settings.policies) == ("127.0.0.1:8700", "")
    assert (upstream, ready_file) == (("http://h", "tools"), None)


def test_flags_are_settings(holdfast, here, served, policies):
    """Each beats the file."""
    policies("")
    (here / "s.yaml").write_text("drain: 1s\nagent: {id: file, fleet: f}")
    flags = {
        "--config": "s.yaml",
        "--policies": "policies",
        "--listen": "127.0.0.1:0",
        "--admin": "127.0.0.1:1",
        "--data-dir": "d",
        "--agent-id": "7",
        "--drain": "2s",
        "--ready-file": "ready.json",
    }
    assert holdfast("run", *(part for flag in flags.items() for part in flag)).code == 0

    ((settings, upstream, ready_file),) = served
    assert (settings.listen, settings.admin, settings.data_dir) == (
        "127.0.0.1:0",
        "127.0.0.1:1",
        "d",
    )
    assert (settings.agent.id, settings.agent.fleet, settings.drain) == ("7", "f", 2.0)
    assert (settings.policies, upstream, ready_file) == ("policies", None, Path("ready.json"))


def test_wrong_settings_stop_it(holdfast, here, served):
    """All errors, each with the flag or the line; nothing listens."""
    (here / "holdfast.yaml").write_text("lisen: x")
    ran = holdfast("run", "--drain", "5", "--policies", "no")

    assert (ran.code, served) == (1, [])
    assert ran.err.splitlines() == [
        "--drain: drain: expected a duration such as 250ms, 10s, 5m, 1h or 30d, found '5'",
        "--policies: policies: no such folder",
        "holdfast.yaml:1:1: lisen: unknown key; did you mean listen?",
        "holdfast: 3 errors; nothing was loaded",
    ]
