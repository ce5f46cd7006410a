"""An earlier Holdfast to compare with: the sources of a commit, or a folder that has them."""

import io
import subprocess
import tarfile
from pathlib import Path

from tests.bench.process import ROOT, Missing

BASE = "f3dfbd5"
"""The last commit that had no sections but `timeout`, `retry` and `breaker`."""


def tree(named: str, folder: Path) -> Path:
    """The folder that is named, or a commit's files, put into `folder`. Raises Missing."""
    if Path(named).is_dir():
        return _holding_a_proxy(Path(named).resolve())
    command = ["git", "archive", "--format=tar", named, "proxy", "policies"]
    try:
        made = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except FileNotFoundError as error:
        raise Missing(
            f"cannot get {named} (git is not installed; BASE may name a folder)"
        ) from error
    except subprocess.CalledProcessError as error:
        words = error.stderr.decode(errors="replace").strip().splitlines() or ["git failed"]
        raise Missing(f"cannot get {named} ({words[0]}; BASE may name a folder)") from error
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return _holding_a_proxy(folder.resolve())


def _holding_a_proxy(folder: Path) -> Path:
    if not (folder / "proxy" / "__main__.py").is_file():
        raise Missing(f"cannot start (no proxy in {folder.name})")
    return folder
