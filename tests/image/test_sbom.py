""".ci/sbom.py: the list of what is in the image. Built with it: test_built.py."""

import json
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SBOM = runpy.run_path(str(ROOT / ".ci" / "sbom.py"))
LOCK = """# by make lock
here==1.0 \\
    --hash=sha256:{a} \\
    --hash=sha256:{b}
    # via
    #   -c .ci/requirements-dev.lock
    #   holdfast
elsewhere==2.0 ; sys_platform == 'win32' \\
    --hash=sha256:{a}
    # via here
both[extra]==3.0 ; sys_platform != 'win32' \\
    --hash=sha256:{b}
""".format(a="a" * 64, b="b" * 64)


def test_what_a_marker_leaves_out_is_left_out():
    """The rest keeps its hashes."""
    found = list(SBOM["installed"](LOCK))

    assert [one.split()[0] for one in found] == ["here==1.0", "both[extra]==3.0"]
    assert [one.count("--hash=sha256:") for one in found] == [2, 1]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """The script, with a lock."""
    monkeypatch.chdir(ROOT)

    def call(lock):
        (tmp_path / "lock").write_text(lock)
        monkeypatch.setattr(sys, "argv", ["sbom.py", str(tmp_path / "lock")])
        return SBOM["main"](), capsys.readouterr()

    return call


def test_it_is_written_the_same_each_time(run):
    """With the version of the code, every hash, and no time of its own."""
    (code, told), again = run(LOCK), run(LOCK)
    bom = json.loads(told.out)

    assert (code, told) == (again[0], again[1])
    assert "timestamp" not in bom["metadata"]
    assert bom["metadata"]["component"]["name"] == "holdfast"
    assert {part["purl"] for part in bom["components"]} == {
        "pkg:pypi/here@1.0",
        "pkg:pypi/both@3.0",
    }
    assert told.out.count("a" * 64) == 1


def test_a_lock_that_cannot_be_read_is_an_error(run, monkeypatch):
    """And nothing is written."""
    monkeypatch.setitem(SBOM["main"].__globals__, "LIST", (sys.executable, "-c", "exit('no')"))
    code, told = run(LOCK)

    assert (code, told.out, told.err) == (1, "", "no\n\n")
