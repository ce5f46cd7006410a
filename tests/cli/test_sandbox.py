import json
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

PATIENCE = 30
"""Seconds; a machine may be busy with other tests."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serves_until_it_is_told_to_stop(tmp_path, number):
    """Says where, plays its script, and ends with 0."""
    (tmp_path / "script.json").write_text('[{"status": 503}]')
    command = [sys.executable, "-m", "proxy", "sandbox", "--listen", "127.0.0.1:0"]
    command += ["--script", str(tmp_path / "script.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            url = child.stdout.readline().rpartition(" ")[2].strip()
            with urllib.request.urlopen(f"{url}/_script", timeout=PATIENCE) as answer:
                assert "503" in json.dumps(json.load(answer))
            child.send_signal(number)

            assert child.wait(PATIENCE) == 0
        finally:
            child.kill()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("script.json", None, "cannot be read: No such file or directory"),
        ("script.json", "{", "Expecting property name"),
        ("script.json", "{}", "a script is a list of faults"),
        ("script.yaml", "a: [", "while parsing"),
        ("script.yaml", "a: b", "a script is a list of faults"),
        ("script.yaml", "[{statu: 503}]", "script[0]: must have exactly one of"),
        ("script.json", "[" * 100_000, "nested too deep"),
    ],
)
def test_scripts_that_cannot_be_played(holdfast, tmp_path, name, content, said):
    """One line that says why; exit 1."""
    script = tmp_path / name
    if content is not None:
        script.write_text(content)
    ran = holdfast("sandbox", "--script", script)

    assert ran.code == 1
    assert f"{script}: {said}" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("listen", ["8790", ":8790", "h:99999", "unix:/tmp/s"])
def test_an_address_that_is_none(holdfast, listen):
    """Wrong usage."""
    ran = holdfast("sandbox", "--listen", listen)

    assert (ran.code, ran.err.count("\n")) == (64, 1)
    assert f"--listen: {listen!r} is not host:port" in ran.err


def test_an_address_that_is_taken(holdfast):
    """Said with the address; exit 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = holdfast("sandbox", "--listen", address)

    assert ran.code == 1
    assert ran.err.startswith(f"holdfast: cannot serve on {address}: ")
