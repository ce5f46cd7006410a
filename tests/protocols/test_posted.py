"""What is read of a body that is posted. `test_tools.py` has more of it, seen from outside."""

import gzip

import pytest

from proxy.call import RequestHead
from proxy.protocols import posted
from proxy.protocols.document import Ambiguous, NotADocument
from proxy.protocols.protocol import Reads, Rules
from proxy.refusal import Refusal


def head(method: str = "POST", **fields: bytes) -> RequestHead:
    """With these headers."""
    named = {name.replace("_", "-").encode(): value for name, value in fields.items()}
    return RequestHead(method, b"/", 1, [], named)


def test_only_what_is_posted_is_read():
    """All of it where it says that it is JSON, says nothing, or is encoded; else its beginning."""
    assert posted.reads(head("GET")) is Reads.NOTHING
    for whole in (
        head(),
        head(content_type=b"application/json"),
        head(content_type=b"application/x+JSON; charset=utf-8"),
        head(content_type=b"image/png", content_encoding=b"gzip"),
    ):
        assert posted.reads(whole) is Reads.WHOLE
    assert posted.reads(head(content_type=b"image/png")) is Reads.BEGINNING


def test_a_body_is_json_by_its_word_or_its_looks():
    """In UTF-8, if it says a charset at all."""
    assert posted.is_json(head(content_type=b"application/json"), b"x")
    assert posted.is_json(head(content_type=b"text/json; charset=utf-8"), b"x")
    assert posted.is_json(head(content_type=b"text/plain"), b" {")
    assert not posted.is_json(head(content_type=b"multipart/form-data; charset=latin-1"), b"--x")
    assert not posted.is_json(head(), b"a=b")
    for kind in (b"application/json; charset=utf-16", b"text/plain; charset=latin-1"):
        with pytest.raises(NotADocument, match="charset"):
            posted.is_json(head(content_type=kind), b"{}")


def test_a_body_is_read_without_its_coding():
    """As far as there is one, and it is not too large."""
    packed = gzip.compress(b"x")
    assert posted.plain(head(), b"x", 10) == b"x"
    assert posted.plain(head(content_encoding=b"gzip"), packed, 10) == b"x"
    assert isinstance(posted.plain(head(content_encoding=b"gzip"), b"x", 10), Refusal)


def test_what_has_two_readings_is_refused_whatever_an_upstream_takes():
    """What is no document at all is a matter of its settings."""
    lenient = Rules(pass_unrecognised=True)
    assert posted.refused(NotADocument("x"), lenient) is None
    for why, rules in (
        (NotADocument("x"), Rules()),
        (Ambiguous("x"), Rules()),
        (Ambiguous("x"), lenient),
    ):
        assert posted.refused(why, rules) == Refusal("ambiguous_call", "x")
