"""Runs an image as a pod would: its root read-only, nobody's user, a network of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.image.build import LOCAL, Image, entered, system_binds

PATIENCE = 60
"""Seconds; a machine may be busy with other tests."""


class Container:
    """One that runs. What it logs is in `log`, up to where it was read."""

    def __init__(self, image: Image, outside: "subprocess.Popen[str]") -> None:
        self.image = image
        self.outside = outside
        self.log: list[str] = []

    def logged(self, event: str) -> str:
        """The next line of the log with an event."""
        assert self.outside.stderr is not None
        for line in self.outside.stderr:
            self.log.append(line)
            if f'"event":"{event}"' in line:
                return line
        raise AssertionError("it ended:\n" + "".join(self.log))

    @property
    def pid(self) -> int:
        """Of its first process, as it is known outside."""
        children = Path(f"/proc/{self.outside.pid}/task/{self.outside.pid}/children")
        return int(children.read_text().split()[0])

    def exec(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """One more program in it, as the same user: what `docker exec` does."""
        with self.started(*argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ran:
            out, err = ran.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(argv, ran.returncode, out, err)

    def started(self, *argv: str, **how) -> "subprocess.Popen[str]":
        """The same, and it goes on."""
        uid, gid = self.image.ids
        rights = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs")
        spaces = ("--mount", "--pid", "--net", "--ipc", "--uts", "--root", "--wd")
        inside = ("nsenter", "--target", str(self.pid), *spaces, "--", "setpriv", *rights, "--")
        return subprocess.Popen([*inside, *argv], env=self.image.env, text=True, **how)

    def end(self) -> None:
        """At once, if it still runs: with its first process go all the others, and `unshare`."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except (OSError, IndexError):  # it has ended, or has not come that far
            self.outside.kill()
        self.outside.wait(PATIENCE)

    def stop(self) -> int:
        """Its exit code, once it has ended on the signal that the image names."""
        os.kill(self.pid, signal.Signals[self.image.stop])
        assert self.outside.stderr is not None
        self.log += self.outside.stderr
        return self.outside.wait(PATIENCE)


@contextlib.contextmanager
def running(image: Image, volume: Path, *arguments: str) -> Iterator[Container]:
    """A container with the image's one volume in a folder outside; killed at the end."""
    (at,) = image.volumes
    if not volume.exists():
        _like(image.root / at.lstrip("/"), volume)
    spec = {
        "root": str(image.root), "read_only": True, "alone": True, "user": image.ids,
        "binds": [*system_binds(), (str(image.local), LOCAL, False), (str(volume), at, True)],
        "cwd": image.cwd, "argv": [*image.entrypoint, *(arguments or image.command)],
    }  # fmt: skip
    outside = entered(spec, image.env, "--net", stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    with outside:
        container = Container(image, outside)
        try:
            yield container
        finally:
            container.end()


def _like(folder: Path, volume: Path) -> None:
    """A new volume is what the image has there, with its owner and mode."""
    shutil.copytree(folder, volume, symlinks=True)
    was = folder.stat()
    os.chown(volume, was.st_uid, was.st_gid)
