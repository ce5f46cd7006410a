import asyncio
import os
import threading

import pytest

from proxy.config.disk import LARGEST
from proxy.config.watch import INTERVAL, Watch, digests
from tests.fakes import FakeClock, Turn


@pytest.fixture
def changes():
    return []


@pytest.fixture
def watch(folder, changes):
    folder.write("a: 1")
    return Watch(folder.path, lambda: changes.append(1), FakeClock())


def looks(watch, times=2):
    for _ in range(times):
        watch.saw(watch.look())


def test_a_change_is_told_once_it_has_settled(folder, watch, changes):
    """Two looks in a row must agree; then it is told once."""
    folder.write("a: 2")

    looks(watch, 1)
    assert changes == []
    looks(watch, 5)
    assert changes == [1]


def test_what_stays_the_same_is_not_told(folder, watch, changes):
    """Neither a write of the same content, nor a file that is no policy."""
    folder.write("a: 1")
    folder.write("x", "notes.txt")
    looks(watch)

    assert changes == []


def test_a_file_that_is_gone_for_a_moment_is_not_a_change(folder, watch, changes):
    """An editor saves by renaming; its rules must not be lost in between."""
    (folder.path / "p.yaml").rename(folder.path / "p.yaml~")
    looks(watch, 1)
    (folder.path / "p.yaml~").rename(folder.path / "p.yaml")
    looks(watch, 3)

    assert changes == []


def test_a_file_that_never_comes_to_rest_is_loaded_as_it_is(folder, watch, changes):
    """Within two seconds, however often somebody writes."""
    for times in range(7):
        folder.write(f"a: {times + 2}")
        looks(watch, 1)

    assert len(changes) == 2


def test_a_file_that_is_missing_must_come_to_rest(folder, watch, changes):
    """Its rules are not lost because another file changes all the time."""
    (folder.path / "p.yaml").unlink()
    for times in range(5):
        folder.write(f"b: {times}", "q.yaml")
        looks(watch, 1)
    assert changes == []

    looks(watch, 1)
    assert changes == [1]


@pytest.mark.parametrize("name", ["p.yaml", "20.yaml"])
def test_files_come_and_go(folder, watch, changes, name):
    """A new one and one that is gone for good are changes."""
    path = folder.path / name
    path.unlink() if path.exists() else path.write_text("")
    looks(watch)

    assert changes == [1]


def test_the_swap_of_a_config_map_is_seen(tmp_path, changes):
    """Kubernetes swaps a symlink to the folder that the files link into."""
    for name, text in (("one", "a: 1"), ("two", "a: 2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.yaml").write_text(text)
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "..data").symlink_to(tmp_path / "one")
    (mounted / "p.yaml").symlink_to("..data/p.yaml")
    watch = Watch(mounted, lambda: changes.append(1), FakeClock())

    (mounted / "..new").symlink_to(tmp_path / "two")
    os.replace(mounted / "..new", mounted / "..data")
    looks(watch)

    assert changes == [1]


def test_a_change_during_a_load_is_seen(folder, changes):
    """What was there when the change was told is what counts, not what is there afterwards."""
    folder.write("a: 1")
    watch = Watch(
        folder.path,
        lambda: (changes.append(1), folder.write(f"a: {len(changes) + 2}")),
        FakeClock(),
    )
    folder.write("a: 2")

    looks(watch, 2)
    watch._changed = lambda: changes.append(1)
    looks(watch, 4)

    assert changes == [1, 1]


def test_files_that_policies_name_are_watched(tmp_path, watch, changes):
    """From the load that named them; being named is no change."""
    key = tmp_path / "key"
    key.write_text("1")
    watch.loaded(digests([key]))
    looks(watch, 3)
    assert changes == []

    key.write_text("2")
    looks(watch, 3)
    assert changes == [1]

    watch.loaded({})
    key.unlink()
    looks(watch, 3)
    assert changes == [1]


def test_a_named_file_that_is_gone_is_a_change(tmp_path, watch, changes):
    """The load then fails, and the old set stays."""
    (tmp_path / "key").write_text("1")
    watch.loaded(digests([tmp_path / "key"]))
    (tmp_path / "key").unlink()
    looks(watch)

    assert changes == [1]


def test_what_is_no_file_is_not_waited_for(folder, watch, changes):
    """A pipe that comes is a change, and what it holds is nobody's matter."""
    os.mkfifo(folder.path / "q.yaml")
    looks(watch)

    assert changes == [1]


def test_the_end_of_a_long_file_is_seen_by_its_time(tmp_path, watch, changes):
    """Authorities may be longer than what is read of them."""
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(bytes(LARGEST + 2))
    watch.loaded(digests([bundle]))
    looks(watch, 3)
    assert changes == []

    bundle.write_bytes(bytes(LARGEST + 1) + b"x")
    os.utime(bundle, (1, 1))
    looks(watch)
    assert changes == [1]


def test_no_folder_never_changes(changes):
    """Nor does it fail."""
    looks(Watch("", lambda: changes.append(1), FakeClock()), 3)

    assert changes == []


def test_a_folder_that_is_gone_is_a_change(folder, watch, changes):
    """The load then fails, and the old set stays."""
    folder.path.rename(folder.path.with_name("away"))
    looks(watch)

    assert changes == [1]


async def test_looks_twice_a_second(folder, changes):
    """Until it is cancelled; the loop goes on while files are read."""
    clock = FakeClock(asleep=False)
    watch = Watch(folder.path, lambda: changes.append(threading.get_ident()), clock)
    readers = set()
    look = watch.look

    def noted():
        readers.add(threading.get_ident())
        return look()

    watch.look = noted
    folder.write("a: 2")

    async def asleep(times):
        while len(clock.slept) < times:
            await Turn()

    running = asyncio.get_running_loop().create_task(watch.run())
    told = []
    for turn in range(1, 4):
        await asyncio.wait_for(asleep(turn), 10)
        told.append(len(changes))
        clock.advance(INTERVAL)
    await asyncio.wait_for(asleep(4), 10)
    running.cancel()

    assert (told, clock.slept[0]) == ([0, 0, 1], INTERVAL)
    assert changes == [threading.get_ident()]  # it is told in the loop
    assert threading.get_ident() not in readers
