"""What is kept of a record, and how it is committed to."""

import gzip
import hashlib
import hmac
import zlib

import pytest

from proxy.journal.kept import (
    FULL,
    REDACTED,
    Body,
    Content,
    commitment,
    fetch,
    prepared,
    row_of,
)
from proxy.journal.redaction import Rules
from proxy.journal.rows import Places, Rows
from proxy.journal.sealing import Trouble
from proxy.journal.taking import Taken, Wish
from tests.journal.stored import body_of, key_of

RULES = Rules()
SECRET = b'{"password":"hunter2","n":1}'
CLEAN = b'{"password":"[redacted]","n":1}'


def test_a_commitment_is_over_what_is_kept():
    """In mode `redacted` not over the original, which the salt would let one guess."""
    key = key_of("t")
    clean = body_of(SECRET, REDACTED, RULES)

    assert commitment(key, "r", "request", SECRET, clean) == key.commit("r", "request", CLEAN)
    assert commitment(key, "r", "request", SECRET, None) == key.commit("r", "request", SECRET)
    unread = body_of(b"\xff", REDACTED, RULES)
    assert commitment(key, "r", "request", b"\xff", unread) == key.commit("r", "request", b"\xff")
    assert commitment(key, "r", "request", None, None) == ""


def test_what_was_kept_is_read_with_what_proves_it(tmp_path):
    """Content and salt are enough for somebody who has the journal."""
    places, key = Places(tmp_path), key_of("t")
    content = Content(FULL, Body(b"asked", 5), Body(b"answered", 8))
    rows = Rows(places)
    rows.insert([key], [row_of(key, "r", content)])
    rows.close()

    kept = fetch(places, "r")

    assert kept is not None
    assert (kept.mode, kept.request, kept.response) == (FULL, content.request, content.response)
    for part, salt, sent in (
        ("request", kept.request_salt, b"asked"),
        ("response", kept.response_salt, b"answered"),
    ):
        assert key.commit("r", part, sent) == hmac.new(salt, sent, hashlib.sha256).hexdigest()
    assert fetch(places, "other") is None


def test_a_row_that_was_changed_is_told(tmp_path):
    """Nobody can put another payload in its place."""
    places, key = Places(tmp_path), key_of("t")
    rows = Rows(places)
    rows.insert([key], [row_of(key, "r1", Content(FULL, Body(b"x", 1), None))])
    rows._db.execute("UPDATE payloads SET record = 'r2'")
    rows.close()

    with pytest.raises(Trouble, match="a payload of the side store cannot be opened"):
        fetch(places, "r2")


@pytest.mark.parametrize("plain", [b"no zlib", zlib.compress(b"\xc1")])
def test_what_is_sealed_and_is_no_payload_is_told(tmp_path, plain):
    """Who holds the key can write what he likes; it is not shown as a bug of ours."""
    places, key = Places(tmp_path), key_of("t")
    rows = Rows(places)
    rows.insert([key], [row_of(key, "r", Content(FULL, Body(b"x", 1), None))])
    rows._db.execute("UPDATE payloads SET sealed = ?", (key.seal("r", plain),))
    rows.close()

    with pytest.raises(Trouble, match="what is kept of r is no payload"):
        fetch(places, "r")


ALL = Wish(FULL, RULES, 20)
PART = Wish(REDACTED, RULES, 200)


@pytest.mark.parametrize(
    ("taken", "wish", "body", "sent"),
    [
        (None, ALL, None, None),
        (Taken(whole=True), ALL, None, None),
        (Taken((b"a", b"b"), 2, True, "", b"gzip"), ALL, Body(b"ab", 2, coding="gzip"), b"ab"),
        (Taken((b"ab",), 9), ALL, Body(b"ab", 9, note="cut: the first 2 of 9 bytes"), b"ab"),
        (Taken((b"ab",), 2), ALL, Body(b"ab", 2, note="cut: after 2 bytes it broke off"), b"ab"),
        (Taken((), 9, False, "large"), ALL, Body(None, 9, note="not kept: large"), None),
        (Taken((SECRET,), 28, True), PART, Body(CLEAN, 28, True), SECRET),
    ],
)
def test_what_was_taken_is_prepared(taken, wish, body, sent):
    """As its policy wishes; what is not all here says so."""
    assert prepared(taken, wish) == (body, sent)


def test_half_a_body_is_not_kept_without_its_secrets():
    """One may be cut in two, and neither half looks like it."""
    body, sent = prepared(Taken((b'{"card": "4242424242',), 20), PART)
    assert body is not None
    assert (body.content, body.note[:24], sent) == (None, "not kept: it broke off, ", None)


@pytest.mark.parametrize(
    ("coding", "content", "note"),
    [
        (b"gzip", gzip.compress(SECRET, mtime=0), ""),
        (b"br", SECRET, "not kept: the body's Content-Encoding is not identity, gzip or deflate"),
        (b"gzip", b"none", "not kept: the body is not what its Content-Encoding says"),
        (
            b"gzip",
            gzip.compress(b"x" * 201, mtime=0),
            "not kept: the body decodes to more than 200 bytes",
        ),
    ],
)
def test_what_is_coded_is_decoded_to_be_looked_through(coding, content, note):
    """Where that cannot be done it is not kept, and what was sent is committed to."""
    body, sent = prepared(Taken((content,), len(content), True, "", coding), PART)
    assert body is not None
    assert (body.content, body.note, body.coding) == (None if note else CLEAN, note, "")
    assert sent == content
