"""Writes the list of what is in the image, as CycloneDX, from its lock: `sbom.py LOCK`, to stdout.

A lock is for every platform; what its markers leave out here is not in the image, nor in the list.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.markers import Marker

LIST = (
    *(sys.executable, "-m", "cyclonedx_py", "requirements", "-"),
    *("--pyproject", "pyproject.toml", "--output-reproducible", "--no-validate"),
)
VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)


def installed(lock: str) -> Iterator[str]:
    """The requirements of a lock that count on this machine, with their hashes."""
    for requirement in re.findall(r"^\S+==(?:.*\\\n)*.*$", lock, re.MULTILINE):
        pin, _, hashes = requirement.partition("\\\n")
        name, _, marker = pin.partition(" ; ")
        if not marker or Marker(marker.strip()).evaluate():
            yield f"{name.strip()} \\\n{hashes}"


def told(bom: dict[str, Any], version: str) -> dict[str, Any]:
    """With the version of the whole, and without lines of the lock, whose hashes it has itself."""
    whole = bom["metadata"]["component"]
    whole["version"], whole["purl"] = version, f"pkg:generic/holdfast@{version}"
    for part in bom["components"]:
        del part["description"]
    return bom


def main() -> int:
    """Exit 0: written."""
    lock = "\n".join(installed(Path(sys.argv[1]).read_text("utf-8"))) + "\n"
    listed = subprocess.run(LIST, input=lock, capture_output=True, text=True, check=False)
    version = VERSION.search(Path("proxy/__init__.py").read_text("utf-8"))
    if listed.returncode or version is None:
        print(listed.stderr or "proxy/__init__.py has no version", file=sys.stderr)
        return 1
    print(json.dumps(told(json.loads(listed.stdout), version[1]), indent=1, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
