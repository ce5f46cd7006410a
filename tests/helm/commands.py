"""Whether a line of words is a command of ours."""

import click

from proxy.cli import holdfast


def takes(words: list[str]) -> None:
    """Raises AssertionError where there is no such command, or it has not all of these options."""
    left = list(words)
    asked: click.Command = holdfast
    while isinstance(asked, click.Group):
        found = asked.get_command(click.Context(asked), left.pop(0))
        assert found is not None, words
        asked = found
    known = {option for each in asked.params for option in each.opts}

    assert {word for word in left if word.startswith("--")} <= known, words
