"""What kubelet makes of a ConfigMap or a Secret in a pod: a folder of links, swapped as a whole."""

import os
from pathlib import Path


def mount(folder: Path, files: dict[str, str]) -> None:
    """Make it, or put others in its place, as kubelet's atomic writer does."""
    folder.mkdir(exist_ok=True)
    number = len([each for each in folder.iterdir() if each.name.startswith("..20")])
    stamped = folder / f"..2026_11_29_00_00_{number:02}.1"
    stamped.mkdir()
    for name, text in files.items():
        (stamped / name).write_text(text, encoding="utf-8")
    fresh = folder / "..data_tmp"
    fresh.symlink_to(stamped.name)
    os.replace(fresh, folder / "..data")
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
