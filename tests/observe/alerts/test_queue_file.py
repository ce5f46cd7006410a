"""proxy/observe/alerts/queue_file.py: whatever happens to it, what was durable is there."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.journal.disk import RealDisk
from proxy.observe.alerts import queue_file as module
from proxy.observe.alerts.queue_file import Done, Entry, Found, Off, QueueFile, Waits
from tests.journal.disks import Died, DyingDisk, FailingDisk, PowerlessDisk, QuickDisk
from tests.observe.alerts.notices import notice, over

A, B, C = Waits(notice("a")), Waits(over("b")), Waits(notice("c", receiver="boss"))
GONE = Off("ops", "0123456789ab", "it answered 410")


def read(folder: Path) -> Found:
    """By the next process."""
    file = QueueFile(folder, QuickDisk())
    found = file.read()
    file.close()
    return found


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    """What waits, in its order; what is done; who wants to hear nothing."""
    file = QueueFile(tmp_path / "data" / "alerts", RealDisk())
    assert file.read() == Found()
    assert file.size == 0
    file.rewrite([A, B])
    file.append([Done("a"), GONE])
    file.append([C])
    file.close()
    found = read(tmp_path / "data" / "alerts")
    assert found == Found({"b": B.notice, "c": C.notice}, {"a": None}, {"ops": GONE})
    assert (tmp_path / "data" / "alerts").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "alerts" / "queue").stat().st_mode & 0o777 == 0o600


def test_it_remembers_what_is_done_for_a_while(tmp_path: Path) -> None:
    """The newest."""
    file = QueueFile(tmp_path, QuickDisk())
    file.rewrite([Done(str(n)) for n in range(module.REMEMBERED + 1)])
    file.close()
    done = list(read(tmp_path).done)
    assert (len(done), done[0]) == (module.REMEMBERED, "1")


def test_who_is_told_again_is_off_no_more(tmp_path: Path) -> None:
    """The last word counts."""
    file = QueueFile(tmp_path, QuickDisk())
    file.rewrite([GONE, Off("ops", "")])
    file.append([Off("boss", "")])
    file.close()
    assert read(tmp_path) == Found()


STEPS: Sequence[tuple[str, Sequence[Entry]]] = (
    ("rewrite", [A]), ("append", [B, GONE]), ("append", [Done("a")]), ("rewrite", [B, GONE]),
    ("append", [C, Done("b")]),
)  # fmt: skip


def expected() -> list[Found]:
    """What there is after each of the steps, and before the first."""
    states = [Found()]
    for what, entries in STEPS:
        found = Found() if what == "rewrite" else Found(
            dict(states[-1].waits), dict(states[-1].done), dict(states[-1].off))  # fmt: skip
        for entry in entries:
            found.take(entry)
        states.append(found)
    return states


@pytest.mark.parametrize("kind", [DyingDisk, PowerlessDisk])
@pytest.mark.parametrize("steps", range(40))
def test_it_may_die_at_any_step(tmp_path: Path, kind: type[DyingDisk], steps: int) -> None:
    """What a step made durable is there, and it goes on; of the last one, all or a beginning."""
    file, done = QueueFile(tmp_path, kind(steps)), 0
    try:
        file.read()
        for what, entries in STEPS:
            getattr(file, what)(entries)
            done += 1
    except Died:
        pass
    found = read(tmp_path)
    assert found.damaged == 0
    states = expected()
    begun = [Found(dict(states[done].waits), dict(states[done].done), dict(states[done].off))]
    if done < len(STEPS) and STEPS[done][0] == "append":
        for entry in STEPS[done][1]:
            further = Found(dict(begun[-1].waits), dict(begun[-1].done), dict(begun[-1].off))
            further.take(entry)
            begun.append(further)
    assert found in [*begun, *states[done : done + 2]]
    again = QueueFile(tmp_path, QuickDisk())
    again.read()
    again.rewrite([C])
    again.append([GONE])
    again.close()
    assert read(tmp_path) == Found({"c": C.notice}, {}, {"ops": GONE})


def whole(folder: Path) -> bytes:
    """A file with five lines."""
    file = QueueFile(folder, QuickDisk())
    file.rewrite([A, B, Done("x"), GONE, C])
    file.close()
    return (folder / "queue").read_bytes()


def test_it_may_be_cut_at_any_byte(tmp_path: Path) -> None:
    """That is a crash: all lines before are there, and what comes is appended to them."""
    content = whole(tmp_path)
    for size in range(len(content)):
        (tmp_path / "queue").write_bytes(content[:size])
        file = QueueFile(tmp_path, QuickDisk())
        found = file.read()
        assert found.damaged == 0
        assert len(found.waits) + len(found.done) + len(found.off) == content[:size].count(b"\n")
        assert file.size == content[:size].rfind(b"\n") + 1
        file.close()


@given(st.data())
def test_any_byte_of_it_may_be_another(tmp_path_factory: pytest.TempPathFactory,
                                       data: st.DataObject) -> None:  # fmt: skip
    """That is damage: it is told, moved aside, and all other lines count."""
    folder = tmp_path_factory.mktemp("queue")
    content = bytearray(whole(folder))
    place = data.draw(st.integers(0, len(content) - 2))
    content[place] ^= data.draw(st.integers(1, 255))
    (folder / "queue").write_bytes(content)
    file = QueueFile(folder, QuickDisk())
    found = file.read()
    assert 1 <= found.damaged <= 2
    assert len(found.waits) + len(found.done) + len(found.off) >= 3
    assert file.size == 0
    assert (folder / "queue.damaged").read_bytes() == content
    file.rewrite([A])
    file.close()
    assert read(folder) == Found({"a": A.notice})


def test_what_a_newer_version_wrote_is_no_crash(tmp_path: Path) -> None:
    """Its lines are whole, and unknown."""
    content = b'{"type":"unheard"}'
    line = module._line(content)
    (tmp_path / "queue").write_bytes(line)
    assert read(tmp_path).damaged == 1


def test_a_file_without_end_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else wrote to it."""
    content = whole(tmp_path)
    monkeypatch.setattr(module, "LARGEST", content.index(b"\n") + 5)
    found = read(tmp_path)
    assert (list(found.waits), found.damaged) == (["a"], 1)


def test_one_that_cannot_be_read_is_not_written_over(tmp_path: Path) -> None:
    """It is moved aside when the next one is written."""
    (tmp_path / "queue").mkdir()
    file = QueueFile(tmp_path, QuickDisk())
    with pytest.raises(OSError):
        file.read()
    file.rewrite([A])
    file.rewrite([A, B])
    file.close()
    assert (tmp_path / "queue.damaged").is_dir()
    assert list(read(tmp_path).waits) == ["a", "b"]


@pytest.mark.parametrize("what", ["write", "sync", "rename", "open"])
def test_what_fails_leaves_what_was_there(tmp_path: Path, what: str) -> None:
    """And after a failed fsync nothing is appended to that file."""
    disk = FailingDisk()
    file = QueueFile(tmp_path, disk)
    file.rewrite([A])
    disk.fails[what] = OSError(28, "No space left on device")
    if what in {"write", "sync"}:
        with pytest.raises(OSError):
            file.append([B])
        assert (file.size == 0) == (what == "sync")
    with pytest.raises(OSError):
        file.rewrite([B])
    assert list(read(tmp_path).waits) == ["a"]
    disk.fails.clear()
    file.rewrite([A, B])
    file.append([C])
    file.close()
    assert list(read(tmp_path).waits) == ["a", "b", "c"]
