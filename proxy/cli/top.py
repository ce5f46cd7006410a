"""`holdfast top`: what a running proxy does, on a screen that stays true.

All of it is `/v1/overview`, which the dashboard shows as well. `top_figures.py` reads it, keys
choose in `top_view.py`, `top_drawn.py` draws. One thread asks, for a proxy that does not answer
must not keep the keys from working; the other draws.
"""

import contextlib
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.asking import Unanswered, understood
from proxy.cli.showing import with_token

if TYPE_CHECKING:
    from rich.console import Console

    from proxy.cli.top_figures import Figures
    from proxy.cli.top_view import View

_SHORTEST, _LONGEST = 0.2, 3600.0
Look = Callable[[], "Figures"]
"""Raises Unanswered."""


@click.command()
@click.option("--admin", metavar="URL", help="Of the proxy; else DIR/admin.sock, else settings'.")
@click.option("--data-dir", metavar="DIR", help="Of the proxy; else the settings'.")
@with_token
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(_SHORTEST, _LONGEST),
    default=1.0,
    show_default=True,
    help="From look to look.",
)
@click.option("--once", is_flag=True, help="Print one screen, and end.")
@click.option("--json", "as_json", is_flag=True, help="The same as one JSON object.")
def top(admin: str | None, data_dir: str | None, interval: float, once: bool, as_json: bool) -> int:
    """Watch a running proxy: kills, rates, tools, budgets, agents, approvals, journal.

    Rates are those of the last minute. Keys: q quits, p pauses, s sorts tools by trouble, calls,
    errors, p99 or cost, j and k (or arrows) scroll them. Where output is no terminal it is --once.
    When the proxy is gone the screen says so, and asks on.

    \b
    Examples:
      holdfast top
      holdfast top --admin unix:/run/holdfast/admin.sock --interval 5
      holdfast top --json | jq '.tools[] | select(.circuit == "open") | .tool'
    Exit codes: 0 shown, also after q or Ctrl-C; 1 no proxy answers at the start, 2 cannot read the
    settings, 64 wrong usage, 143 ended by SIGTERM.
    """
    look = looking(admin or _nearest(data_dir))
    try:
        if as_json:
            import msgspec

            print(json.dumps(msgspec.to_builtins(look()), indent=2))
        elif once or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
            _print(look())
        else:
            _live(look, interval)
    except KeyboardInterrupt:
        return 0
    return 0


def _nearest(data_dir: str | None) -> str:
    """The socket of the data dir, which needs no token, if there is one."""
    from proxy.cli.asking import admin_of_settings
    from proxy.cli.journals import data_dir_of
    from proxy.journal.folder import CONTROL

    door = data_dir_of(data_dir) / CONTROL
    return f"unix:{door}" if data_dir is not None or door.exists() else admin_of_settings()


def looking(address: str) -> Look:
    """Asks at an address."""
    from proxy.cli.asking import ask
    from proxy.cli.top_figures import figures

    def look() -> "Figures":
        with understood(address):
            return figures(ask(address, "/v1/overview"))

    return look


def _console() -> "Console":
    from rich.console import Console

    terminal = sys.stdout.isatty()
    return Console(force_terminal=terminal, highlight=False, markup=False, emoji=False)


def _print(figures: "Figures") -> None:
    from proxy.cli.top_drawn import Frame
    from proxy.cli.top_view import View

    _console().print(Frame(figures, View()))


class Asking:
    """The thread that asks: one question at a time, and a pause after each answer."""

    def __init__(self, look: Look, interval: float) -> None:
        self.answers: SimpleQueue[Figures | Exception] = SimpleQueue()
        self.bell, self.rope = os.pipe()  # the bell is readable when there is something to do
        os.set_blocking(self.rope, False)
        self.paused = threading.Event()
        self._look = look
        self._interval = interval
        self._ended = threading.Event()

    def __enter__(self) -> "Asking":
        context = click.get_current_context(silent=True)
        # It may stand in a question for as long as a proxy takes: nobody waits for it at the end.
        threading.Thread(target=self._ask, args=(context,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()  # the pipe stays open until the process ends: the thread may ring yet

    def _ask(self, context: click.Context | None) -> None:
        with contextlib.nullcontext() if context is None else context.scope(cleanup=False):
            while not self._ended.wait(self._interval):
                if not self.paused.is_set():
                    self.answers.put(self._answer())
                    self.ring()

    def _answer(self) -> "Figures | Exception":
        try:
            return self._look()
        except Exception as error:  # raised where it is seen
            return error

    def ring(self) -> None:
        """Wake whoever waits at the bell."""
        with contextlib.suppress(BlockingIOError):  # it rings already
            os.write(self.rope, b"!")

    def heard(self) -> None:
        """Nothing rings any more."""
        os.read(self.bell, 4096)


def _live(look: Look, interval: float) -> None:
    """Until somebody presses q. The terminal is then as it was, whatever happened."""
    from rich.live import Live

    from proxy.cli.terminal import Keyboard
    from proxy.cli.top_drawn import Frame
    from proxy.cli.top_view import View

    screen = Screen(look(), View())  # before anything is drawn: else an error would be wiped away
    with contextlib.ExitStack() as stack:
        asking = stack.enter_context(Asking(look, interval))
        stack.enter_context(signals(asking.rope))
        keyboard = stack.enter_context(Keyboard(sys.stdin))
        live = Live(
            console=_console(),
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        stack.enter_context(live)
        while not screen.view.left:
            keys = keyboard.fd is not None
            live.update(Frame(screen.figures, screen.view, screen.trouble, keys), refresh=True)
            waits = [asking.bell] if keyboard.fd is None else [asking.bell, keyboard.fd]
            ready, _, _ = select.select(waits, [], [])
            if keyboard.fd in ready:
                screen.press(keyboard.pressed())
            if asking.bell in ready:
                asking.heard()
                screen.take(asking.answers)
            (asking.paused.set if screen.view.paused else asking.paused.clear)()


class Screen:
    """What is to be drawn."""

    def __init__(self, figures: "Figures", view: "View") -> None:
        self.figures = figures
        self.view = view
        self.trouble = ""

    def press(self, keys: list[str]) -> None:
        """One key after the other."""
        from proxy.cli.top_view import pressed

        for key in keys:
            self.view = pressed(self.view, key, len(self.figures.tools))

    def take(self, answers: "SimpleQueue[Figures | Exception]") -> None:
        """Those that have come. While it is paused they are not looked at."""
        while not answers.empty():
            answer = answers.get()
            if isinstance(answer, Unanswered):
                self.trouble = answer.message
            elif isinstance(answer, Exception):
                raise answer
            elif not self.view.paused:
                self.figures, self.trouble = answer, ""


@contextlib.contextmanager
def signals(rope: int) -> Iterator[None]:
    """A new size is drawn at once. What would end the process lets it clean up first, and it is
    not stopped in the middle, with the terminal in its hands.

    The interpreter writes to the rope as a signal comes: one that comes just before somebody waits
    at the bell would else not be heard until something else happens.
    """

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    wanted: dict[int, Any] = {
        signal.SIGWINCH: lambda *_: None,  # that it rings is enough
        signal.SIGTERM: end,
        signal.SIGHUP: end,
        signal.SIGTSTP: signal.SIG_IGN,
    }
    before = {number: signal.signal(number, what) for number, what in wanted.items()}
    wakes = signal.set_wakeup_fd(rope, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakes)
        for number, what in before.items():
            signal.signal(number, what)
