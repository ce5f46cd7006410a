"""Checkpoints: their text, their file, their key, and where else they go."""

import stat
from base64 import b64encode

import pytest

from proxy.journal.checkpoint import (
    Checkpoint,
    CheckpointFile,
    FileAnchor,
    believed,
    checkpoint_of,
    last_checkpoints,
    publish,
    read_checkpoints,
    signer_of,
    whole_notes,
)
from proxy.journal.disk import RealDisk
from proxy.journal.folder import Folder
from proxy.journal.notes import BadKey, Note, keys_of, new_signer
from tests.journal.disks import FailingDisk

SIGNER = new_signer("holdfast/f/w", lambda size: b"a" * size)
OTHER = new_signer("holdfast/f/w", lambda size: b"b" * size)
ROOT = bytes(range(32))


def note(size: int, signer=SIGNER) -> str:
    return signer.note(Checkpoint("holdfast/f/w", size, ROOT).text())


def test_its_text_is_as_c2sp_says():
    """Origin, size, root; each line ends."""
    text = Checkpoint("holdfast/f/w", 7, ROOT).text()

    assert text == f"holdfast/f/w\n7\n{b64encode(ROOT).decode()}\n"
    assert checkpoint_of(Note(text, ())) == ("holdfast/f/w", 7, ROOT)
    assert checkpoint_of(Note(text + "an extension\n", ())) == ("holdfast/f/w", 7, ROOT)


@pytest.mark.parametrize(
    "text",
    [
        *("", "o\n7\n", "\n7\nAAAA\n", "o\n07\nAAAA\n", "o\n-7\nAAAA\n", "o\nx\nAAAA\n"),
        *("o\n7\nAAAA\n", "o\n7\n!\n"),
    ],
)
def test_what_is_no_checkpoint_says_nothing(text):
    """No origin, no number, no root of 32 bytes."""
    assert checkpoint_of(Note(text, ())) is None


def test_only_what_was_signed_is_believed():
    """By one of the keys."""
    assert believed(note(3), [OTHER.verifier, SIGNER.verifier]) == ("holdfast/f/w", 3, ROOT)
    assert believed(note(3), [OTHER.verifier]) is None
    assert believed("nonsense", [SIGNER.verifier]) is None


def test_a_file_holds_notes_parted_by_a_blank_line(tmp_path):
    """What is torn at its end is cut off before the next one."""
    path = tmp_path / "checkpoints"
    keys = [SIGNER.verifier]
    assert (read_checkpoints(path, keys), last_checkpoints(path, keys)) == ([], ([], 0))
    file = CheckpointFile(RealDisk(), path, 0)
    file.append(note(1))
    file.append(note(2))
    file.close()
    assert path.read_text() == f"{note(1)}\n{note(2)}\n"

    whole = path.stat().st_size
    for cut in range(len(note(3).encode()) + 1):
        path.write_bytes(path.read_bytes()[:whole] + note(3).encode()[:cut])
        found, size = last_checkpoints(path, keys)
        assert ([told and told.size for told in found], size) == ([1, 2], whole)
    again = CheckpointFile(RealDisk(), path, whole)
    again.append(note(4))
    again.close()
    assert sizes(path) == [1, 2, 4]


def sizes(path) -> list[int]:
    found = read_checkpoints(path, [SIGNER.verifier])
    return [told.checkpoint.size for told in found if told.checkpoint is not None]


def test_a_file_that_was_deleted_is_begun_again(tmp_path):
    """After the note that was not written was told of; no zeros stand for what is gone."""
    path = tmp_path / "checkpoints"
    file = CheckpointFile(RealDisk(), path, 0)
    file.append(note(1))
    file.append(note(2))
    path.unlink()
    with pytest.raises(OSError, match="checkpoints was deleted"):
        file.append(note(3))
    file.append(note(4))
    file.close()

    assert path.read_text() == f"{note(4)}\n"


def test_a_note_that_is_not_ours_is_found_and_not_believed(tmp_path):
    """With its number in the file."""
    (tmp_path / "c").write_text(f"{note(1)}\n{note(2, OTHER)}\n")
    found = read_checkpoints(tmp_path / "c", [SIGNER.verifier])

    assert [(told.number, told.checkpoint is None) for told in found] == [(1, False), (2, True)]


def test_the_last_notes_of_a_large_file_are_read_alone(tmp_path):
    """Wherever that cuts one: what is left of it is not taken for one."""
    path = tmp_path / "c"
    path.write_text("".join(f"{note(size)}\n" for size in range(1, 6)))
    size = path.stat().st_size
    for within in range(size + 9):
        found, whole = last_checkpoints(path, [SIGNER.verifier], within)
        told = [checkpoint.size for checkpoint in found if checkpoint is not None]
        assert len(told) == len(found)
        assert told == list(range(6 - len(told), 6))
        assert len(told) >= within * 5 // size - 2
        assert whole == size or not found


def test_an_anchor_is_appended_to(tmp_path):
    """Also by others; a note that was torn is parted from the next one."""
    path = tmp_path / "anchor"
    anchor = FileAnchor(path, RealDisk())
    anchor(note(1))
    with path.open("a") as file:
        file.write(note(2)[:30])
    anchor(note(3))
    anchor(note(4))

    notes, _ = whole_notes(path.read_bytes())
    assert [text for text in notes if believed(text, [SIGNER.verifier])] == [
        note(1),
        note(3),
        note(4),
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_of_an_anchor_only_the_end_is_read(tmp_path):
    """Several write to it, for years."""
    path = tmp_path / "anchor"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole; nobody could read so much
    FileAnchor(path, RealDisk())(note(1))

    with path.open("rb") as file:
        file.seek(1 << 40)
        assert file.read() == b"\n\n" + note(1).encode() + b"\n"


def test_an_anchor_that_fails_says_so(tmp_path):
    """It is the keeper's to tell."""
    disk = FailingDisk()
    disk.fails = {"sync": OSError(5, "no")}
    with pytest.raises(OSError, match="no"):
        FileAnchor(tmp_path / "a", disk)(note(1))


def test_a_key_is_made_once(tmp_path):
    """Only its owner may read it; the line of the public one is for everybody."""
    folder = Folder(tmp_path)
    folder.make()
    made = signer_of(folder, RealDisk(), "holdfast/f/w", lambda size: b"k" * size)
    again = signer_of(folder, RealDisk(), "another name", lambda size: b"x" * size)

    assert made.line() == again.line()
    assert [publish(folder, RealDisk(), made) for _ in range(2)] == [True, False]
    assert stat.S_IMODE(folder.secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.public.stat().st_mode) == 0o644
    assert folder.public.read_text() == made.verifier.line() + "\n"


def test_earlier_keys_stay_published(tmp_path):
    """What they signed can be verified still."""
    folder = Folder(tmp_path)
    folder.make()
    for signer in (SIGNER, OTHER, SIGNER):
        publish(folder, RealDisk(), signer)

    assert folder.public.read_text().splitlines() == [
        SIGNER.verifier.line(),
        OTHER.verifier.line(),
    ]


@pytest.mark.parametrize("content", [b"nonsense", b"", b"\xff\0"])
def test_a_broken_key_stops_the_start(tmp_path, content):
    """A new one would make all that was signed look like somebody else's. It says which file."""
    folder = Folder(tmp_path)
    folder.make()
    folder.secret.write_bytes(content)
    with pytest.raises(BadKey, match=r"journal\.skey: not a secret key.*put it back"):
        signer_of(folder, RealDisk(), "holdfast/f/w", lambda size: bytes(size))


@pytest.mark.parametrize("content", [b"nonsense\n", b"\xff\0"])
def test_a_broken_file_of_verifier_keys_stops_the_start(tmp_path, content):
    """What is believed is not guessed at. It says which file, and leaves it as it is."""
    folder = Folder(tmp_path)
    folder.make()
    folder.public.write_bytes(content)
    with pytest.raises(BadKey, match=r"journal\.vkey: .*put it back"):
        publish(folder, RealDisk(), SIGNER)

    assert folder.public.read_bytes() == content


def test_a_key_has_a_line_of_its_own(tmp_path):
    """Also where somebody's editor left the last line without an end."""
    folder = Folder(tmp_path)
    folder.make()
    folder.public.write_text(OTHER.verifier.line())
    publish(folder, RealDisk(), SIGNER)

    assert [key.line() for key in keys_of(folder.public.read_text())] == [
        OTHER.verifier.line(),
        SIGNER.verifier.line(),
    ]
