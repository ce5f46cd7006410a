# ruff: noqa: E501 -- tables read as tables
"""Another model in a body, and not another byte changed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.rewriting import MOST, with_model
from tests.protocols.spellings import objects, values


def test_only_the_value_is_changed() -> None:
    """White space, order, escapes, and what is called the same further in, stay."""
    before = (
        b' {"messages":[{"model":"a","n":1.0e+2}],\t"model" :\n"small", "\\u0061": "\xc3\xbc"}\r\n'
    )
    after = before.replace(b'"small"', b'"big"')
    assert with_model(before, "big") == after


@pytest.mark.parametrize("model", ['a"b\\c', "gpt-4o", "ü/😀"])
def test_a_model_may_be_called_as_it_likes(model: str) -> None:
    """It is written as JSON."""
    changed = with_model(b'{"model":"x"}', model)
    assert changed is not None
    assert json.loads(changed) == {"model": model}


WHITE = st.text(" \t\r\n", max_size=3)


@given(objects(values), objects(values), WHITE, WHITE, st.text(max_size=5), st.text(max_size=9))
def test_what_stands_around_it_stays_byte_for_byte(
    one: str, other: str, before: str, after: str, was: str, model: str
) -> None:
    """Wherever it stands among others, however they are written."""
    head, tail = f"{before}{{{before}", f"{after}}}{after}"
    parts = [f'"x":{one}', None, f'"y" : {other}{before}']
    old, new = (
        (head + ",".join(part or f'"model"{after}:{before}{json.dumps(name)}' for part in parts) + tail).encode()
        for name in (was, model)
    )  # fmt: skip
    assert with_model(old, model) == new
    assert json.loads(new)["model"] == model


@given(objects(values), st.text(max_size=5))
def test_what_is_rewritten_is_the_same_document_otherwise(text: str, model: str) -> None:
    """Or it is not rewritten: where there is no one string of that name at the top."""
    pairs: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
    named = [pair for pair in pairs if pair[0].casefold() == "model"]
    one = len(named) == 1 and named[0][0] == "model" and isinstance(named[0][1], str)
    changed = with_model(text.encode(), model)
    assert (changed is not None) == one
    if changed is not None:
        after = json.loads(changed, object_pairs_hook=list)
        assert after == [(k, model) if k == "model" else (k, v) for k, v in pairs]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[]", b'"model"', b'{"model":1}', b'{"model":null}', b'{"model":["a"]}',
        b'{"Model":"a"}', b'{"model":"a","MODEL":"b"}', b'{"model":"a","model":"b"}',
        b'{"model":"a"', b'{"model":"a"} {}', b'{"model":"a",}', b'{"model" "a"}', b'{"model":"a" 1}',
        b'{"x":{"model":"a"}}', b'[{"model":"a"}]', b'{"model":"a","x":NaN}', b'{1:2,"model":"a"}',
        b'\xef\xbb\xbf{"model":"a"}', b'{"model":"\xff"}', '{"model":"a"}'.encode("utf-16"),
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"model":"a"}',
        b'{"model":"a","x":[' + b"0," * MOST + b"0]}",
    ],
)  # fmt: skip
def test_what_has_no_one_model_is_left_alone(content: bytes) -> None:
    """No object, no string, more than one, another spelling, no JSON, too much of it."""
    assert with_model(content, "b") is None


def test_an_escaped_name_is_the_name() -> None:
    """JSON's readers see no difference."""
    assert with_model(b'{"\\u006dodel":"a"}', "b") == b'{"\\u006dodel":"b"}'
