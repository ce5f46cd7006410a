"""The keys of a terminal, one by one as they are pressed, and what it was like before."""

import contextlib
import os
import termios
import tty
from types import TracebackType
from typing import Any, TextIO

_ARROWS = {"\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down"}
_AT_ONCE = 1024
"""Bytes."""


class Keyboard:
    """While it is entered keys come at once and are not shown. Where the stream is no terminal
    there are none."""

    def __init__(self, stream: TextIO) -> None:
        self.fd: int | None = None  # readable when keys were pressed
        with contextlib.suppress(ValueError, OSError):  # closed, or none of the system's
            self.fd = stream.fileno() if stream.isatty() else None
        self._before: tuple[int, list[Any]] | None = None

    def __enter__(self) -> "Keyboard":
        if self.fd is not None:
            self._before = self.fd, termios.tcgetattr(self.fd)
            tty.setcbreak(self.fd, termios.TCSADRAIN)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            fd, before = self._before
            with contextlib.suppress(termios.error):  # the terminal is gone
                # With the keys that nobody read: the shell must not take them for commands.
                termios.tcsetattr(fd, termios.TCSAFLUSH, before)

    def pressed(self) -> list[str]:
        """What was, since the last time: letters, `up`, `down`. Waits where there was nothing."""
        if self.fd is None:
            return []
        try:
            read = os.read(self.fd, _AT_ONCE)
        except OSError:  # the terminal is gone
            read = b""
        if not read:
            self.fd = None
        return _keys(read.decode("utf-8", "replace"))


def _keys(text: str) -> list[str]:
    keys: list[str] = []
    while text:
        size = 3 if text[:3] in _ARROWS else 1
        keys.append(_ARROWS.get(text[:size], text[:size]))
        text = text[size:]
    return keys
