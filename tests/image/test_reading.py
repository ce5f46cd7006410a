"""tests/image/dockerfile.py: how a Dockerfile and a .dockerignore are read."""

import pytest

from tests.image.dockerfile import Ignored, replaced, sent, stages, steps

TEXT = """# one
ARG BASE=a:1
FROM ${BASE} AS first
RUN --mount=type=cache,target=/c one \\
    # between
    && two
COPY --from=x --chown=1:2 a b /c/
CMD ["run", "a b"]
FROM first
LABEL a.b="c d" e=f
"""


def test_an_instruction_is_one_step():
    """Over several lines, with comments between, and its flags apart."""
    run = list(steps(TEXT))[2]

    assert (run.name, run.flags) == ("RUN", {"mount": "type=cache,target=/c"})
    assert run.text == "one && two"


def test_words_and_pairs():
    """Of a list, of a line, and of what is written NAME=VALUE."""
    _, _, _, copy, command, _, label = steps(TEXT)

    assert (copy.words, copy.flags) == (["a", "b", "/c/"], {"from": "x", "chown": "1:2"})
    assert command.words == ["run", "a b"]
    assert label.pairs == {"a.b": "c d", "e": "f"}


def test_a_base_may_be_an_argument():
    """With its default, or as it is given."""
    assert [(stage.name, stage.base) for stage in stages(TEXT, {})] == [
        ("first", "a:1"),
        ("", "first"),
    ]
    assert stages(TEXT, {"BASE": "b"})[0].base == "b"


def test_variables_are_replaced():
    """What is not known is empty, or what stands behind `:-`."""
    assert replaced("${A}/$B/${C}/${C:-d}", {"A": "1", "B": "2"}) == "1/2//d"


@pytest.mark.parametrize(
    ("path", "out"),
    [
        ("x", True), ("a", False), ("a/b", False), ("a/t/c", True), ("a/p/q/t", False),
        ("a/x.pyc", True), ("a/b/c.pyo", True), (".c/l", False), (".c/m", True), ("a/y1", True),
    ],
)  # fmt: skip
def test_the_last_line_that_matches_decides(path, out):
    """A folder stands for all that is in it."""
    ignored = Ignored("# all\n*\n!a\n!.c/l\na/t\n**/*.py[co]\na/y?\n")

    assert ignored(path) is out


def test_only_files_that_are_not_ignored_are_sent(tmp_path):
    """By their names from the folder on."""
    for name in ("a/b/c", "a/t/d", "e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    assert sent(tmp_path, Ignored("*\n!a\na/t")) == ["a/b/c"]
