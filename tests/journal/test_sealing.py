"""Keys of the side store: derived, wrapped, kept, found blind."""

import hashlib
import hmac
import os
import stat

import pytest

from proxy.journal.sealing import (
    Key,
    Trouble,
    Who,
    blind,
    new_key,
    new_master,
    opened,
    read_master,
    sealed,
    write_master,
)

KEY = Key(b"k" * 16, 1, Who("t", "a", "s"), b"s" * 32)


def test_a_commitment_is_an_hmac_with_a_salt():
    """Whoever is given salt and content can check it with any library."""
    salt = KEY.salt("r1", "request")

    assert KEY.commit("r1", "request", b"x") == hmac.new(salt, b"x", hashlib.sha256).hexdigest()


def test_every_record_and_part_has_its_own_salt():
    """So the same bytes twice do not look the same."""
    salts = {KEY.salt(record, part) for record in ("r1", "r2") for part in ("request", "response")}

    assert len(salts) == 4
    assert all(len(salt) == 32 for salt in salts)


def test_what_is_sealed_opens_for_its_record_only():
    """Two rows cannot be exchanged, and no bit can be changed."""
    kept = KEY.seal("r1", b"hunter2")

    assert KEY.open("r1", kept) == b"hunter2"
    assert b"hunter2" not in kept
    for record, content in (
        ("r2", kept),
        ("r1", kept[:-1] + b"\0"),
        ("r1", b""),
        ("r1", kept[:30]),
    ):
        with pytest.raises(Trouble, match="cannot be opened"):
            KEY.open(record, content)


def test_the_same_twice_is_sealed_differently():
    """A nonce is never used again."""
    assert KEY.seal("r1", b"x") != KEY.seal("r1", b"x")


def test_a_key_is_unwrapped_by_its_master_only():
    """And only as the key that it is."""
    master, other = new_master(os.urandom), new_master(os.urandom)
    wrapped = master.wrap(b"id", b"secret")

    assert master.unwrap(b"id", wrapped) == b"secret"
    for wrong, name in ((other, b"id"), (master, b"other")):
        with pytest.raises(Trouble) as trouble:
            wrong.unwrap(name, wrapped)
        assert trouble.value.kind == "damaged"


def test_a_master_is_kept_for_its_owner_only(tmp_path):
    """What was there before is replaced in one step."""
    path = tmp_path / "keys" / "payload.key"
    first, second = new_master(os.urandom), new_master(os.urandom)
    write_master(path, first)
    write_master(path, second)

    assert read_master(path) == second
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [child.name for child in path.parent.iterdir()] == ["payload.key"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"x", b"holdfast-payload-key-1 id !!!", b"holdfast-payload-key-1 id YQ==", b"\xff",
     b"holdfast-payload-key-2 id " + b"A" * 43 + b"=",
     (b"holdfast-payload-key-1 id " + b"A" * 43 + b"=\n") * 2],
)  # fmt: skip
def test_a_file_that_is_no_key_is_told(tmp_path, content):
    """It is not taken for one, and not overwritten."""
    path = tmp_path / "payload.key"
    path.write_bytes(content)

    with pytest.raises(Trouble) as trouble:
        read_master(path)
    assert trouble.value.kind == "key"
    assert path.read_bytes() == content


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    """Whether one may be made is for others to say."""
    with pytest.raises(FileNotFoundError):
        read_master(tmp_path / "payload.key")


def test_a_name_is_found_blind():
    """The same for the same, and nothing to be read in it."""
    assert blind(b"i", "task", "t1") == blind(b"i", "task", "t1")
    assert len({blind(b"i", "task", "x"), blind(b"i", "agent", "x"), blind(b"j", "task", "x")}) == 3


def test_any_text_names_somebody():
    """Also half a pair, which an agent's header may have been made into."""
    key = new_key(1, Who("\udcff"), os.urandom)

    assert key.commit("r", "request", b"") != ""
    assert blind(b"i", "task", "\udcff") != blind(b"i", "task", "?")


def test_what_a_content_is_about_is_part_of_its_seal():
    """Opened as something else it is damaged."""
    kept = sealed(b"k" * 32, b"x", b"one")

    assert opened(b"k" * 32, kept, b"one", "it") == b"x"
    with pytest.raises(Trouble, match="it of the side store"):
        opened(b"k" * 32, kept, b"other", "it")
