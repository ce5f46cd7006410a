"""Reads files that somebody named: never more than was agreed, and never what does not end."""

import errno
import os
import stat
from pathlib import Path

LARGEST = 1 << 20
"""Bytes of a file of ours, or of one that `${file:…}` names."""


def content(path: Path) -> bytes:
    """What a file holds, and one byte more than LARGEST where it holds more.

    Raises OSError, also for what is no regular file: reading a pipe waits until somebody writes,
    and a wait here would stop every reload, and the end of the process as well.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except ValueError as error:  # it holds a NUL
        raise OSError(errno.EINVAL, "not a name of a file") from error
    with os.fdopen(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(LARGEST + 1)
