from pathlib import Path

import pytest

from proxy.config.disk import LARGEST
from proxy.config.variables import Unset, replace, replaceable


def replaced(text, **environ):
    return replace(text, environ, [])


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${A}", "1"),
        ("a${A}b${B}c", "a1bc"),
        ("${B:-x}", "x"),
        ("${C:-x}", "x"),
        ("${C:-}", ""),
        ("${A:-x}", "1"),
        ("${C:-http://h:1/p}", "http://h:1/p"),
        ("$${A}", "${A}"),
        ("$A", "$A"),
    ],
)
def test_variables_are_replaced_as_a_shell_does(text, result):
    """A default stands in for what is unset or empty; without one, empty is empty."""
    assert replaced(text, A="1", B="") == result


def test_what_is_put_in_is_not_looked_at_again():
    """A value that looks like a reference stays what it is."""
    assert replaced("${A}", A="${B}", B="2") == "${B}"


@pytest.mark.parametrize(
    "text", ["${}", "${A B}", "${A-x}", "${1}", "${A", "a${A:-b", "${A:-${B}}", "${${A}}"]
)
def test_other_references_are_errors(text):
    """Better than to pass them on as they are."""
    with pytest.raises(Unset, match=r"expected \$\{VAR\}"):
        replaced(text)


def test_a_variable_that_is_missing_is_named():
    """So that it can be set."""
    with pytest.raises(Unset, match="the environment has no TOKEN"):
        replaced("${TOKEN}")


def test_a_file_is_read_and_named(tmp_path):
    """Its last line break is not part of it; who reloads is told of the file."""
    (tmp_path / "key").write_text("secret\n")
    files: list[Path] = []

    assert replace(f"${{file:{tmp_path}/key}}", {}, files) == "secret"
    assert files == [tmp_path / "key"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"\xff", "not UTF-8"), (b"x" * (LARGEST + 1), "larger than")],
)
def test_a_file_that_is_no_good_is_an_error(tmp_path, content, message):
    """It says which file, and never what is in it."""
    if content is not None:
        (tmp_path / "key").write_bytes(content)

    with pytest.raises(Unset, match=f"{tmp_path}/key.*{message}"):
        replaced(f"${{file:{tmp_path}/key}}")


def test_most_texts_have_nothing_to_replace():
    """A dollar alone is none."""
    assert [replaceable(text) for text in ("a", "$5", "${A}")] == [False, False, True]
