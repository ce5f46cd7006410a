"""`rate_limit` where pods share a store: one limit for all of them."""

from typing import Any

import pytest

from proxy.attempt import Attempt
from proxy.keep import Keep
from proxy.keys import LINK
from proxy.pipeline.glance import Glance
from proxy.refusal import Refusal
from proxy.reply import Reply
from proxy.stage import Ground, Said, Site
from proxy.stages.rate_limit import FleetTurnstile, RateLimit, ShadowTurnstile, Turnstile
from proxy.state.fleet_cells import FleetRates
from proxy.units import Rate
from tests.fakes import FakeBody, make_attempt, make_call, make_reply, make_target, settled
from tests.state.rating_pods import Shared


def section(rate: str = "10/s", **more: Any) -> RateLimit:
    """With a burst of four, unless said otherwise."""
    return RateLimit(rate=Rate.parse(rate), **({"burst": 4} | more))


class Pod:
    """A process with a gate."""

    def __init__(self, shared: Shared, said: RateLimit, on_failure: str = "local") -> None:
        self.clock = shared.clock
        self.keep = Keep()
        self.link = self.keep.of(LINK, lambda: shared.link(on_failure))
        self.way = shared.ways[-1]
        self.ground = Ground(self.clock, self.keep)
        self.gate = gate(said, self.ground)
        self.rates = FleetRates.of(self.keep)

    def attempt(self, left: float = 45.0, size: int = 4, **call: Any) -> Attempt:
        """One that begins now."""
        now = self.clock.now()
        members: dict[str, Any] = {
            "started": now,
            "deadline": now + left,
            "body": FakeBody(b"x" * size),
        } | call
        return make_attempt(make_call(**members), started=now)

    async def comes(
        self, attempt: Attempt | None = None, *, sent: bool = True, tokens: int | None = None
    ) -> Any:
        """What it says to one that is over at once if it may go; the task of one that waits."""
        attempt = attempt or self.attempt()
        verdict: Any = self.gate.admit(attempt)
        if verdict is not None and not isinstance(verdict, Refusal):
            task = self.clock.spawn(verdict)
            await settled()
            verdict = task.result() if task.done() else task
        if verdict is None:
            attempt.sent = sent
            self.gate.settle(attempt, reply(tokens))
        return verdict

    async def go(self, number: int, **how: Any) -> int:
        """How many of so many go at once."""
        return sum([await self.comes(**how) is None for _ in range(number)])


def reply(tokens: int | None) -> Reply:
    """An answer that tells how many there were."""
    return make_reply(200, tokens=tokens)


def gate(said: RateLimit, ground: Ground) -> Turnstile:
    """Of calls if they are limited, else of tokens."""
    build = Turnstile.of_tokens if said.rate is None else Turnstile.of_calls
    made = build(said, Site(make_target(), ground, "fair"))
    assert made is not None
    return made


async def pods(
    number: int, said: RateLimit | None = None, on_failure: str = "local"
) -> tuple[Shared, list[Pod]]:
    """So many, at a store that grants."""
    shared = Shared()
    made = [Pod(shared, said or section(), on_failure) for _ in range(number)]
    await shared.open()
    return shared, made


async def test_all_pods_have_one_limit() -> None:
    """A refusal tells when the next may go, wherever that is."""
    shared, (one, two) = await pods(2)
    assert [await one.go(3), await two.go(3)] == [3, 1]
    refusal = await one.comes()
    assert refusal is not None
    assert (refusal.code, refusal.policy, refusal.scope) == ("rate_limited", "fair", "tool")
    assert refusal.retry_after == pytest.approx(0.1, abs=0.002)
    shared.clock.advance(0.1)
    assert [await two.go(2), await one.go(2)] == [1, 0]


async def test_only_where_there_is_a_store_and_pods_are_to_share() -> None:
    """Else it is the same gate as ever. A shadow shares nothing."""
    shared, (one, two) = await pods(2)
    assert type(one.gate) is FleetTurnstile
    for pod in (one, two):
        pod.gate = gate(section(shared=False), pod.ground)
        assert type(pod.gate) is Turnstile
        assert await pod.go(9) == 4
    shadow = gate(section(), Ground(shared.clock, one.keep, shadow=True))
    assert type(shadow) is ShadowTurnstile
    assert type(gate(section(), Ground(shared.clock, Keep()))) is Turnstile


async def test_what_was_not_sent_goes_back() -> None:
    """It lies here for the next one."""
    _, (one, two) = await pods(2)
    assert await one.go(50, sent=False) == 50
    assert await one.go(2) == 2
    assert await two.go(9) == 2


async def test_tokens_are_set_right_when_the_answer_tells() -> None:
    """For all pods; more than ever go at once are refused for good."""
    said = RateLimit(tokens=Rate.parse("600/m"), burst=100)
    _, (one, two) = await pods(2, said)
    assert await one.comes(one.attempt(size=400), tokens=20) is None
    await one.rates.leave(one.link)
    assert await two.comes(two.attempt(size=320), tokens=180) is None
    await two.rates.exchange(two.link)
    refusal = await one.comes(one.attempt(size=404))
    assert refusal is not None
    assert (refusal.final, refusal.retry_after) == (True, None)
    refusal = await one.comes()
    assert refusal is not None
    assert refusal.retry_after == pytest.approx(10.1, abs=0.002)


async def test_a_queue_waits_for_its_turn() -> None:
    """As many as may, as long as they may; the others are told at once how long it would take."""
    shared, (pod,) = await pods(1, section(queue=2))
    assert await pod.go(4) == 4
    waits = [await pod.comes() for _ in range(3)]
    refusal = waits.pop()
    assert isinstance(refusal, Refusal)
    assert refusal.retry_after == pytest.approx(0.3, abs=0.002)
    late = await pod.comes(pod.attempt(left=0.2))
    assert isinstance(late, Refusal)
    for task in waits:
        shared.clock.advance(0.101)
        await settled()
        assert task.done()
        assert task.result() is None


async def test_those_who_wait_for_an_answer_take_no_place_in_the_queue() -> None:
    """They come together; when it is here, as many wait on as may."""
    _, (one, two) = await pods(2, section(queue=2))
    assert await two.go(3) == 3
    verdicts: list[Any] = [one.gate.admit(one.attempt()) for _ in range(9)]
    assert sum(isinstance(verdict, Refusal) for verdict in verdicts) == 3
    tasks = [one.clock.spawn(waits) for waits in verdicts if not isinstance(waits, Refusal)]
    await settled()
    done = [task.result() for task in tasks if task.done()]
    assert (done.count(None), len(done)) == (1, 4)
    for task in tasks:
        task.cancel()
    await settled()


async def test_a_hedge_asks_and_does_not_queue() -> None:
    """It goes at once or not at all."""
    _, (pod,) = await pods(1, section(queue=9))
    hedges = [pod.attempt() for _ in range(5)]
    for hedge in hedges:
        hedge.hedge = True
    verdicts = [await pod.comes(hedge) for hedge in hedges]
    assert verdicts[:4] == [None] * 4
    assert isinstance(verdicts[4], Refusal)


async def test_it_says_what_it_knows_and_asks_nobody() -> None:
    """Also where it was built to be asked."""
    _, (pod,) = await pods(1, section(queue=1))
    shown = gate(section(queue=1), Ground(pod.clock, Glance(pod.keep)))
    call = make_call()
    assert pod.gate.says(call) == Said("10/s for each tool: it may go")
    assert await pod.go(4) == 4
    asked = len(pod.way.asked)
    for each in (pod.gate, shown):
        assert each.says(call).note == "10/s for each tool: its turn is in 0.1 s, in a queue of 1"
    assert len(pod.way.asked) == asked


async def test_a_reload_changes_the_rate_and_forgets_nothing() -> None:
    """On all pods, as they come to it."""
    shared, (one, two) = await pods(2, section("10/s", burst=10))
    assert await one.go(6) == 6
    for pod in (one, two):
        pod.gate = gate(section("20/s", burst=10), pod.ground)
    assert await two.go(9) == 4
    shared.clock.advance(0.05)
    assert [await one.go(2), await two.go(2)] == [1, 0]


# --- the store does not answer ---


async def gone(shared: Shared, *fleet: Pod) -> None:
    """The store is."""
    shared.memory.breaks("gone")
    for pod in fleet:
        pod.link.fails("gone")
        pod.rates.lost()


async def test_local_goes_on_at_its_share() -> None:
    """And tells when the next may go."""
    shared, (one, two) = await pods(2)
    await gone(shared, one, two)
    assert [await one.go(9), await two.go(9)] == [2, 2]
    refusal = await one.comes()
    assert refusal is not None
    assert (refusal.code, refusal.retry_after) == ("rate_limited", pytest.approx(0.2))


async def test_local_has_a_queue_as_well() -> None:
    """At its share of the pace."""
    shared, (pod, _) = await pods(2, section(queue=1))
    await gone(shared, pod)
    assert await pod.go(2) == 2
    task: Any = await pod.comes()
    shared.clock.advance(0.2)
    await settled()
    assert task.result() is None


async def test_deny_refuses() -> None:
    """Those that come, and those that wait."""
    shared, (pod,) = await pods(1, section(queue=1), "deny")
    assert await pod.go(4) == 4
    task: Any = await pod.comes()
    await gone(shared, pod)
    await settled()
    for refusal in (task.result(), await pod.comes()):
        assert (refusal.code, refusal.policy, refusal.status) == ("store_unavailable", "fair", 503)
        assert (refusal.retryable, refusal.retry_after) == (True, 1.0)


async def test_deny_refuses_who_waited_in_vain() -> None:
    """It did not answer in time. Who is told that his turn is later is told just that."""
    shared, (pod,) = await pods(1, section(), "deny")
    pod.way.fate = "lost"
    refusal = await pod.comes()
    assert refusal is not None
    assert refusal.code == "store_unavailable"
    shared.clock.advance(6.0)
    await shared.beat()
    assert await pod.go(4) == 4
    refusal = await pod.comes()
    assert refusal is not None
    assert refusal.code == "rate_limited"


async def test_allow_lets_it_go_and_marks_it() -> None:
    """Its record says so."""
    shared, (pod,) = await pods(1, section(), "allow")
    attempt = pod.attempt()
    assert await pod.comes(attempt) is None
    assert not attempt.call.unguarded
    pod.way.fate = "lost"
    await gone(shared, pod)
    for _ in range(20):
        attempt = pod.attempt()
        assert await pod.comes(attempt) is None
    assert attempt.call.unguarded


async def test_allow_marks_who_waited_in_vain() -> None:
    """It did not answer in time."""
    _, (pod,) = await pods(1, section(), "allow")
    pod.way.fate = "lost"
    attempt = pod.attempt()
    assert await pod.comes(attempt) is None
    assert attempt.call.unguarded


@pytest.mark.parametrize(
    ("mode", "note", "code"),
    [
        ("local", "10/s for each tool: it may go", ""),
        ("deny", "10/s for all pods: the store does not answer", "store_unavailable"),
        ("allow", "10/s for all pods: the store does not answer, so it may go unguarded", ""),
    ],
)
async def test_it_says_what_it_does_without_the_store(mode: str, note: str, code: str) -> None:
    """As the operator wants it."""
    shared, (pod,) = await pods(1, section(), mode)
    await gone(shared, pod)
    said = pod.gate.says(make_call())
    assert said.note == note
    assert (said.refusal.code if said.refusal else "") == code


# --- ten pods ---

LOADS = {
    "uneven": (0.6, 0.15, 0.1, 0.05, 0.04, 0.03, 0.01, 0.01, 0.005, 0.005),
    "even": (0.1,) * 10,
    "one": (1.0, *(0.0,) * 9),
}


async def second(fleet: list[Pod], loads: tuple[float, ...], calls: int, ticks: int) -> int:
    """How many of so many calls go in a second, of which each pod has its part."""
    chance, went = fleet[0].clock.chance, 0
    for tick in range(ticks):
        due = calls * (tick + 1) // ticks - calls * tick // ticks
        for pod in chance.choices(fleet, loads, k=due):
            went += await pod.comes() is None
        fleet[0].clock.advance(1 / ticks)  # type: ignore[attr-defined]  # it is a fake one
        if tick % (ticks // 10) == 0:
            for pod in fleet:
                await pod.rates.exchange(pod.link)
    return went


@pytest.mark.parametrize("kind", list(LOADS))
@pytest.mark.parametrize(("burst", "calls"), [(100, 400), (10, 200), (100, 110)])
async def test_ten_pods_keep_a_rate_together(kind: str, burst: int, calls: int) -> None:
    """Within 2 % over ten seconds, wherever the calls come; and then they come elsewhere."""
    shared, fleet = await pods(10, section("100/s", burst=burst))
    loads = LOADS[kind]
    went = []
    for number in range(14):
        if number == 8:
            loads = loads[::-1]
        went.append(await second(fleet, loads, 600 if number < 4 else calls, 250))
        await shared.beat()
    assert sum(went[:4]) == pytest.approx(400 + burst, abs=10)
    assert sum(went[4:]) == pytest.approx(1_000, abs=20)
