"""What tests of the configuration share: a folder of policy files, and how it loads."""

from pathlib import Path

import pytest

from proxy.config.load import load_policies
from proxy.config.loaded import Loaded
from proxy.config.places import ConfigError


class Folder:
    """A folder of policy files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, text: str, name: str = "p.yaml") -> None:
        (self.path / name).write_text(text)

    def load(self, text: str, **environ: str) -> Loaded:
        """Load a set of one file."""
        self.write(text)
        return load_policies(self.path, environ=environ)

    def errors(self, text: str, **environ: str) -> list[str]:
        """The errors of a set of one file, without the folder's name."""
        try:
            loaded = self.load(text, **environ)
        except ConfigError as error:
            return [str(problem).replace(f"{self.path}/", "") for problem in error.problems]
        raise AssertionError(f"no error: {loaded}")

    def warnings(self, text: str, **environ: str) -> list[str]:
        """Its warnings, likewise."""
        found = self.load(text, **environ).warnings
        return [str(problem).replace(f"{self.path}/", "") for problem in found]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "policies"
    path.mkdir()
    return Folder(path)
