"""The image that its tests share, and those of other workers with them: it takes half a minute."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.image.build import Builder, Image, why_not

ROOT = Path(__file__).resolve().parents[2]
BUILT_WITH = {"VERSION": "9.8.7", "REVISION": "f00", "SOURCE": "https://example.org/holdfast"}


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """Built of this repository, once; it goes when the last who has it is done."""
    if why := why_not():
        pytest.skip(f"no image is built here: {why}")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    own = tmp_path_factory.getbasetemp()
    below = (own if worker == "alone" else own.parent) / "image"
    (below / "users").mkdir(parents=True, exist_ok=True)
    with (below.parent / "image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (below / "users" / worker).touch()
        built = _built(below)
    yield built
    (below / "users" / worker).unlink()
    if not any((below / "users").iterdir()):
        shutil.rmtree(below)


def _built(below: Path) -> Image:
    told = below / "image.json"
    if not told.exists():
        image = Builder(ROOT, below, BUILT_WITH).build()
        told.write_bytes(msgspec.json.encode(image, enc_hook=str))
    return msgspec.json.decode(told.read_bytes(), type=Image, dec_hook=lambda kind, it: kind(it))
