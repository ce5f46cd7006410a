"""proxy/cli/page.py."""

import io
import sys

import click
import pytest

from proxy.cli import page


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self):
        return True


def said(lines, monkeypatch, out):
    monkeypatch.setattr(sys, "stdout", out)
    page.say(lines)
    return out.getvalue()


def test_colours_are_for_terminals(monkeypatch):
    """A file gets none, nor does who says NO_COLOR."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    line = page.paint("open", "red", bold=True)

    assert said([line], monkeypatch, io.StringIO()) == "open\n"
    assert said([line], monkeypatch, Terminal()) == "\x1b[31m\x1b[1mopen\x1b[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert said([line], monkeypatch, Terminal()) == "open\n"


def test_what_comes_from_anybody_is_harmless():
    """Neither colours of its own nor lines."""
    assert page.paint("a\x1b[31m\nb") == "a\\x1b[31m\\nb"
    assert page.folded("a\nb", 0, 40) == ["a\\nb"]
    assert page.cut("a\tb", 9) == "a\\tb"


@pytest.mark.parametrize(("columns", "width"), [("40", 60), ("80", 80), ("300", 100)])
def test_it_fills_the_terminal_as_far_as_that_is_easy_to_read(monkeypatch, columns, width):
    """60 to 100 columns."""
    monkeypatch.setenv("COLUMNS", columns)

    assert page.width() == width


def test_long_texts_are_folded():
    """Later lines stand under the first."""
    assert page.folded("one two three four", 4, 24) == ["one two three four"]
    assert page.folded("one two three four five six", 4, 24) == [
        "one two three four",
        "    five six",
    ]
    assert page.folded("", 4, 24) == [""]


def test_a_table_has_columns_as_wide_as_they_need():
    """Whatever is painted in its cells."""
    rows = [["a", page.paint("open", "red"), "1"], ["long", "x", "22"]]
    lines = [click.unstyle(line) for line in page.table(("NAME", "S", "N"), rows, "llr")]

    assert lines == ["  NAME  S      N", "  a     open   1", "  long  x     22"]


def test_a_long_name_is_cut():
    """With an ellipsis in the place of its end."""
    assert page.cut("abcdef", 6) == "abcdef"
    assert page.cut("abcdef", 5) == "abcd…"
