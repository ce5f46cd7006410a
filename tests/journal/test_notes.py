"""Signed notes, against the vectors of golang.org/x/mod/sumdb/note."""

from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.journal.notes import BadKey, Note, Signer, Verifier, keys_of, new_signer, read

PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
SIGNATURE = (
    "\N{EM DASH} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgK"
    "vqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
NOTE = f"{TEXT}\n{SIGNATURE}"


def parsed(text: str) -> Note:
    """A note that is one."""
    note = read(text)
    assert note is not None
    return note


OURS = new_signer("holdfast/f/w", lambda size: b"k" * size)


def test_a_note_is_signed_as_go_signs_it():
    """Byte for byte: Ed25519 has no chance in it."""
    signer = Signer.parse(SECRET)

    assert signer.note(TEXT) == NOTE
    assert signer.verifier.line() == PUBLIC
    assert signer.line() == SECRET


def test_a_note_of_go_is_believed():
    """With its key, and with no other."""
    note = parsed(NOTE)

    assert note.text == TEXT
    assert note.signed_by([OURS.verifier, Verifier.parse(PUBLIC)])
    assert not note.signed_by([OURS.verifier])
    assert not note.signed_by([])


def test_no_part_of_a_key_is_a_key():
    """Go's own test: every cut, and every change of a sign, is refused."""
    cuts = [
        PUBLIC[start:end]
        for start in range(len(PUBLIC))
        for end in range(start + 1, len(PUBLIC) + 1)
        if (start, end) != (0, len(PUBLIC))
    ]
    changed = [
        PUBLIC[:at] + chr(ord(PUBLIC[at]) + 1) + PUBLIC[at + 1 :] for at in range(len(PUBLIC))
    ]

    for text in cuts + changed:
        with pytest.raises(BadKey):
            Verifier.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "",
    ],
)
def test_a_key_of_another_kind_is_refused(text):
    """Too long, of an algorithm that is not known, or none."""
    with pytest.raises(BadKey):
        Verifier.parse(text)


def test_a_point_that_is_no_key_is_refused():
    """It has the length and the id of one."""
    public = bytes(32)
    told = sha256(b"a\n\1" + public).digest()[:4].hex()
    line = f"a+{told}+{b64encode(bytes([1]) + public).decode()}"

    assert not Verifier.parse(line).signed(b"text", bytes(64))


@pytest.mark.parametrize("text", [PUBLIC, SECRET.replace("c74f20a3", "c74f20a4"), SECRET[:-4]])
def test_a_bad_secret_key_is_refused_without_being_told(text):
    """The message never holds what might be the key."""
    with pytest.raises(BadKey) as refused:
        Signer.parse(text)

    assert "AYEKFALV" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_a_name_must_fit_into_a_note(name):
    """Neither + nor white space."""
    with pytest.raises(BadKey):
        new_signer(name, lambda size: bytes(size))


@pytest.mark.parametrize(
    "text",
    [
        *("", TEXT, TEXT + "\n", NOTE[:-1], f"\n\n{SIGNATURE}"),
        NOTE.replace("\N{EM DASH}", "-"),
        NOTE.replace("x08go", "!08go"),
        f"{TEXT}\n\N{EM DASH} PeterNeumann AAAA\n",
        f"{TEXT}\n\N{EM DASH}  {SIGNATURE[15:]}",
    ],
)
def test_what_is_no_note_is_not_read(text):
    """No signature, no text, or a line that is no signature."""
    assert read(text) is None


@given(st.integers(0, len(TEXT) - 2), st.characters(exclude_characters="\n", codec="ascii"))
def test_no_change_of_the_text_is_signed(at, sign):
    """Whatever is changed."""
    changed = TEXT[:at] + sign + TEXT[at + 1 :]

    note = read(f"{changed}\n{SIGNATURE}")
    assert note is None or note.signed_by([Verifier.parse(PUBLIC)]) == (changed == TEXT)


def test_signatures_of_others_do_not_matter_but_bad_ones_of_ours_do():
    """A witness may add his; nobody may add a second one in our name that is wrong."""
    witness = new_signer("witness", lambda size: b"w" * size)
    theirs = witness.note(TEXT).rpartition("\n\n")[2]
    bad = b64encode(Verifier.parse(PUBLIC).id + bytes(64)).decode()

    assert parsed(NOTE + theirs).signed_by([Verifier.parse(PUBLIC)])
    assert not parsed(f"{NOTE}\N{EM DASH} PeterNeumann {bad}\n").signed_by([Verifier.parse(PUBLIC)])
    assert not parsed(f"{TEXT}\n\N{EM DASH} PeterNeumann {bad[:-8]}\n").signed_by(
        [Verifier.parse(PUBLIC)]
    )


def test_a_file_holds_a_key_on_each_line():
    """Those of earlier keys as well; comments and blank lines are none."""
    text = f"# ours\n{OURS.verifier.line()}\n\n  {PUBLIC}  \n"

    assert [key.line() for key in keys_of(text)] == [OURS.verifier.line(), PUBLIC]
    with pytest.raises(BadKey):
        keys_of("nonsense\n")


def test_the_id_of_a_key_is_made_of_its_name_and_itself():
    """The first four bytes of SHA-256(name, LF, 0x01, key)."""
    public = OURS.verifier.line().split("+", 2)[2]

    assert public.startswith("A")  # 0x01 comes first
    assert (
        OURS.verifier.id == sha256(b"holdfast/f/w\n\1" + bytes(OURS._key.verify_key)).digest()[:4]
    )
