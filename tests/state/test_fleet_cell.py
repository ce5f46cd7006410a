"""A cell that pods have in common: what is drawn, asked, waited for and owed."""

from typing import Any

import pytest

from proxy.clock import NEVER
from proxy.state.cell import Grant, Waiter
from proxy.state.fleet_cell import FleetCell
from proxy.state.fleet_cells import FleetRates
from proxy.state.gcra import Pace
from proxy.state.link import Link
from proxy.state.shared.fleet import Beat
from proxy.state.shared.rates import DrawUnits
from tests.fakes import settled
from tests.state.rating_pods import Shared

SLOW = Pace(interval=10.0, burst=4)
FAST = Pace(interval=0.001, burst=1_000)
TOKENS = Pace(interval=1.0, burst=100)


class Pod:
    """One of the fleet, with a cell of the limit that all have."""

    def __init__(self, shared: Shared, pace: Pace, on_failure: str = "local") -> None:
        self.clock = shared.clock
        self.link: Link = shared.link(on_failure)
        self.way = shared.ways[-1]
        self.rates = FleetRates()
        self.pace = pace

    def made(self) -> "Pod":
        """When the link is up: as a gate asks for it."""
        self.cell = FleetCell(self.pace, self.clock, self.link, "c", self.rates)
        return self

    def join(self, cost: float = 1.0, latest: float | None = None) -> Waiter:
        """An attempt for which nothing was drawn; it waits for the answer only."""
        now = self.clock.now()
        room = 0 if latest is None else 1_000
        return self.cell.join(now, cost, NEVER if latest is None else latest, room)

    async def goes(self, cost: float = 1.0) -> Grant | None:
        """One that takes what is drawn, or asks."""
        now = self.clock.now()
        alone = self.cell.alone(now)
        grant = self.cell.take(now, cost) or (self.cell.without(now, cost) if alone else None)
        if grant is not None or alone or self.cell.turn(now, cost) > now:
            return grant
        waiter = self.join(cost)
        await settled()
        assert waiter.future.done()
        return waiter.grant

    async def go(self, number: int, cost: float = 1.0) -> int:
        """How many of so many go now."""
        return sum([await self.goes(cost) is not None for _ in range(number)])

    @property
    def takes(self) -> list[DrawUnits]:
        """What it asked for."""
        return [verb for verb in self.way.asked if isinstance(verb, DrawUnits)]

    async def says(self) -> None:
        """What it has to say."""
        await self.rates.exchange(self.link)


async def pods(number: int = 1, pace: Pace = SLOW, on_failure: str = "local") -> tuple[Shared, Any]:
    """A fleet, whose store grants."""
    shared = Shared()
    made = [Pod(shared, pace, on_failure) for _ in range(number)]
    await shared.open()
    return shared, (made[0].made() if number == 1 else [pod.made() for pod in made])


async def test_all_pods_have_one_burst() -> None:
    """And one pace; who asked for nothing knows when there is more."""
    shared, (one, two) = await pods(2)
    assert [await one.go(3), await two.go(3)] == [3, 1]
    assert two.cell.turn(shared.clock.now(), 1.0) == pytest.approx(shared.clock.now() + 10.0)
    shared.clock.advance(10.0)
    assert [await two.go(3), await one.go(3)] == [1, 0]


async def test_nobody_asks_while_it_is_known_to_be_dry() -> None:
    """The wait is told from what is known."""
    shared, pod = await pods()
    await pod.go(5)
    asked = len(pod.takes)
    shared.clock.advance(9.9)
    assert await pod.go(20) == 0
    assert len(pod.takes) == asked


async def test_those_who_come_together_are_asked_for_together() -> None:
    """One message for all; who has no turn is told when it would be."""
    shared, pod = await pods()
    waiters = [pod.join() for _ in range(6)]
    await settled()
    assert [waiter.grant is not None for waiter in waiters] == [True] * 4 + [False] * 2
    assert all(waiter.future.done() for waiter in waiters)
    now = shared.clock.now()
    assert [waiter.turn - now for waiter in waiters[4:]] == pytest.approx([10.0, 10.0])
    assert [take.need for take in pod.takes] == [4]


async def test_who_may_wait_is_served_at_his_turn() -> None:
    """In order; the store is asked at that moment, not before."""
    shared, pod = await pods()
    await pod.go(4)
    asked = len(pod.takes)
    first, second = (pod.join(latest=NEVER) for _ in range(2))
    await settled()
    assert (pod.cell.waiting, len(pod.takes)) == (2, asked)
    shared.clock.advance(10.0)
    await settled()
    assert (first.grant is not None, second.grant) == (True, None)
    shared.clock.advance(10.0)
    await settled()
    assert second.grant is not None
    assert len(pod.takes) == asked + 2


async def test_who_comes_when_one_is_asked_for_stands_behind_him() -> None:
    """He gets what is left of what was given, or is asked for next."""
    _, pod = await pods()
    first = pod.join()
    await settled(1)
    second = pod.join()
    await settled()
    assert [first.grant is not None, second.grant is not None] == [True, True]


async def test_who_leaves_gives_his_place_up() -> None:
    """Also when he had just been served: it lies here for another one."""
    _, pod = await pods()
    first, second = pod.join(), pod.join()
    pod.cell.leave(first)
    await settled()
    assert second.grant is not None
    pod.cell.leave(second)
    asked = len(pod.takes)
    assert await pod.go(1) == 1
    assert len(pod.takes) == asked


async def test_if_all_have_left_nobody_is_asked_for() -> None:
    """The question was about to be asked."""
    _, pod = await pods()
    pod.cell.leave(pod.join())
    await settled()
    assert pod.takes == []


async def test_what_was_not_sent_goes_back_soon() -> None:
    """To other pods; all of it as long as it has not drained."""
    shared, (one, two) = await pods(2)
    grants = [await one.goes() for _ in range(4)]
    for grant in grants:
        assert grant is not None
        one.cell.give_back(grant)
    assert await two.go(1) == 0
    shared.clock.advance(0.2)
    await one.says()
    shared.clock.advance(9.0)  # what it knew of
    two.cell._seen.tat = -NEVER
    assert await two.go(9) == 4
    await one.says()
    assert not one.rates._busy


async def test_what_was_drawn_long_ago_is_not_spent() -> None:
    """Or idle pods could all spend at once what the store has given to others since."""
    shared, pod = await pods()
    grant = await pod.goes()
    assert grant is not None
    pod.cell.give_back(grant)
    shared.clock.advance(0.11)
    assert pod.cell.take(shared.clock.now(), 1.0) is None


async def test_tokens_are_set_right_for_all() -> None:
    """What was too much is free for others, what was too little is waited for by them."""
    shared, (one, two) = await pods(2, TOKENS)
    grant = await one.goes(80.0)
    assert grant is not None
    one.cell.keep(grant, 30)
    shared.clock.advance(0.2)
    await one.says()
    assert await two.goes(70.0) is not None
    grant = await two.goes(0.0)
    assert grant is not None
    two.cell.keep(grant, 50)
    assert two.cell.turn(shared.clock.now(), 1.0) == pytest.approx(shared.clock.now() + 51, abs=1)
    await two.says()
    assert shared.memory.seen("rate:c").tat == pytest.approx(150e6, rel=0.01)


async def test_what_lies_here_pays_for_what_was_too_little() -> None:
    """The rest is owed."""
    _, pod = await pods(1, TOKENS)
    first, second = await pod.goes(20.0), await pod.goes(10.0)
    assert first is not None
    assert second is not None
    pod.cell.give_back(first)
    pod.cell.keep(second, 35)
    assert pod.cell._debt == 5
    third, fourth = await pod.goes(10.0), await pod.goes(10.0)
    assert third is not None
    assert fourth is not None
    assert [take.debt for take in pod.takes[-2:]] == [5, 0]
    pod.cell.give_back(fourth)
    pod.cell.keep(third, 15)
    assert pod.cell._debt == 0
    pod.cell.keep(third, 10)
    pod.cell.keep(third, None)
    assert pod.cell._leased.units == 5


async def test_what_is_owed_is_told_until_it_is_heard() -> None:
    """Twice is better than never. What comes back is told once."""
    shared, pod = await pods(1, TOKENS)
    grant = await pod.goes(20.0)
    assert grant is not None
    pod.cell.keep(grant, 50)
    pod.cell._leased.add(_told(grant), 1e6, -NEVER)
    pod.way.fate = "unanswered"
    with pytest.raises(Exception, match="unanswered"):
        await pod.says()
    await shared.beat()
    await pod.says()
    assert [(take.debt, len(take.back)) for take in pod.takes[-2:]] == [(30, 1), (30, 0)]
    await pod.says()
    assert pod.takes[-1].debt == 30


def _told(grant: Grant) -> Any:
    assert grant.drawn is not None
    return grant.drawn[0].told


async def test_what_is_owed_is_in_one_message_at_a_time() -> None:
    """Two are under way: the second leaves it to the first."""
    _, pod = await pods(1, TOKENS)
    grant = await pod.goes(20.0)
    assert grant is not None
    pod.cell.keep(grant, 50)
    pod.cell._telling = True
    await pod.cell.tell()
    assert (pod.takes[-1].debt, pod.cell._debt, pod.cell._telling) == (0, 30, True)


async def test_a_busy_pod_draws_ahead() -> None:
    """So that nobody waits: as much as it uses in a moment, from beside the path."""
    shared, pod = await pods(1, FAST)
    waits = 0
    for _ in range(400):
        if pod.cell.take(shared.clock.now(), 1.0) is None:
            waits += 1
            assert await pod.goes() is not None
        await settled(3)
        shared.clock.advance(0.001)
    assert waits < 80
    assert len(pod.takes) < 110
    assert max(take.want for take in pod.takes) <= 51


async def test_what_it_does_not_use_any_more_goes_back() -> None:
    """All that lay there; then it says nothing."""
    shared, pod = await pods(1, FAST)
    for _ in range(200):
        await pod.goes()
        await settled(3)
        shared.clock.advance(0.001)
    assert pod.cell._leased.units
    shared.clock.advance(0.2)
    await pod.says()
    await pod.says()
    assert pod.cell._leased.empty
    assert not pod.rates._busy


async def test_it_draws_nothing_ahead_when_the_store_is_gone() -> None:
    """Or lost on the way: it is not asked again for each call."""
    shared, pod = await pods(1, FAST)
    for _ in range(200):
        await pod.goes()
        await settled(3)
        shared.clock.advance(0.001)
    asked = len(pod.takes)
    pod.cell._low = 1e9
    pod.way.fate = "lost"
    assert await pod.goes() is not None
    await settled()
    assert (len(pod.takes), pod.cell._low, pod.cell._drawing) == (asked + 1, 0.0, False)
    pod.cell._low = 1e9
    assert pod.cell.take(shared.clock.now(), 1.0) is not None
    await settled()
    assert (len(pod.takes), pod.cell._low) == (asked + 1, 0.0)


# --- without the store ---


async def test_without_the_store_a_pod_goes_on_at_its_share() -> None:
    """The burst too is divided; nobody has less than one."""
    shared, (one, two) = await pods(2)
    shared.memory.breaks("gone")
    assert [await one.go(9), await two.go(9)] == [2, 2]
    shared.clock.advance(20.0)
    assert [await one.go(9), await two.go(9)] == [1, 1]


async def test_what_it_was_given_counts_for_its_share() -> None:
    """Or each pod had a burst once more when the store goes. But no more than the share: what
    others did not use was nobody's debt."""
    shared, (one, two) = await pods(2)
    assert await one.go(9) == 4
    shared.memory.breaks("gone")
    one.link.fails("gone")
    two.link.fails("gone")
    assert [await one.go(9), await two.go(9)] == [0, 2]
    shared.clock.advance(20.0)
    assert [await one.go(9), await two.go(9)] == [1, 1]


async def test_what_was_drawn_is_spent_first() -> None:
    """It is its own."""
    shared, pod = await pods(1)
    grants = [await pod.goes() for _ in range(4)]
    shared.memory.breaks("gone")
    pod.link.fails("gone")
    assert await pod.go(1) == 0
    pod.cell.give_back(grants[0])
    assert await pod.go(2) == 1


async def test_a_call_that_waits_in_vain_is_served_by_the_share() -> None:
    """And for a moment nobody asks."""
    shared, pod = await pods(1)
    pod.way.fate = "lost"
    assert await pod.go(1) == 1
    await shared.beat()
    asked = len(pod.takes)
    assert await pod.go(1) == 1
    assert len(pod.takes) == asked
    shared.clock.advance(6.0)
    assert await pod.go(9) == 2
    assert pod.takes[-2].alone == 2


async def test_a_store_that_was_too_slow_for_one_is_asked_beside_the_path() -> None:
    """No call waits for it for a while; they go by what comes of that."""
    shared, pod = await pods(1, on_failure="deny")
    pod.way.fate = "lost"
    assert await pod.go(1) == 0
    await shared.beat()
    assert await pod.go(1) == 0
    await settled()
    assert pod.takes[-1].least == 1
    assert await pod.go(1) == 1
    assert await pod.go(1) == 0
    await settled()
    assert await pod.go(1) == 1


async def test_what_it_used_alone_is_told_when_the_store_is_back() -> None:
    """No more than has not drained, at its share of the pace."""
    shared, (one, two) = await pods(2)
    for pod in (one, two):
        pod.link.fails("gone")
        assert await pod.go(9) == 2
    shared.clock.advance(20.0)
    await shared.beat()
    for pod in (one, two):
        await pod.says()
    assert [pod.takes[-1].alone for pod in (one, two)] == [1, 1]
    assert await one.go(9) == 2
    for pod in (one, two):
        await pod.says()
    assert not two.rates._busy


async def test_tokens_used_alone_are_set_right() -> None:
    """Both in its share, and in what it tells."""
    _, pod = await pods(1, TOKENS)
    pod.link.fails("gone")
    low, high, back = [await pod.goes(cost) for cost in (40.0, 30.0, 30.0)]
    assert low is not None
    assert high is not None
    assert back is not None
    pod.cell.keep(low, 10)
    pod.cell.keep(high, 35)
    pod.cell.give_back(back)
    assert (pod.cell._alone, pod.cell._debt) == (40, 5)
    assert await pod.go(1, 55.0) == 1
    assert await pod.go(1) == 0


async def test_nobody_uses_less_than_nothing() -> None:
    """Whatever an answer says: what others used alone stays told."""
    _, pod = await pods(1, TOKENS)
    pod.link.fails("gone")
    first, second = await pod.goes(40.0), await pod.goes(10.0)
    assert first is not None
    assert second is not None
    pod.cell.keep(second, -1_000)
    assert pod.cell._alone == 40


async def test_a_call_dearer_than_the_share_goes_when_nothing_is_left_to_drain() -> None:
    """Or it would never go; what is more than a burst never does."""
    shared, (one, _) = await pods(2, TOKENS)
    one.link.fails("gone")
    assert await one.go(1, 80.0) == 1
    assert await one.go(1, 80.0) == 0
    one.cell.alone(shared.clock.now())
    assert one.cell.turn(shared.clock.now(), 80.0) == pytest.approx(shared.clock.now() + 160.0)
    assert one.cell.turn(shared.clock.now(), 101.0) == NEVER
    shared.clock.advance(160.0)
    assert await one.go(1, 80.0) == 1


async def test_those_who_wait_reckon_with_a_store_that_goes() -> None:
    """Their turn is another one; so is that of those who come."""
    shared, (one, _) = await pods(2)
    await one.go(4)
    patient, hasty = (
        one.join(latest=NEVER), one.join(latest=shared.clock.now() + 25.0)
    )  # fmt: skip
    one.link.fails("gone")
    one.cell.stir()
    now = shared.clock.now()
    assert patient.turn == pytest.approx(now + 20.0)
    assert hasty.future.done()
    assert hasty.turn == pytest.approx(now + 40.0)
    shared.clock.advance(20.0)
    assert patient.grant is not None


async def test_all_who_wait_are_sent_away_where_the_operator_wants_it() -> None:
    """`deny`: nobody goes but by what was drawn."""
    shared, pod = await pods(1, on_failure="deny")
    assert await pod.go(1) == 1
    await pod.go(4)
    waiter = pod.join(latest=NEVER)
    pod.link.fails("gone")
    pod.cell.stir()
    assert waiter.future.done()
    assert (waiter.grant, pod.cell.waiting) == (None, 0)
    shared.clock.advance(100.0)
    assert await pod.go(1) == 0


async def test_all_go_unguarded_where_the_operator_wants_it() -> None:
    """`allow`: it is marked, and told when the store is back."""
    shared, pod = await pods(1, on_failure="allow")
    pod.link.fails("gone")
    grants = [await pod.goes() for _ in range(50)]
    assert all(grant is not None and grant.unguarded for grant in grants)
    pod.cell.give_back(grants[0])
    assert pod.cell._alone == 49
    await shared.beat()
    assert await pod.go(1) == 0
    assert pod.takes[-1].alone == 4


async def test_pods_that_come_and_go_change_the_share() -> None:
    """What was used stays used, as far as the new share reaches."""
    shared, pod = await pods(1)
    assert await pod.go(3) == 3
    for _ in range(3):
        shared.link()
    await shared.beat()
    await shared.beat(pod.link)
    pod.link.fails("gone")
    assert await pod.go(3) == 0
    assert pod.cell._left(shared.clock.now()) == 3
    shared.clock.advance(40.0)
    assert await pod.go(3) == 1
    pod.link.sharers = 2
    shared.clock.advance(10.0)
    assert await pod.go(3) == 1


async def test_a_store_that_has_forgotten_all_gives_nothing_before_it_was_told() -> None:
    """Or all pods had a burst once more. Of a pod that does not know it yet nothing is heard."""
    shared, pod = await pods(1)
    assert await pod.go(3) == 3
    shared.memory.restarts(empty=True)
    assert await pod.go(9) == 1
    assert pod.cell._alone == 1
    await shared.beat()
    pod.rates.busy(pod.cell)
    pod.cell.remembers()
    await pod.says()
    assert pod.takes[-1].alone == 4
    shared.clock.advance(2.0)
    await shared.beat()
    assert await pod.go(9) == 0
    pod.cell._mine = -NEVER
    pod.cell.remembers()
    assert pod.cell._alone == 0


async def test_nobody_waits_for_long_for_pods_that_died() -> None:
    """What they used drains; of money that is another matter."""
    shared, (one, _) = await pods(2)
    assert await one.go(3) == 3
    shared.memory.restarts(empty=True)
    fleet = await one.link.beat(Beat(one.link.pod, 0, ("pod1",)))
    await one.link.beat(Beat(one.link.pod, fleet.epoch))
    one.cell.remembers()
    await one.says()
    assert one.cell.alone(shared.clock.now())
    shared.clock.advance(5.0)
    await one.link.beat(Beat(one.link.pod, fleet.epoch))
    assert not one.link.grants
    assert not one.cell.alone(shared.clock.now())
    assert await one.go(9) == 1


async def test_another_pace() -> None:
    """What was used stays used; those who wait reckon with it."""
    shared, pod = await pods(1)
    await pod.go(4)
    waiter = pod.join(latest=NEVER)
    pod.cell.follow(Pace(10.0, 4))
    assert waiter.grant is None
    pod.cell.follow(Pace(1.0, 4))
    assert waiter.turn == pytest.approx(shared.clock.now() + 1.0)
    assert pod.cell._left(shared.clock.now()) == 4
    shared.clock.advance(1.0)
    await settled()
    assert waiter.grant is None  # until now the store went by the pace of before
    assert waiter.turn == pytest.approx(shared.clock.now() + 0.9)
    shared.clock.advance(0.9)
    await settled()
    assert waiter.grant is not None


async def test_it_is_idle_when_all_has_drained_and_been_told() -> None:
    """Only then may it make room."""
    shared, pod = await pods(1)
    assert pod.cell.idle
    await pod.go(1)
    assert not pod.cell.idle
    shared.clock.advance(10.1)
    assert pod.cell.idle
    pod.cell._debt = 1
    assert not pod.cell.idle


async def test_a_new_one_owes_what_was_left_in_another() -> None:
    """As far as it is known; and tells the store."""
    _, (one, two) = await pods(2)
    two.cell.owe(one.cell)
    assert two.cell._alone == 0
    await one.go(3)
    two.cell._name = "d"
    two.cell.owe(one.cell)
    assert two.cell.turn(two.clock.now(), 4.0) == pytest.approx(two.clock.now() + 30.0)
    await two.says()
    assert two.takes[-1].alone == 3
    assert await two.go(3) == 1
