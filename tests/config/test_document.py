# ruff: noqa: E501 -- messages stand on one line, as people see them
from typing import Any

import pytest

from proxy.config.document import Mapping, Scalar, Sequence, parse, read, scalars
from proxy.config.places import ConfigError


def plain(node):
    if isinstance(node, Mapping):
        return {name: plain(key.node) for name, key in node.items.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value if isinstance(node, Scalar) else None


def tree(text) -> Any:
    return parse(text.encode(), "f.yaml", {}).root


def value(text, **environ):
    document = parse(text.encode(), "f.yaml", environ)
    assert document.problems == []
    return plain(document.root)


def problems(raw, **environ):
    raw = raw if isinstance(raw, bytes) else raw.encode()
    return [str(problem) for problem in parse(raw, "f.yaml", environ).problems]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-3", -3),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2026-01-01", "2026-01-01"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", ".inf"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'1'", "1"),
        ('"true"', "true"),
        ("|\n  1", "1"),
        ("9" * 65, "9" * 65),
        ("<<", "<<"),
    ],
)
def test_scalars_have_the_types_of_yaml_1_2(written, meant):
    """Only true and false are booleans; times, dates and words are texts."""
    assert value(f"key: {written}") == {"key": meant}


def test_a_key_is_the_text_that_is_written():
    """`on:` and `404:` are keys like any other."""
    assert value("{on: 1, 404: 2, true: 3}") == {"on": 1, "404": 2, "true": 3}


def test_every_node_knows_its_place():
    """Lines and columns count from 1, in characters."""
    root = tree("é: [1, {b: 2}]\n")

    inner = root.items["é"].node.items[1]
    assert (str(root.items["é"].place), str(inner.place)) == ("f.yaml:1:1", "f.yaml:1:8")
    assert str(inner.items["b"].node.place) == "f.yaml:1:12"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "---\n# nothing\n...\n", "\ufeff"])
def test_an_empty_file_holds_nothing(text):
    """No error: a file of comments is fine."""
    assert value(text) is None
    assert tree(text) is None


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("a: 1\nb: {a: 1}\na: 2", "f.yaml:3:1: a: duplicate key; it stands on line 1 already"),
        ("b: {a: 1, a: 2}", "f.yaml:1:11: b.a: duplicate key; it stands on line 1 already"),
        ("a:\n \t- b", "f.yaml:2:2: a tab in the indentation; use spaces"),
        ("é: \x01", "f.yaml:1:4: a control character"),
        (b"a: 1\nb: \xff", "f.yaml:2:4: not UTF-8"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document; a file holds one"),
        ("a: !get_x", "f.yaml:1:4: a: a tag; a value that begins with ! must stand in quotes"),
        ("a: !!int 5", "f.yaml:1:4: a: a tag; a value that begins with ! must stand in quotes"),
        ("a: *b", "f.yaml:1:4: an alias without its anchor before it; a value that begins with * must stand in quotes"),
        ("a: &a [*a]", "f.yaml:1:8: an alias without its anchor before it; a value that begins with * must stand in quotes"),
        ("# a\u2028b: 1", "f.yaml:1:4: a character that ends lines in YAML 1.1 and not in 1.2"),
        ("a: 1\n# é\x85b: 1", "f.yaml:2:4: a character that ends lines in YAML 1.1 and not in 1.2"),
        ("{a: !x}", "f.yaml:1:7: not YAML: did not find expected whitespace or line break while scanning a tag; a value that begins with ! must stand in quotes"),
        ("{[1]: 2}", "f.yaml:1:2: a key must be text"),
        ("a: b: c", "f.yaml:1:5: not YAML: mapping values are not allowed in this context"),
        ("[" * 100_000, "f.yaml:1:66: nested deeper than 64 levels"),
        (b"#" * ((1 << 20) + 1), "f.yaml: larger than 1 MiB"),
    ],
)  # fmt: skip
def test_what_is_no_good_file_is_said_with_its_place(raw, message):
    """One problem, with line and column."""
    assert problems(raw) == [message]


def test_a_glob_without_quotes_is_explained():
    """`*` alone is a broken alias to YAML; the error says what is meant."""
    assert problems("a: *")[0].endswith("a value that begins with * must stand in quotes")


def test_anchors_may_be_used():
    """An alias is the node that it names."""
    assert value("a: &x {b: 1}\nc: *x") == {"a": {"b": 1}, "c": {"b": 1}}


def test_anchors_that_grow_too_large_are_an_error():
    """The count is that of the expanded tree, and it is not expanded to be counted."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 40)]

    found = problems("\n".join(lines))

    assert [problem.partition(": ")[2] for problem in found] == [
        "more than 10000 nodes, anchors expanded"
    ]


def test_what_is_replaced_has_the_type_of_what_it_is():
    """A number from the environment is a number, in quotes too: `{…}` asks for them."""
    text = "{a: '${N}', b: \"${M:-x}\", c: '$${N}'}"

    assert value(text, N="3") == {"a": 3, "b": "x", "c": "${N}"}


def test_a_variable_that_is_missing_is_said_with_its_place():
    """File, line, column and the variable's name."""
    assert problems("a:\n  b: ${NO}") == [
        "f.yaml:2:6: a.b: the environment has no NO; set it, or give a default: ${NO:-…}"
    ]


def test_all_problems_of_the_tree_are_found_at_once():
    """One does not hide another."""
    assert len(problems("a: ${NO}\na: 1\nb: !x 1\nc: ${NEITHER}")) == 4


def test_a_file_that_cannot_be_read_is_told_apart(tmp_path):
    """It is not an error *in* a file: `check` exits 2."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "no.yaml", "no.yaml", {})

    assert not caught.value.readable
    assert str(caught.value) == "no.yaml: cannot be read: No such file or directory"


def test_reads_a_file(tmp_path):
    """The file's name in places is the one that was asked for."""
    (tmp_path / "f.yaml").write_text("a: 1")

    root: Any = read(tmp_path / "f.yaml", "shown.yaml", {}).root

    assert str(root.place) == "shown.yaml:1:1"


def test_all_scalars_of_a_tree():
    """In their order, however deep."""
    assert [each.value for each in scalars(tree("{a: [1, {b: 2}], c: 3}"))] == [1, 2, 3]
