import signal
from pathlib import Path

import pytest

import proxy.cli.serving


@pytest.fixture
def served(monkeypatch):
    """What `serve` was asked for; it does nothing. tests/whole has the real one."""
    asked = []

    def serve(settings, upstream, ready_file, drill):
        asked.append((settings, upstream, ready_file, drill))
        return 0

    monkeypatch.setattr(proxy.cli.serving, "serve", serve)
    before = signal.getsignal(signal.SIGHUP)
    yield asked
    signal.signal(signal.SIGHUP, before)


def test_needs_no_file(holdfast, here, served):
    """An upstream is enough."""
    assert holdfast("run", "--upstream", "http://h", "--protocol", "tools").code == 0

    ((settings, upstream, ready_file, _),) = served
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
        "--store": "redis://:s3cret@redis",
        "--drain": "2s",
        "--ready-file": "ready.json",
    }
    assert holdfast("run", *(part for flag in flags.items() for part in flag)).code == 0

    ((settings, upstream, ready_file, _),) = served
    assert (settings.listen, settings.admin, settings.data_dir) == (
        "127.0.0.1:0",
        "127.0.0.1:1",
        "d",
    )
    assert (settings.agent.id, settings.agent.fleet, settings.drain) == ("7", "f", 2.0)
    assert settings.store.endpoint.hosts == (("redis", 6379),)
    assert (settings.policies, upstream, ready_file) == ("policies", None, Path("ready.json"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "x"], "--listen: listen: expected host:port"),
        (["--upstream", "ftp://h"], "--upstream: url: expected a URL that begins with http"),
        (["--upstream", "http://h", "--protocol", "tool"], "found 'tool'; did you mean tools?"),
        (["--protocol", "tools"], "--protocol goes with --upstream"),
        (["--ready-file", "/"], "--ready-file must name a file"),
        (["--ready-file", ""], "--ready-file must name a file"),
        (["--agent-id", "a\n"], "--agent-id: agent.id: expected 1 to 128 printable ASCII"),
    ],
)
def test_flags_that_are_wrong_are_wrong_usage(holdfast, here, served, arguments, said):
    """64: nothing that was written in a file is wrong."""
    ran = holdfast("run", *arguments)

    assert (ran.code, served) == (64, [])
    assert said in ran.err


def test_a_folder_that_is_not_there_cannot_be_read(holdfast, here, served):
    """2, as `check` has it."""
    ran = holdfast("run", "--policies", "no")

    assert (ran.code, served) == (2, [])
    assert ran.err.startswith("--policies: policies: no such folder\n")


def test_a_hang_up_while_it_starts_does_not_end_it(holdfast, here, served):
    """Who asks for a reload then gets the first load."""
    holdfast("run")

    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


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


def test_a_drill(holdfast, here, served):
    """Windows pass faster: for rehearsals, and never where pods share a clock."""
    assert holdfast("run", "--upstream", "http://h", "--drill-speed", "60").code == 0
    assert served[0][-1] == 60

    words = ("run", "--upstream", "http://h", "--drill-speed", "60", "--store", "redis://r")
    refused = holdfast(*words)
    assert refused.code == 64
    assert "--drill-speed needs store: memory" in refused.err

    assert holdfast("run", "--drill-speed", "3601").code == 64
