"""A bar for long work, on a terminal."""

import io

from proxy.cli.progress import Bar


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self):
        return True


def worked(out, seconds=5.0, **more):
    """What is drawn by work of so many seconds."""
    times = iter([0.0, *(seconds * step / 20 for step in range(100))])
    with Bar("verifying", out, now=lambda: next(times), **more) as bar:
        for step in range(20):
            bar(step, 20)
    return out.getvalue()


def test_long_work_shows_how_far_it_is(monkeypatch):
    """On a terminal; and the cursor is given back."""
    monkeypatch.setenv("TERM", "xterm")
    drawn = worked(Terminal())

    assert "verifying" in drawn
    assert "20 bytes" in drawn
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h") == 1


def test_short_work_shows_nothing():
    """Nobody could read it."""
    assert worked(Terminal(), seconds=0.1) == ""


def test_who_is_no_terminal_gets_nothing():
    """Nor where it is not wanted."""
    assert worked(io.StringIO()) == ""
    assert worked(Terminal(), wanted=False) == ""
