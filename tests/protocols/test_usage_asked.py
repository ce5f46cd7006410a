"""A body that asks what its answer uses, and not another byte changed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.rewriting import MOST
from proxy.protocols.usage_asked import asking_usage
from tests.protocols.spellings import objects, values

ASKING = b'{"stream_options":{"include_usage":true}}'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            b' {"model": "x",\t"n":1.0e+2}\r\n',
            b' {"stream_options":{"include_usage":true},"model": "x",\t"n":1.0e+2}\r\n',
        ),
        (b"{ }", b'{"stream_options":{"include_usage":true} }'),
        (
            b'{"stream_options" : null, "x":1}',
            b'{"stream_options" : {"include_usage":true}, "x":1}',
        ),
        (b'{"stream_options":{}}', b'{"stream_options":{"include_usage":true}}'),
        (
            b'{"stream_options": {"include_obfuscation": false}}',
            b'{"stream_options": {"include_usage":true,"include_obfuscation": false}}',
        ),
        (
            b'{"x":{"stream_options":7},"stream_options":{ "include_usage" : false }}',
            b'{"x":{"stream_options":7},"stream_options":{ "include_usage" : true }}',
        ),
        (b'{"stream_options":{"include_usage":null}}', ASKING),
        (ASKING, ASKING),
    ],
)  # fmt: skip
def test_only_the_option_is_put_in(before: bytes, after: bytes) -> None:
    """White space, order, escapes, and what is called the same further in, stay."""
    assert asking_usage(before) == after


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"7", b'{"a":1', b'{"a":1} {}', b'{"stream_options":7}',
        b'{"stream_options":"x"}', b'{"stream_options":[]}', b'{"Stream_Options":{}}',
        b'{"stream_options":{},"stream_options":{}}', b'{"stream_options":{},"STREAM_OPTIONS":{}}',
        b'{"stream_options":{"include_usage":true,"Include_Usage":false}}',
        b'{"stream_options":{"INCLUDE_USAGE":true}}',
        b'\xef\xbb\xbf{}', b'{"a":"\xff"}', b"{" + b'"a":{' * 50_000,
        b'{"x":[' + b"0," * MOST + b"0]}",
    ],
)  # fmt: skip
def test_what_has_no_one_place_for_it_is_left_alone(content: bytes) -> None:
    """No object, no JSON, options of another kind, two of them, too much of it."""
    assert asking_usage(content) is None


@given(objects(values), st.text(" \n", max_size=2))
def test_the_document_is_the_same_otherwise(text: str, blank: str) -> None:
    """Whatever stands in it, however it is written: what is cut out again leaves it as it was."""
    before = (blank + text + blank).encode()
    after = asking_usage(before)
    assert after is not None
    pairs: list[tuple[str, Any]] = json.loads(before, object_pairs_hook=list)
    added = [("stream_options", [("include_usage", True)])]
    assert json.loads(after, object_pairs_hook=list) == added + pairs
    ours = b'"stream_options":{"include_usage":true}' + (b"," if pairs else b"")
    assert after.replace(ours, b"", 1) == before
