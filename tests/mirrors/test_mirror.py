"""proxy/mirrors/mirror.py: at least once, in order, and never in anybody's way."""

import asyncio
import errno
from pathlib import Path

import pytest

from proxy.journal.disk import RealDisk
from proxy.mirrors import mirror as module
from proxy.mirrors.mirror import IN_A_ROW, TRIES, Terms
from proxy.mirrors.sink import Said
from tests.fakes import Turn
from tests.journal.written import DAY
from tests.mirrors.scene import Scene, Taking, running, until

REFUSES = Said(0, "it answered 503")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def says(said: Said):
    return lambda events: said


async def test_all_that_is_there_is_told_in_its_order(scene: Scene):
    """And what comes later, and each once where all is well."""
    scene.written.note(*"abcdefgh")
    sink = Taking()
    mirror = scene.mirror(sink)
    async with running(mirror):
        while len(sink.seqs) < 9:
            await Turn()
        scene.written.note("i", "j")
        while len(sink.seqs) < 11:
            await Turn()

    assert sink.seqs == list(range(1, 12))
    assert mirror.counts.sent == 11
    assert mirror.lag == 0
    assert mirror.waits_for == ""
    assert sink.closed
    assert scene.cursor().seq == 11
    assert scene.heard == []


async def test_it_begins_with_what_comes_from_now_on(scene: Scene):
    """Unless it is asked for all that there is."""
    scene.written.note("a", "b")
    sink = Taking()
    async with running(scene.mirror(sink, begins="now")):
        while not sink.idles:
            await Turn()
        scene.written.note("c")
        while not sink.seqs:
            await Turn()

    assert sink.seqs == [4]


async def test_it_goes_on_after_a_restart(scene: Scene):
    """Where it was; also one that was removed for a while."""
    scene.written.note("a")
    first = Taking()
    await until(scene.mirror(first), lambda: first.idles > 0)
    scene.written.note("b")

    second = Taking()
    await until(scene.mirror(second, begins="now"), lambda: second.idles > 0)

    assert (first.seqs, second.seqs) == ([1, 2], [3])


async def test_a_process_that_dies_tells_some_twice_and_none_not(scene: Scene):
    """Of a batch of which a part was taken the same comes again, with the same ids."""
    scene.written.note(*"abcde")
    first = Taking(says(Said(2, "it answered 503")), says(REFUSES))
    mirror = scene.mirror(first)
    kept = b""
    async with running(mirror):
        while len(first.asked) < 2:
            await Turn()
        kept = mirror._file.path.read_bytes()  # as a crash leaves it
    mirror._file.path.write_bytes(kept)

    second = Taking()
    await until(scene.mirror(second), lambda: second.idles > 0)

    assert first.seqs == [1, 2]
    assert second.seqs[-1] == 6
    assert second.seqs == list(range(second.seqs[0], 7))
    assert second.seqs[0] <= 3
    same = [event for event in second.took if event.seq <= 2]
    assert [event.id for event in same] == [e.id for e in first.took[second.seqs[0] - 1 :]]


async def test_only_what_is_wanted_is_told(scene: Scene):
    """By globs; the place goes along all the same."""
    scene.written.note("a", "b")
    sink = Taking()
    await until(scene.mirror(sink, types=("checkpoint",)), lambda: sink.idles > 0)

    assert sink.seqs == [1]
    assert scene.cursor().seq == 3


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        (("*",), {"call.finished", "kill.engaged", "start"}),
        (("!call.*",), {"kill.engaged", "start"}),
        (("kill.*", "start"), {"kill.engaged", "start"}),
        (("*", "!start"), {"call.finished", "kill.engaged"}),
    ],
)
def test_types_are_globs(types, wanted):
    """With a leading ! those that are not wanted."""
    terms = Terms("siem", "webhook", "", types)

    assert {word for word in ("call.finished", "kill.engaged", "start") if terms.wants(word)} == (
        wanted
    )


async def test_a_receiver_that_fails_is_asked_for_ever(scene: Scene):
    """Longer and longer after, with some chance in it; nothing is set aside, and the next are
    told as soon as it takes one."""
    scene.written.note("a")
    sink = Taking(*[says(REFUSES)] * 20)
    mirror = scene.mirror(sink)
    await until(mirror, lambda: sink.idles > 0)

    waits = [wait for wait in scene.clock.slept if wait > module.POLL]
    assert sink.seqs == [1, 2]
    assert len(waits) == 20
    assert all(0.5 * 2**n <= wait <= 2**n for n, wait in enumerate(waits[:8]))
    assert max(waits) <= module.LONGEST
    assert mirror.counts == module.Counts(sent=2, failed=20)
    assert scene.heard == [("failing", "it answered 503"), ("ok", "it gets on again")]
    assert mirror.trouble == ""


async def test_a_receiver_may_ask_for_time(scene: Scene):
    """It gets it, up to an hour."""
    scene.written.note("a")
    sink = Taking(
        says(Said(0, "it answered 429", retry_after=120.0)),
        says(Said(0, "it answered 429", retry_after=1e9)),
    )
    await until(scene.mirror(sink), lambda: sink.idles > 0)

    assert 120.0 in scene.clock.slept
    assert max(scene.clock.slept) == module.PATIENT


async def test_a_record_that_nobody_wants_is_set_aside(scene: Scene):
    """Once it is known which of a batch it is, and after some tries; those around it are told."""
    scene.written.note(*"abcdefg")

    def poisoned(events):
        before = [event.seq for event in events].index(5) if 5 in [e.seq for e in events] else None
        return Said(len(events)) if before is None else Said(0, "it answered 400", len(events))

    sink = Taking(*[poisoned] * 40)
    mirror = scene.mirror(sink)
    await until(mirror, lambda: sink.idles > 0)

    assert sink.seqs == [1, 2, 3, 4, 6, 7, 8]
    assert mirror.counts.aside == 1
    assert sink.asked.count([5]) == TRIES
    assert ("aside", "it does not want the record with seq 5: it answered 400") in scene.heard
    assert [(each.seq, each.why) for each in scene.cursor().aside] == [(5, "it answered 400")]


async def test_not_all_records_are_set_aside(scene: Scene):
    """Where it wants none, something is wrong with the receiver: the rest waits."""
    scene.written.note(*(str(n) for n in range(40)))
    sink = Taking()
    sink.at_once = 1
    sink.says = [says(Said(0, "it answered 400", 1))] * (TRIES * IN_A_ROW + 200)
    mirror = scene.mirror(sink)
    await until(mirror, lambda: sink.idles > 0)

    assert mirror.counts.aside == IN_A_ROW
    assert sink.seqs == list(range(IN_A_ROW + 1, 42))


async def test_one_that_is_gone_is_left_alone(scene: Scene):
    """Until its policies change, or the process begins anew: its place is kept."""
    scene.written.note("a", "b")
    sink = Taking(says(Said(1, "it answered 410", gone=True)))
    mirror = scene.mirror(sink)

    await mirror.run()

    assert mirror.trouble == "it answered 410"
    assert scene.states == ["gone"]
    assert scene.cursor().seq == 1
    assert sink.closed
    again = Taking()
    await until(scene.mirror(again), lambda: again.idles > 0)
    assert again.seqs == [2, 3]


async def test_what_was_deleted_before_it_was_told_is_told_as_a_gap(tmp_path: Path):
    """To the receiver, to the log, and in the count."""
    scene = Scene(tmp_path, segment_bytes=1)
    scene.written.note("a")
    first = Taking()
    await until(scene.mirror(first), lambda: first.idles > 0)
    scene.written.note("b")
    scene.written.note("c")
    scene.written.note("d")
    scene.written.folder.segment(2).unlink()
    scene.written.folder.segment(3).unlink()

    sink = Taking()
    mirror = scene.mirror(sink)
    await until(mirror, lambda: sink.idles > 0)

    missing = sink.seqs[0] - 1
    assert sink.holes == [b'{"kind":"missing","first":3,"last":%d}' % missing]
    assert sink.seqs == list(range(missing + 1, scene.written.journal.seq + 1))
    assert mirror.counts.lost == missing - 2
    assert scene.heard == [("gap", f"missing: seq 3 to {missing}")]


async def test_a_journal_that_is_not_what_was_told(scene: Scene):
    """What was told and is no more is told as a gap; what came in its place is told."""
    scene.written.note(*"abc")
    first = Taking()
    await until(scene.mirror(first), lambda: first.idles > 0)
    path = scene.written.folder.segment(1)
    kept = path.read_bytes().split(b"\n")[:2]
    scene.written.die()
    path.write_bytes(b"\n".join(kept) + b"\n")
    again = Scene(scene.data_dir)
    again.written.note("d")

    sink = Taking()
    mirror = again.mirror(sink)
    await until(mirror, lambda: sink.idles > 0)

    assert sink.holes[0].startswith(b'{"kind":"rewritten","first":')
    assert sink.seqs[-1] == again.written.journal.seq
    assert {3, again.written.journal.seq} <= set(sink.seqs)
    assert mirror.counts.lost == 0
    assert again.cursor().seq == again.written.journal.seq


class FullDisk(RealDisk):
    """It is full while `full`."""

    full = False

    def write(self, file, content):  # type: ignore[override]
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return RealDisk.write(file, content)


async def test_while_its_place_cannot_be_saved_it_tells_no_more(tmp_path: Path):
    """A full disk stops the mirror, and nothing else; then it goes on."""
    disk = FullDisk()
    scene = Scene(tmp_path, disk=disk)
    scene.written.note("a")
    sink = Taking()
    mirror = scene.mirror(sink)
    async with running(mirror):
        while sink.idles < 2:
            await Turn()
        disk.full = True
        scene.written.note("b")
        while not mirror.trouble:
            await Turn()
        told = len(sink.seqs)
        scene.written.note("c")
        for _ in range(50):
            await asyncio.to_thread(lambda: None)
        assert mirror.trouble == "the disk: No space left on device"
        assert len(sink.seqs) == told
        disk.full = False
        while len(sink.seqs) < 4:
            await Turn()

    assert sink.seqs == [1, 2, 3, 4]
    assert scene.states == ["failing", "ok"]


async def test_a_disk_that_is_full_to_the_end(tmp_path: Path):
    """It ends all the same; what was not saved is told twice."""
    disk = FullDisk()
    scene = Scene(tmp_path, disk=disk)
    scene.written.note("a")
    sink = Taking()
    async with running(scene.mirror(sink)):
        while sink.idles < 2:
            await Turn()
        disk.full = True
        scene.written.note("b")
        while len(sink.seqs) < 3:
            await Turn()

    disk.full = False
    again = Taking()
    await until(scene.mirror(again), lambda: again.idles > 0)
    assert again.seqs == [3]


@pytest.mark.parametrize(("careful", "seqs"), [(False, [1, 2]), (True, [])])
async def test_a_damaged_cursor(scene: Scene, careful: bool, seqs: list[int]):
    """All is told once more; but where that has a price it begins with now. People are told."""
    scene.written.note("a")
    first = Taking()
    await until(scene.mirror(first), lambda: first.idles > 0)
    path = scene.mirror(first)._file.path
    path.write_bytes(b"nonsense")

    sink = Taking()
    sink.careful = careful
    await until(scene.mirror(sink), lambda: sink.idles > 0)

    assert sink.seqs == seqs
    assert scene.states == ["damaged"]
    assert path.with_name("siem.cursor.damaged").read_bytes() == b"nonsense"


async def test_a_mirror_of_another_kind_begins_anew(scene: Scene):
    """It has the name of one that was, and nothing else of it."""
    scene.written.note("a")
    first = Taking()
    first.dump = lambda: {"sums": 1}
    await until(scene.mirror(first), lambda: first.idles > 0)

    sink = Taking()
    await until(scene.mirror(sink, kind="stdout", begins="oldest"), lambda: sink.idles > 0)

    assert sink.seqs == [1, 2]
    assert sink.state is None
    assert scene.heard == [("moved", "it was of kind webhook: it begins anew")]


async def test_one_that_goes_elsewhere_goes_on(scene: Scene):
    """Its URL has changed; it is said, for the name may have been another one's."""
    scene.written.note("a")
    first = Taking()
    first.dump = lambda: {"sums": 1}
    await until(scene.mirror(first), lambda: first.idles > 0)
    scene.written.note("b")

    sink = Taking()
    await until(scene.mirror(sink, target="y"), lambda: sink.idles > 0)

    assert sink.seqs == [3]
    assert sink.state == {"sums": 1}
    assert scene.heard == [("moved", "it goes elsewhere, and on behind seq 2")]


async def test_what_is_summed_up_is_tried_again_or_given_up(scene: Scene):
    """When there is nothing new: as records. That it was taken is told, though no record comes."""
    sink = Taking()
    sink.idle_says = [REFUSES, REFUSES, Said(0), Said(0, "it answered 422", 1), REFUSES]
    mirror = scene.mirror(sink)
    await until(mirror, lambda: sink.idles > 6)

    assert (mirror.counts.failed, mirror.counts.aside) == (3, 1)
    assert scene.states == ["failing", "ok", "aside", "failing", "ok"]
    assert mirror.trouble == ""


async def test_memory_is_bounded_however_far_behind_it_is(tmp_path: Path):
    """It holds one batch; the journal goes on, and so does the loop."""
    scene = Scene(tmp_path)
    waiting = asyncio.Event()
    sink = Taking()
    real = sink.take
    longest = 0

    async def slowly(events):
        nonlocal longest
        longest = max(longest, sum(len(event.line) for event in events))
        await waiting.wait()
        return await real(events)

    sink.take = slowly
    sink.at_once = 1000
    scene.written.note("first")
    mirror = scene.mirror(sink)
    async with running(mirror):
        while not mirror.waits_for:
            await Turn()
        for number in range(100):
            scene.written.note(*(f"{number}-{each}" for each in range(100)), text="x" * 500)
            await Turn()
        assert mirror.lag > 9_000
        assert mirror.waits_for != ""
        waiting.set()
        while mirror.lag:
            await Turn()

    assert sink.seqs == list(range(1, scene.written.journal.seq + 1))
    assert longest <= module.READS * 1200


async def test_a_long_record_goes_as_any_other(scene: Scene):
    """4 MB."""
    scene.written.note("a", text="x" * (4 << 20))
    scene.written.note("b")
    sink = Taking()
    await until(scene.mirror(sink), lambda: sink.idles > 0)

    assert sink.seqs == [1, 2, 3]


async def test_over_rotation_and_compression(tmp_path: Path):
    """While it runs."""
    scene = Scene(tmp_path, segment_bytes=2000)
    sink = Taking()
    async with running(scene.mirror(sink)):
        for number in range(40):
            scene.written.note(f"{number}")
            if number % 7 == 0:
                scene.clock.advance(DAY)
                scene.written.tidy()
            await Turn()
        while len(sink.seqs) < scene.written.journal.seq:
            await Turn()

    assert sink.seqs == list(range(1, scene.written.journal.seq + 1))


async def test_it_is_stopped_while_it_reads(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    """The thread is done before anybody else reads."""
    inside, go = asyncio.Event(), asyncio.Event()
    sink = Taking()
    mirror = scene.mirror(sink)
    loop = asyncio.get_running_loop()
    real = mirror._more
    done = []

    def more():
        loop.call_soon_threadsafe(inside.set)
        asyncio.run_coroutine_threadsafe(go.wait(), loop).result()
        done.append(True)
        return real()

    monkeypatch.setattr(mirror, "_more", more)
    task = loop.create_task(mirror.run())
    await inside.wait()
    task.cancel()
    await Turn()
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]
    assert sink.closed


async def test_one_that_is_sure_is_not_asked_again(scene: Scene):
    """Each record that it does not want is set aside at once, however many; people are told once
    for a reason and a minute."""
    scene.written.note(*(str(n) for n in range(40)))
    sink = Taking()
    sink.at_once, sink.sure = 1, True
    sink.says = [says(Said(0, "it answered 402", 1))] * 30 + [says(REFUSES)]
    mirror = scene.mirror(sink)
    await until(mirror, lambda: sink.idles > 0)

    assert mirror.counts.aside == 30
    assert sink.seqs == list(range(31, 42))
    assert scene.states == ["aside", "failing", "ok"]
