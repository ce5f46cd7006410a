"""An answer that a policy gives."""

from typing import Any

import pytest

from proxy.protocols.made import BODILESS, made


@pytest.mark.parametrize(
    ("said", "lines", "content"),
    [
        ("gone", b"content-type: text/plain; charset=utf-8\r\ncontent-length: 4\r\n", b"gone"),
        ({"a": None}, b"content-type: application/json\r\ncontent-length: 10\r\n", b'{"a":null}'),
        (None, b"content-length: 0\r\n", b""),
    ],
)
def test_it_may_be_anything(said: Any, lines: bytes, content: bytes) -> None:
    """Text as it is, anything else as JSON, or nothing."""
    assert made(200, said) == (200, b"HTTP/1.1 200 OK\r\n" + lines, content)


@pytest.mark.parametrize("status", sorted(BODILESS))
def test_what_has_no_body_has_no_length(status: int) -> None:
    """A reader that believed it would wait for the next answer."""
    _, lines, content = made(status, None)
    assert (b"content-length" in lines, content) == (False, b"")


def test_a_status_without_a_phrase_has_none() -> None:
    """The space before it stays (RFC 9112 4)."""
    assert made(299, None)[1].startswith(b"HTTP/1.1 299 \r\n")
