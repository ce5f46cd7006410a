"""What is read of a request to a model."""

import base64
import gzip
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import RequestHead
from proxy.protocols.document import Ambiguous, NotADocument
from proxy.protocols.model_bodies import (
    ABSENT,
    LARGE_PICTURE,
    ids_in,
    is_true,
    may_be_true,
    names_model,
    number,
    prompts,
    read_members,
    text,
    tokens_in,
)
from tests.protocols.spellings import bodies

KNOWN = ("model", "n")


def head(**fields: bytes) -> RequestHead:
    """Of a POST."""
    named = {name.replace("_", "-").encode(): value for name, value in fields.items()}
    return RequestHead("POST", b"/", 1, [], named)


def raw(written: bytes) -> msgspec.Raw:
    """A member, as it is written."""
    return msgspec.Raw(written)


def test_an_object_is_read_others_are_passed_by() -> None:
    """Arrays and words are JSON too."""
    found = read_members(b' {"model" : "x", "y":{"model":1} }', KNOWN)
    assert found is not None
    assert {name: bytes(value) for name, value in found.items()} == {
        "model": b'"x"',
        "y": b'{"model":1}',
    }
    for content in (b"[1]", b'"x"', b"7", b"null"):
        assert read_members(content, KNOWN) is None


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"{} {}", b"[1", b"\xef\xbb\xbf[]", b'["\xff"]', b'{"a":"\xff"}',
        b"[" * 65 + b"]" * 65, b"[" * 100_000, b'{"a":' * 100_000,
    ],
)  # fmt: skip
def test_what_is_not_one_document_is_refused(content: bytes) -> None:
    """Cut, too much of it, too deep, another encoding."""
    with pytest.raises(NotADocument):
        read_members(content, KNOWN)


@pytest.mark.parametrize(
    "content",
    [b'{"n":1,"n":2}', b'{"n":1,"N":2}', b'{"N":1}', b'{"n":1,"\\u006e":2}', b'{"x":1,"x":2}'],
)
def test_what_money_goes_by_has_one_reading(content: bytes) -> None:
    """No second member that somebody could take for it."""
    with pytest.raises(Ambiguous, match=r"the body names [nx]"):
        read_members(content, KNOWN)


@pytest.mark.parametrize(
    "content", [b'{"n":1,"x":{"n":2,"N":[{"n":3}]}}', b'{"x":1,"X":2}', b'{"\\u006e":1}']
)
def test_what_stands_further_in_is_another(content: bytes) -> None:
    """And what nobody goes by may be called like something else."""
    assert read_members(content, KNOWN) is not None


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b'{"model":"x"}', True),
        (b'{"model":null}', True),
        (b'{"Model":"x"}', True),
        (b'{"\\u006dodel":"x"}', True),
        (b'{"x":{"model":"y"},"MODEL":"x"}', True),
        (b'{"tool":"x","input":{"model":"y"}}', False),
        (b'{"tool":"x","input":{"model":"y","Model":"z"}}', False),
        (b"[]", False),
        (b"", False),
        (b"x", False),
    ],
)
def test_a_body_names_a_model_at_its_top(content: bytes, named: bool) -> None:
    """In whatever spelling, plain or encoded: an envelope of a tool does not."""
    assert names_model(head(), content) is named
    encoded = head(content_encoding=b"gzip")
    assert names_model(encoded, gzip.compress(content)) is named
    assert not names_model(encoded, content)


@given(bodies() | st.binary())
def test_any_body_can_be_asked(content: bytes) -> None:
    """It is the agent's to choose."""
    assert names_model(head(), content) in (True, False)


@pytest.mark.parametrize(
    ("written", "found"),
    [(b'"x"', "x"), (b'"\\u0078"', "x"), (b'""', ""), (b"null", ""), (b"", ""), (b"7", None),
     (b"{}", None), (b'"\\ud800"', None), (b'"\xff"', None)],
)  # fmt: skip
def test_a_member_is_a_text_or_not(written: bytes, found: str | None) -> None:
    """Nothing and null say nothing."""
    assert text(raw(written) if written else ABSENT) == found


@pytest.mark.parametrize(
    ("written", "found"),
    [(b"7", 7), (b"7.0", 7), (b"1e3", 1000), (b"0", 0), (b"-1", 0), (b"7.5", 0), (b"true", 0),
     (b'"7"', 7), (b'" 7.0 "', 7), (b'"-7"', 0), (b'"7e1"', 0),
     (b"null", 0), (b"", 0), (b"1e400", 0), (b"9" * 30, 1_000_000_000)],
)  # fmt: skip
def test_a_member_is_a_number_or_not(written: bytes, found: int) -> None:
    """Whole and above zero. No model has more than a thousand million of anything."""
    assert number(raw(written)) == found


def test_lenient_servers_know_more_that_is_true() -> None:
    """What is a stream for them must be one for policies."""
    words = (b"true", b"1", b"1.0", b'"true"', b'"True"', b'"1"', b'"yes"', b'"\\u006fn"')
    assert all(may_be_true(raw(word)) for word in words)
    assert not any(
        may_be_true(raw(word)) for word in (b"false", b"0", b'"no"', b"null", b"{}", b'"\xff"')
    )
    assert not may_be_true(ABSENT)


def test_only_true_is_true() -> None:
    """What else a server takes for it, its answer shows."""
    assert is_true(raw(b"true"))
    assert not any(is_true(raw(word)) for word in (b"false", b"1", b'"true"', b"null", b""))


@pytest.mark.parametrize(
    ("written", "found"),
    [(b'"a"', 1), (b'["a","b"]', 2), (b"[1,2,3]", 1), (b"[[1],[2],[3]]", 3), (b"[]", 1),
     (b"", 1), (b"null", 1)],
)  # fmt: skip
def test_prompts_may_be_many(written: bytes, found: int) -> None:
    """A list of numbers is one, cut into tokens."""
    assert prompts(raw(written)) == found


@pytest.mark.parametrize(
    ("metadata", "ids"),
    [
        ({"workflow_id": "w", "task_id": "t"}, ("w", "t")),
        ({"workflow_id": "w", "other": 1}, ("w", "w")),
        ({"workflow_id": "w" * 200}, ("w" * 128, "w" * 128)),
        ({"workflow_id": 7}, ("", "")),
        ({}, ("", "")),
        ([], ("", "")),
        (None, ("", "")),
    ],
)
def test_metadata_may_name_the_work(metadata: Any, ids: tuple[str, str]) -> None:
    """What it is part of; a task is its workflow where nobody says more."""
    assert ids_in(raw(json.dumps(metadata).encode())) == ids
    assert ids_in(ABSENT) == ("", "")


def test_text_counts_by_its_length() -> None:
    """There is always one."""
    assert tokens_in(b"x" * 400, 4.0) == 100
    assert tokens_in(b"x" * 350, 3.5) == 100
    assert tokens_in(b"", 4.0) == 1


PICTURE = base64.b64encode(b"\0\x10\x83" * 100_000).decode()
SMALL = PICTURE[:1000]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
        {"type": "input_audio", "input_audio": {"data": PICTURE, "format": "wav"}},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PICTURE}"}},
        {"source": {"data": "\n".join(PICTURE[at : at + 76] for at in range(0, 400_000, 76))}},
    ],
)
def test_what_is_encoded_is_no_text(part: Any) -> None:
    """It counts as a large picture, however large it is."""
    for separators in ((",", ":"), (", ", ": ")):
        content = json.dumps(
            {"content": [part, {"type": "text", "text": "x" * 400}]}, separators=separators
        )
        assert LARGE_PICTURE + 100 <= tokens_in(content.encode(), 4.0) <= LARGE_PICTURE + 200


def test_a_small_picture_counts_as_text_would() -> None:
    """That is little."""
    content = f'{{"url":"data:image/png;base64,{SMALL}"}}'.encode()
    assert 250 <= tokens_in(content, 4.0) <= 265


def test_text_that_says_it_is_encoded_is_text() -> None:
    """Words have blanks between them."""
    content = b'{"data": "data:text/plain;base64,' + b"some words " * 1000 + b'"}'
    assert tokens_in(content, 4.0) == len(content) // 4


def test_pieces_without_end_are_text() -> None:
    """Only so many are looked for, since nothing else goes on meanwhile."""
    content = b'"data"' * 5000
    assert tokens_in(content, 4.0) == len(content) // 4
