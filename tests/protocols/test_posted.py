"""What is read of a body that is posted. `test_tools.py` has more of it, seen from outside."""

import gzip

from proxy.call import RequestHead
from proxy.protocols import posted
from proxy.protocols.claims import JSON
from proxy.protocols.protocol import Reads
from proxy.refusal import Refusal
from tests.fakes import make_call


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


def test_what_claims_or_looks_like_json_must_be_it():
    """In UTF-8, if it says a charset at all."""
    assert posted.must_be_json(JSON, b"x") == (True, True)
    assert posted.must_be_json(b"text/json; charset=latin-1", b"x") == (True, False)
    assert posted.must_be_json(b"text/plain", b" {") == (True, True)
    assert posted.must_be_json(b"text/plain", b"x") == (False, True)


def test_a_body_is_read_without_its_coding():
    """As far as there is one, and it is not too large."""
    call = make_call()
    assert posted.plain(call, b"x", 10) == b"x"
    call.head.fields[b"content-encoding"] = b"gzip"
    assert posted.plain(call, gzip.compress(b"x"), 10) == b"x"
    assert isinstance(posted.plain(call, b"x", 10), Refusal)
