"""What tests of the command share: a folder to stand in, and how it is called."""

from typing import NamedTuple

import pytest

from proxy.cli import main


class Ran(NamedTuple):
    """What came of a command."""

    code: object
    out: str
    err: str


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory, and an environment that says nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOLDFAST_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def holdfast(capsys):
    """Calls the command in this process."""

    def call(*arguments):
        with pytest.raises(SystemExit) as exited:
            main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return Ran(exited.value.code, told.out, told.err)

    return call


@pytest.fixture
def policies(here):
    """Writes a policy file into ./policies."""

    def write(text, name="p.yaml"):
        (here / "policies").mkdir(exist_ok=True)
        (here / "policies" / name).write_text(text)

    return write
