"""proxy/observe/alerts/courier.py: one receiver is told, when it can be, and in order."""

import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest

from proxy.observe.alerts.courier import EXPIRES, JITTER, PROMPT, RESEND, SCHEDULE, Courier
from proxy.observe.alerts.notice import Notice, Whence
from proxy.observe.alerts.receiver import Kind, Receiver
from proxy.posts import Answer, Headers
from tests.fakes import FakeClock, Turn
from tests.harness import within
from tests.observe.alerts.notices import notice, told

OK, BUSY = Answer(200), Answer(503, "it answered 503")


class Scene:
    """A courier, the desk that it asks, and the receiver's answers: OK when the script ends."""

    def __init__(self, kind: Kind = "webhook", drill: int = 1) -> None:
        self.clock = FakeClock(asleep=False, drill=drill)
        self.receiver = Receiver(
            name="ops", kind=kind, url="https://far.example", secrets=("R",) if kind == "pagerduty"
            else (),
        )  # fmt: skip
        self.courier = Courier(self.receiver, self, self.post, self.clock, Whence("pricing-01"))
        self.waits: deque[Notice] = deque()
        self.fires: list[Notice] = []
        self.script: deque[Answer] = deque()
        self.posts: list[tuple[float, bytes, Headers]] = []
        self.results: list[tuple[str, str]] = []
        self.told: list[str] = []
        self.expired: list[float] = []
        self.off = False

    async def post(self, url: str, content: bytes, headers: Headers, /, **_: Any) -> Answer:
        self.posts.append((self.clock.now() - 1000.0, content, headers))
        return self.script.popleft() if self.script else OK

    def add(self, *notices: Notice) -> None:
        self.waits.extend(notices)
        self.courier.ring()

    def next(self, receiver: str) -> Notice | None:
        assert receiver == "ops"
        return self.waits[0] if self.waits else None

    def back(self, receiver: str) -> None:
        assert receiver == "ops"

    def settled(self, notice: Notice, result: str) -> None:
        self.waits.remove(notice)
        self.results.append((notice.id, result))

    def tried(self, receiver: str, why: str) -> None:
        assert receiver == "ops"
        self.told.append(why)

    def expire(self, receiver: str, seconds: float) -> None:
        self.expired.append(seconds)

    def gone(self, receiver: Receiver) -> None:
        self.off = True
        self.waits.clear()

    def standing(self, receiver: str) -> Iterable[Notice]:
        return self.fires

    @property
    def ids(self) -> list[str]:
        """Of what was posted, as webhooks are told."""
        return [dict(headers)["webhook-id"] for _, _, headers in self.posts]

    @property
    def times(self) -> list[float]:
        """Seconds from the start to each post."""
        return [at for at, _, _ in self.posts]

    async def until(self, so: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not so():
                await Turn()

        await within(wait())

    async def slept(self, times: int) -> float:
        """The courier sleeps for that time; how long it means to."""
        await self.until(lambda: len(self.clock.slept) >= times)
        return self.clock.slept[times - 1]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """One with a courier at work."""
    made = Scene()
    made.clock.spawn(made.courier.run())
    yield made
    await made.clock.stop()


def jittered(seconds: float, least: float) -> bool:
    """Is it that, and up to `JITTER` of it more?"""
    return least <= seconds <= least * (1 + JITTER)


async def test_what_waits_is_told_in_its_order(scene: Scene) -> None:
    """What comes later as well."""
    scene.add(notice("a"), notice("b"))
    await scene.until(lambda: len(scene.results) == 2)
    scene.add(notice("c"))
    await scene.until(lambda: len(scene.results) == 3)
    assert scene.results == [("a", "sent"), ("b", "sent"), ("c", "sent")]
    assert scene.ids == ["a", "b", "c"]
    assert scene.told == ["", "", ""]


async def test_the_schedule_is_that_of_standard_webhooks(scene: Scene) -> None:
    """Each wait is a little longer by chance; the same id each time; others wait behind it."""
    scene.script.extend([BUSY] * 11)
    scene.add(notice("a"), notice("b"))
    slept = scene.clock.slept
    while not scene.results:
        await scene.until(lambda: bool(scene.results or slept))
        while slept:
            scene.clock.advance(slept.pop(0))
    await scene.until(lambda: len(scene.results) == 2)
    assert scene.ids == ["a"] * 12 + ["b"]
    assert scene.results == [("a", "sent"), ("b", "sent")]
    assert scene.expired == [EXPIRES] * 11
    assert scene.told == ["it answered 503"] * 11 + ["", ""]
    waits = [after - before for before, after in itertools.pairwise(scene.times[:12])]
    for wait, least in zip(waits, [*SCHEDULE, SCHEDULE[-1], SCHEDULE[-1]], strict=True):
        assert jittered(wait, least)
    assert len(set(waits)) == 11
    stamps = [dict(headers)["webhook-timestamp"] for _, _, headers in scene.posts[:12]]
    assert len(set(stamps)) == 12


async def test_after_a_success_the_schedule_begins_anew(scene: Scene) -> None:
    """A failure that is over counts no more."""
    scene.script.extend([BUSY, OK, BUSY])
    scene.add(notice("a"), notice("b"))
    first = await scene.slept(1)
    scene.clock.advance(first)
    second = await scene.slept(2)
    assert jittered(first, 5.0)
    assert jittered(second, 5.0)


async def test_something_new_is_not_kept_waiting(scene: Scene) -> None:
    """It has the oldest tried again, half a minute after the last try, and the schedule goes on."""
    scene.script.extend([BUSY] * 3)
    scene.add(notice("a"))
    scene.clock.advance(await scene.slept(1))
    assert await scene.slept(2) == PROMPT
    scene.clock.advance(PROMPT)
    rest = await scene.slept(3)
    assert jittered(rest + PROMPT, 300.0)
    scene.clock.advance(100.0)
    scene.add(notice("b"))
    await scene.until(lambda: len(scene.posts) == 3)
    assert await scene.slept(4) == PROMPT
    scene.clock.advance(PROMPT)
    assert await scene.slept(5) == pytest.approx(rest - 100.0 - PROMPT)
    scene.clock.advance(rest)
    await scene.until(lambda: len(scene.results) == 2)
    assert scene.ids == ["a", "a", "a", "a", "b"]


async def test_what_came_while_it_was_tried_is_new_as_well(scene: Scene) -> None:
    """There is no moment in which it is missed."""
    scene.script.extend([BUSY, BUSY])
    scene.add(notice("a"))
    first = await scene.slept(1)
    scene.add(notice("b"))
    scene.clock.advance(first)
    assert await scene.slept(2) == PROMPT
    scene.add(notice("c"))
    scene.clock.advance(PROMPT)
    await scene.until(lambda: len(scene.results) == 3)


@pytest.mark.parametrize(("asked", "seconds"), [(120.0, 120.0), (1.0, 5.0), (86_400.0, 86_400.0)])
async def test_a_receiver_may_ask_for_time(scene: Scene, asked: float, seconds: float) -> None:
    """It gets it, and no less; also where something new comes."""
    scene.script.append(Answer(429, "it answered 429", asked))
    scene.add(notice("a"))
    assert await scene.slept(1) == seconds
    scene.add(notice("b"))
    scene.clock.advance(seconds - 0.1)
    for _ in range(20):
        await Turn()
    assert scene.times == [0.0]
    scene.clock.advance(0.1)
    await scene.until(lambda: len(scene.results) == 2)


async def test_who_is_gone_is_told_nothing_more(scene: Scene) -> None:
    """410 is its word."""
    scene.script.append(Answer(410, "it answered 410"))
    scene.add(notice("a"), notice("b"))
    await scene.until(lambda: scene.off)
    for _ in range(20):
        await Turn()
    assert scene.ids == ["a"]
    assert (scene.results, scene.clock.slept) == ([], [])


async def test_a_notice_that_is_refused_holds_up_no_other(scene: Scene) -> None:
    """After three tries: what is wrong is in it, and waiting mends nothing."""
    scene.script.extend(
        [Answer(400, "it answered 400"), BUSY, Answer(422, "no"), Answer(413, "no")]
    )
    scene.add(notice("a"), notice("b"))
    for times in range(1, 20):
        if scene.results:
            break
        scene.clock.advance(await scene.slept(times))
        for _ in range(20):
            await Turn()
    await scene.until(lambda: len(scene.results) == 2)
    assert scene.results == [("a", "rejected"), ("b", "sent")]
    assert scene.ids == ["a"] * 4 + ["b"]


async def test_a_notice_that_cannot_be_written_is_refused(scene: Scene) -> None:
    """As if the receiver had done so."""
    scene.add(notice("a", told(starts_at=1e30)), notice("b"))
    scene.clock.advance(await scene.slept(1))
    scene.clock.advance(await scene.slept(2))
    scene.clock.advance(await scene.slept(3))
    await scene.until(lambda: len(scene.results) == 2)
    assert scene.results == [("a", "rejected"), ("b", "sent")]
    assert scene.told[:3] == ["it cannot be written: OverflowError"] * 3


async def test_of_many_posts_only_the_rest_is_sent_again() -> None:
    """PagerDuty is sent one for each alert, and limits how many it takes."""
    scene = Scene("pagerduty")
    scene.clock.spawn(scene.courier.run())
    scene.script.extend([OK, BUSY, OK, BUSY])
    scene.add(notice("a", *(told(each) for each in "123")))
    scene.clock.advance(await scene.slept(1))
    scene.clock.advance(await scene.slept(2))
    scene.clock.advance(await scene.slept(3))
    await scene.until(lambda: len(scene.results) == 1)
    sent = [content.partition(b'"dedup_key":"')[2][:1] for _, content, _ in scene.posts]
    assert sent == [b"1", b"2", b"2", b"3", b"3"]
    scene.add(notice("b", told("4")))
    await scene.until(lambda: len(scene.results) == 2)
    assert len(scene.posts) == 6
    await scene.clock.stop()


async def test_in_a_drill_it_passes_faster() -> None:
    """All but what the receiver asks for: it is a real one."""
    scene = Scene(drill=100)
    scene.clock.spawn(scene.courier.run())
    scene.script.extend([BUSY, Answer(429, "it answered 429", 60.0)])
    scene.add(notice("a"))
    first = await scene.slept(1)
    scene.clock.advance(first)
    assert jittered(first, 0.05)
    assert await scene.slept(2) == 60.0
    assert scene.expired == [EXPIRES / 100] * 2
    await scene.clock.stop()


async def test_an_alertmanager_is_told_again_of_what_fires() -> None:
    """Each minute, in one post; what fails is not tried before the next."""
    scene = Scene("alertmanager")
    scene.clock.spawn(scene.courier.resend())
    assert await scene.slept(1) == RESEND
    scene.clock.advance(RESEND)
    await scene.slept(2)
    assert scene.posts == []
    scene.fires = [notice("a", told("1"), told("2")), notice("b", told("3"))]
    scene.script.append(BUSY)
    for times in (2, 3):
        scene.clock.advance(await scene.slept(times))
    await scene.slept(4)
    assert [content.count(b'"alertname"') for _, content, _ in scene.posts] == [3, 3]
    assert scene.told == ["it answered 503", ""]
    await scene.clock.stop()


async def test_many_alerts_are_told_again_in_parts() -> None:
    """No post is larger than what an Alertmanager takes."""
    scene = Scene("alertmanager")
    scene.clock.spawn(scene.courier.resend())
    scene.fires = [notice(str(n), *(told(f"{n}-{m}") for m in range(50))) for n in range(10)]
    scene.clock.advance(await scene.slept(1))
    await scene.slept(2)
    assert [content.count(b'"alertname"') for _, content, _ in scene.posts] == [200, 200, 100]
    await scene.clock.stop()
