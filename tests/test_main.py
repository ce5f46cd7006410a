"""`python -m proxy`."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_it_is_the_command() -> None:
    """The same sub-commands as `holdfast`."""
    shown = subprocess.run(
        [sys.executable, "-m", "proxy", "--help"],
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert {"run", "check", "explain"} <= set(shown.stdout.split())


def test_it_is_the_commands_own_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Started as a module it calls `main`; imported it does nothing."""
    called: list[str] = []
    monkeypatch.setattr("proxy.cli.main", lambda: called.append("main"))
    runpy.run_module("proxy", run_name="elsewhere")
    runpy.run_module("proxy.__main__", run_name="elsewhere")
    assert called == []
    runpy.run_module("proxy.__main__", run_name="__main__")
    assert called == ["main"]
