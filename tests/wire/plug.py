"""A transport without a socket: it keeps what it is told."""

import asyncio
from typing import Any


class Plug(asyncio.Transport):
    """What is written, whether reading is paused, and how it ended: `closed`, `aborted`, `eof`."""

    def __init__(self, socket: Any = None) -> None:
        super().__init__({"socket": socket})
        self.written = b""
        self.paused = False
        self.closed = False
        self.aborted = False
        self.eof = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It never fills."""

    def write(self, data: Any) -> None:
        assert not self.is_closing(), "written to what is closed"
        assert not self.eof, "written behind the end"
        self.written += data

    def taken(self) -> bytes:
        """What was written since this was asked last."""
        written, self.written = self.written, b""
        return written

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True
