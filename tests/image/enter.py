"""Runs a program in a folder as if it were a machine of its own: `python enter.py SPEC`.

Started by `unshare`, in namespaces of its own, as root. It mounts what the program may see, makes
that its root, gives root away, and becomes the program.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from typing import TypedDict

FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 0x1
"""SIOCGIFFLAGS, SIOCSIFFLAGS and IFF_UP of Linux."""


class Spec(TypedDict):
    """What it is like in there."""

    root: str
    binds: list[tuple[str, str, bool]]  # from outside, to inside, may it be written?
    read_only: bool  # the root itself
    alone: bool  # without a network, but for the loopback
    user: tuple[int, int]
    cwd: str
    argv: list[str]


def mount(*arguments: str) -> None:
    """What mount(8) does."""
    subprocess.run(["mount", *arguments], check=True)


def bind(source: str, target: str, *, writable: bool) -> None:
    """A file or folder in another place too."""
    mount("--rbind", source, target)
    if not writable:
        mount("-o", "remount,bind,ro", target)


def loopback_up() -> None:
    """It is down in a new network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        name = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(asked, FLAGS, name))[1]
        fcntl.ioctl(asked, SET_FLAGS, struct.pack("16sH14x", b"lo", flags | UP))


def main() -> None:
    """Does not return."""
    spec: Spec = json.loads(sys.argv[1])
    root = spec["root"]
    if spec["alone"]:
        loopback_up()
    bind(root, root, writable=not spec["read_only"])
    for source, target, writable in spec["binds"]:
        bind(source, root + target, writable=writable)
    mount("-t", "proc", "proc", f"{root}/proc")
    os.chroot(root)
    os.chdir(spec["cwd"])
    uid, gid = spec["user"]
    os.execv("/usr/bin/setpriv", ["setpriv", *as_user(uid, gid), *spec["argv"]])


def as_user(uid: int, gid: int) -> list[str]:
    """Options of setpriv(1): nobody but that, with no right left and none to be had."""
    return [
        f"--reuid={uid}",
        f"--regid={gid}",
        "--clear-groups",
        *(["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"] if uid else []),
        "--",
    ]


if __name__ == "__main__":
    main()
