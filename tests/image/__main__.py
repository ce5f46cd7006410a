"""`python -m tests.image FOLDER`: builds the image there, and says how large it is."""

import subprocess
import sys
from pathlib import Path

from tests.image.build import Builder, why_not

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("opt/holdfast", "opt/holdfast/lib", "etc/holdfast")


def main() -> int:
    """Exit 0: built, 1: cannot be built here."""
    below = Path(sys.argv[1]).resolve()
    if why := why_not():
        print(f"no image: {why}", file=sys.stderr)
        return 1
    image = Builder(ROOT, below, {}).build()
    print(f"built in {image.root}")
    for part in PARTS:
        told = subprocess.run(
            ["du", "-sb", image.root / part], capture_output=True, text=True, check=True
        )
        print(f"{int(told.stdout.split()[0]) / 1_000_000:8.1f} MB  /{part}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
