"""proxy/cli/terminal.py."""

import contextlib
import io
import os
import pty
import select
import termios

import pytest

from proxy.cli.terminal import Keyboard


@pytest.fixture
def far():
    """Both ends of a terminal: where a person is, and where the command is."""
    person, command = pty.openpty()
    with open(command, closefd=False) as stream:
        yield person, stream
    for fd in (person, command):
        try:
            os.close(fd)
        except OSError:
            continue  # a test closed it


def test_keys_come_one_by_one(far):
    """Without Enter, and the arrows by their names."""
    person, stream = far
    with Keyboard(stream) as keyboard:
        os.write(person, b"q\x1b[A\x1bOBx\x1b")
        found: list[str] = []
        while len(found) < 5:
            found += keyboard.pressed()

    assert found == ["q", "up", "down", "x", "\x1b"]


def test_the_terminal_is_as_it_was(far):
    """Also when something went wrong in between."""
    _, stream = far
    before = termios.tcgetattr(stream)
    with contextlib.suppress(KeyError), Keyboard(stream):
        assert termios.tcgetattr(stream) != before
        raise KeyError

    assert termios.tcgetattr(stream) == before


def test_keys_that_nobody_read_are_no_commands(far):
    """The shell does not get them."""
    person, stream = far
    with Keyboard(stream):
        os.write(person, b"rm\n")
        assert select.select([stream], [], [])[0] == [stream]  # it has arrived
    os.write(person, b"ls\n")

    assert os.read(stream.fileno(), 100) == b"ls\n"


def test_where_there_is_no_terminal_there_are_no_keys():
    """Nor where the stream is closed."""
    closed = io.StringIO()
    closed.close()
    for stream in (io.StringIO(), closed):
        with Keyboard(stream) as keyboard:
            assert keyboard.fd is None
            assert keyboard.pressed() == []


def test_a_terminal_that_goes_away(far):
    """Then there are no more keys, and nothing to put back."""
    person, stream = far
    with Keyboard(stream) as keyboard:
        os.close(person)
        assert keyboard.pressed() == []
        assert keyboard.fd is None
