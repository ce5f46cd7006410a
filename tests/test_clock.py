"""Time, tasks, and the alarm that is set a thousand times for one timer. No test waits."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.clock import Alarm, Clock
from tests.fakes import FakeClock, Turn, run


class Timer:
    """What `call_later` gives."""

    def __init__(self, due: float, ring: Callable[[], None]) -> None:
        self.due = due
        self.ring = ring
        self.cancelled = False

    def cancel(self) -> None:
        """Never ring."""
        self.cancelled = True


class FakeLoop:
    """A loop whose time is a fake clock's. `made` are all timers it was ever asked for."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.made: list[Timer] = []

    def call_later(self, delay: float, ring: Callable[[], None]) -> Timer:
        """As the real one."""
        assert delay >= 0
        timer = Timer(self.clock.now() + delay, ring)
        self.made.append(timer)
        return timer

    @property
    def running(self) -> list[Timer]:
        """Those that will go off."""
        return [timer for timer in self.made if not timer.cancelled]

    def until(self, end: float) -> None:
        """Let the time pass; timers go off in their order."""
        while due := [timer for timer in self.running if timer.due <= end]:
            timer = min(due, key=lambda one: one.due)
            timer.cancelled = True  # it goes off once
            self.clock.time = max(self.clock.time, timer.due)
            timer.ring()
        self.clock.time = end


class Bell:
    """A real alarm on a fake loop; `rung` are the moments at which it went off."""

    def __init__(self) -> None:
        self.clock = FakeClock(at=0.0)
        self.loop = FakeLoop(self.clock)
        self.rung: list[float] = []
        self.alarm = Alarm(self.clock, lambda: self.rung.append(self.clock.now()))


@pytest.fixture
def bell(monkeypatch: pytest.MonkeyPatch) -> Bell:
    """One that is not set."""
    made = Bell()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: made.loop)
    return made


def test_it_rings_when_it_is_due(bell: Bell) -> None:
    """Once, and not before."""
    bell.alarm.set(10.0)
    bell.loop.until(9.9)
    assert bell.rung == []
    bell.loop.until(100.0)
    assert bell.rung == [10.0]


def test_a_moment_already_past_rings_at_once(bell: Bell) -> None:
    """No timer is ever set to a negative time."""
    bell.clock.time = 50.0
    bell.alarm.set(10.0)
    bell.loop.until(50.0)
    assert bell.rung == [50.0]


def test_a_cleared_one_does_not_ring(bell: Bell) -> None:
    """Its timer may still go off; nobody hears of it, and no other is made."""
    bell.alarm.set(10.0)
    bell.alarm.clear()
    bell.loop.until(100.0)
    assert bell.rung == []
    assert (len(bell.loop.made), bell.loop.running) == (1, [])


def test_a_thousand_waits_share_a_timer(bell: Bell) -> None:
    """Each wait ends long before its time; one timer a period of it is enough."""
    for call in range(1000):
        bell.loop.until(call / 100)
        bell.alarm.set(bell.clock.now() + 30.0)
        bell.alarm.clear()
    assert len(bell.loop.made) == 1


def test_a_timer_that_goes_off_early_is_set_for_the_rest(bell: Bell) -> None:
    """It was left from an earlier wait, and the one that is on has longer to go."""
    bell.alarm.set(10.0)
    bell.loop.until(5.0)
    bell.alarm.set(40.0)
    assert len(bell.loop.made) == 1
    bell.loop.until(39.9)
    assert (bell.rung, len(bell.loop.made)) == ([], 2)
    bell.loop.until(40.0)
    assert bell.rung == [40.0]


def test_an_earlier_moment_takes_a_timer_of_its_own(bell: Bell) -> None:
    """The later one is let go."""
    bell.alarm.set(40.0)
    bell.alarm.set(10.0)
    assert [timer.due for timer in bell.loop.running] == [10.0]
    bell.loop.until(100.0)
    assert bell.rung == [10.0]


def test_it_may_be_set_again_when_it_has_rung(bell: Bell) -> None:
    """Also from what it rings."""
    again = [20.0, 30.0]

    def ring() -> None:
        bell.rung.append(bell.clock.now())
        if again:
            alarm.set(again.pop(0))

    alarm = Alarm(bell.clock, ring)
    alarm.set(10.0)
    bell.loop.until(100.0)
    assert bell.rung == [10.0, 20.0, 30.0]


def test_a_closed_one_holds_no_timer(bell: Bell) -> None:
    """Nothing is left in the loop; closing twice, or one that was never set, is no error."""
    bell.alarm.close()
    bell.alarm.set(10.0)
    bell.alarm.close()
    bell.alarm.close()
    assert bell.loop.running == []
    bell.loop.until(100.0)
    assert bell.rung == []


STEPS = st.lists(
    st.tuples(st.sampled_from(["set", "clear", "pass", "close"]), st.integers(0, 20)), max_size=40
)


@given(STEPS)
def test_it_rings_exactly_when_a_naive_one_would(steps: list[tuple[str, int]]) -> None:
    """Whatever is set, cleared and let pass: one timer at most, and never late or early."""
    bell = Bell()
    naive: list[float] = []
    due: float | None = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "get_running_loop", lambda: bell.loop)
        for what, seconds in steps:
            now = bell.clock.now()
            if what == "set":
                due = now + seconds
                bell.alarm.set(due)
            elif what == "pass":
                if due is not None and due <= now + seconds:
                    naive.append(due)
                    due = None
                bell.loop.until(now + seconds)
            else:
                due = None
                getattr(bell.alarm, what)()
            assert len(bell.loop.running) <= 1
    assert bell.rung == naive


async def test_a_clock_makes_alarms_of_the_real_loop() -> None:
    """Due now, it rings in the next turns."""
    clock = Clock()
    rung = asyncio.Event()
    alarm = clock.alarm(rung.set)
    alarm.set(clock.now())
    async with asyncio.timeout(5):
        await rung.wait()
    alarm.close()


def test_sleeping_no_time_does_not_wait() -> None:
    """Zero and less return at once, without a loop."""
    for seconds in (0.0, -1.0):
        run(Clock().sleep(seconds))


def test_sleeping_is_the_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """For as long as was asked."""
    slept: list[float] = []

    async def sleeps(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleeps)
    run(Clock().sleep(2.5))
    assert slept == [2.5]


def test_chance_is_the_same_for_the_same_seed() -> None:
    """So that a test owns it."""
    assert Clock(5).chance.random() == Clock(5).chance.random()


def test_time_goes_forward() -> None:
    """`now` never goes back, `wall` counts from 1970."""
    clock = Clock()
    assert clock.now() <= clock.now()
    assert clock.wall() > 1_600_000_000


async def test_what_is_spawned_is_held_until_it_ends() -> None:
    """Its result is the task's."""
    clock = Clock()

    async def work() -> int:
        await Turn()
        return 3

    task = clock.spawn(work())
    assert clock._tasks == {task}
    assert await task == 3
    await Turn()
    assert clock._tasks == set()


async def test_stopping_ends_what_was_spawned() -> None:
    """Cancelled and seen to end, whatever it does about it: errors on the way out are dropped."""
    clock = Clock()
    ends: list[str] = []
    never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def work(name: str, error: Exception | None) -> None:
        try:
            await asyncio.shield(never)
        finally:
            ends.append(name)
            if error is not None:
                raise error

    clock.spawn(work("quiet", None))
    clock.spawn(work("loud", ValueError("on the way out")))
    await Turn()
    await clock.stop()
    assert sorted(ends) == ["loud", "quiet"]
    never.cancel()


async def test_what_is_soon_runs_once_all_that_is_ready_is_done() -> None:
    """In its order, in one go; what is asked for meanwhile waits for the next turn."""
    clock, done = Clock(), list[str]()

    def again() -> None:
        done.append("a")
        clock.soon(lambda: done.append("c"))

    clock.soon(again)
    clock.soon(lambda: done.append("b"))
    assert done == []
    await Turn()
    assert done == ["a", "b"]
    await Turn()
    assert done == ["a", "b", "c"]


async def test_what_breaks_soon_does_not_stop_the_others() -> None:
    """The loop reports it."""
    clock, done, told = Clock(), list[str](), list[str]()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, told_of: told.append(str(told_of["exception"])))

    def breaks() -> None:
        raise ValueError("broken")

    clock.soon(breaks)
    clock.soon(lambda: done.append("b"))
    for _ in range(3):
        await Turn()
    assert (done, told) == (["b"], ["broken"])


def test_uuids_are_the_same_for_the_same_seed_only() -> None:
    """Without one nobody can tell the next from those before, however many he saw."""
    assert Clock(seed=7).uuid() == Clock(seed=7).uuid()
    clock = Clock()
    state = clock.chance.getstate()
    clock.uuid()
    assert clock.chance.getstate() == state


def test_windows_are_as_long_as_they_are():
    """Without a drill there is one clock."""
    clock = FakeClock()

    assert (clock.fast_now, clock.fast_wall) == (clock.now, clock.wall)
    assert clock.lasting(90.0) == 90.0


def test_in_a_drill_windows_pass_faster():
    """From the real time on, and forward only."""
    clock = FakeClock(drill=60)
    began = clock.now(), clock.wall()
    assert (clock.fast_now(), clock.fast_wall()) == began

    clock.advance(2.0)

    assert (clock.now(), clock.wall()) == (began[0] + 2, began[1] + 2)
    assert (clock.fast_now(), clock.fast_wall()) == (began[0] + 120, began[1] + 120)
    assert clock.lasting(90.0) == 1.5
