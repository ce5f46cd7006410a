import pytest

from proxy.config.places import ConfigError, Place, Problem, visible


def test_a_place_is_shown_as_editors_read_it():
    """File, line, column; the file alone where there are no lines."""
    place = Place("p.yaml", 14, 7)

    assert (str(place), place.short) == ("p.yaml:14:7", "p.yaml:14")
    assert (str(Place("HOLDFAST_LISTEN")), Place("x").short) == ("HOLDFAST_LISTEN", "x")


def test_a_problem_leaves_out_what_it_has_not():
    """A problem of the whole file has no path."""
    place = Place("p.yaml", 1, 2)

    assert str(Problem(place, "a.b", "wrong")) == "p.yaml:1:2: a.b: wrong"
    assert str(Problem(place, "", "wrong")) == "p.yaml:1:2: wrong"


def test_an_error_holds_all_problems_once_in_their_order():
    """By file, then line: as one goes through the files."""
    late, early = (Problem(Place("p.yaml", line, 1), "", "wrong") for line in (10, 9))

    error = ConfigError([late, early, late])

    assert error.problems == (early, late)
    assert str(error) == "p.yaml:9:1: wrong\np.yaml:10:1: wrong"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("straße ü →", "straße ü →"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("one\np.yaml:1:1: two", "one\\np.yaml:1:1: two"),
        ("\u202eabc\x9b", "\\u202eabc\\x9b"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_a_terminal_would_act_upon_is_an_escape(text, shown):
    """A problem is one line, whatever a file's name or a key holds; letters stay letters."""
    assert visible(text) == shown
    assert str(Problem(Place(text, 1, 2), text, text)) == f"{shown}:1:2: {shown}: {shown}"
