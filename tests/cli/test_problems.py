import click
import pytest

from proxy.cli.problems import loading
from proxy.config.places import ConfigError, Place, Problem

PROBLEM = Problem(Place("p.yaml", 1, 2), "a", "wrong")


@pytest.mark.parametrize(("readable", "code"), [(True, 1), (False, 2)])
def test_errors_are_shown_one_a_line(capsys, readable, code):
    """And end the command; what cannot be read has its own exit code."""
    with pytest.raises(click.ClickException) as caught, loading():
        raise ConfigError([PROBLEM], readable)

    assert capsys.readouterr().err == "p.yaml:1:2: a: wrong\n"
    assert caught.value.exit_code == code
    assert caught.value.message == "1 error; nothing was loaded"
