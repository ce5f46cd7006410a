"""How far long work is: a bar on a terminal, and nothing elsewhere."""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from proxy.clock import Clock

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_AFTER = 1.0  # seconds: what is done sooner needs no bar
_EVERY = 0.1


class Bar:
    """Drawn when the work takes long, and gone when it ends. Call it with bytes read, and all."""

    def __init__(
        self, what: str, out: TextIO, now: Callable[[], float] = Clock.now, wanted: bool = True
    ) -> None:
        self._what = what
        self._out = out
        self._now = now
        self._next = now() + _AFTER if wanted and out.isatty() else float("inf")
        self._drawn: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> "Bar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._drawn is not None:
            self._drawn[0].stop()

    def __call__(self, read: int, size: int) -> None:
        """So many bytes of so many."""
        if self._now() < self._next:
            return
        self._next = self._now() + _EVERY
        progress, task = self._drawn = self._drawn or self._draw()
        progress.update(task, completed=read, total=size, refresh=True)

    def _draw(self) -> "tuple[Progress, TaskID]":
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), Remaining())
        progress = Progress(
            *columns, console=Console(file=self._out), transient=True, auto_refresh=False
        )
        task = progress.add_task(self._what, total=None)
        progress.start()
        return progress, task
