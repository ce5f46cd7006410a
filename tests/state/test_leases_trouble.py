"""A store that is slow, clocks that jump, and another process that is the same pod."""

import asyncio

import pytest

from proxy.refusal import Refusal
from proxy.state.caps import Cap, Limit
from proxy.state.grant import Grant
from proxy.state.spent_out import spent_out
from tests.fakes import Turn, make_call
from tests.state.fleets import APod, World

CAP = Cap("fleet", "fleet", (Limit("day", 10_000),))
ROLLS = Cap("fleet", "fleet", (Limit("rolling", 1_000, 3_600),))


@pytest.mark.parametrize(
    ("mode", "code"),
    [("local", "budget_exceeded"), ("deny", "store_unavailable"), ("allow", "")],
)
async def test_where_the_store_is_too_slow_it_is_as_the_settings_say(mode, code):
    """For the call that waited in vain, and for those that need not wait after it."""
    world = World(mode)
    pod, _ = await world.pod("a", 1, CAP), await world.pod("b", 1, CAP)
    assert await pod.spend() == 1
    await world.lasts(5)
    assert world.held == 0

    async with pod.leases._asking:
        for _ in range(3):
            call = make_call()
            told = await pod.reserve(call=call)
            assert (told if isinstance(told, str) else "") == code
            assert call.unguarded is (mode == "allow")
    assert pod.link.counts.waited == 1


async def test_nobody_goes_unguarded_where_the_store_said_that_there_is_nothing():
    """Slow or not."""
    world = World("allow")
    first, second = await world.pod("a", 1, CAP), await world.pod("b", 1, CAP)
    assert await first.spend(10_000) == 1
    assert await second.reserve(100) == "budget_exceeded"
    second.link._waited()
    assert await second.reserve(100) == "budget_exceeded"


async def test_a_clock_that_jumps_makes_nobody_forget_what_was_spent():
    """Windows are those of the store's clock, in the second before it is asked again too."""
    world = World()
    first, second = await world.pod("a", 1, ROLLS), await world.pod("b", 1, ROLLS)
    went = await first.spend(times=6)
    await world.lasts(2)

    right = first.clock.wall
    first.link.clock.wall = lambda: right() + 86_400.0
    went += await first.spend(times=20)
    first.link.clock.wall = right
    await world.lasts(6)
    went += await second.spends()
    went += await first.spends()
    assert went == 10


async def test_who_hears_that_another_is_the_same_pod_spends_nothing_more():
    """What it held is the other's, or was given back."""
    world = World()
    cap = Cap("fleet", "fleet", (Limit("day", 100_000),))
    pod = await world.pod("a", 1, cap)
    assert await pod.spend(times=10) == 10
    assert isinstance(await pod.reserve(), Grant)
    assert pod.accounts()[0].windows()[0].room >= 200

    copy = APod(world, "a", 2, (cap,))
    copy.remember(1_000)
    await copy.begin()
    await pod.beat()
    assert await pod.reserve() == "budget_exceeded"
    assert pod.accounts()[0].reserved == 100
    assert await copy.spend() == 1


async def test_calls_that_wait_need_not_wait_until_all_is_told():
    """Ten thousand keys have news; a call asks between two questions of them."""
    world = World()
    each = Cap("each", "agent", (Limit("day", 10_000),))
    pod = await world.pod("a", 1, each)
    for number in range(300):
        assert await pod.spend(100, f"k{number}") == 1

    asked: list[int] = []
    began = asyncio.Event()
    ask = pod.link._store.ask

    async def slowly(verb, within):
        asked.append(len(getattr(verb, "lines", ())))
        began.set()
        await asyncio.sleep(0)
        return await ask(verb, within)

    pod.link._store.ask = slowly
    telling = asyncio.ensure_future(pod.leases.exchange(pod.link))
    await began.wait()
    assert await pod.spend(100, "new") == 1
    assert 1 in asked[:3]
    await telling
    assert sum(asked) >= 300


async def test_a_pod_that_ends_while_it_tells_holds_nothing():
    """What is left of a long telling is not told any more."""
    world = World()
    each = Cap("each", "agent", (Limit("day", 10_000),))
    pod, _ = await world.pod("a", 1, each), await world.pod("b", 1, each)
    for number in range(200):
        assert await pod.spend(100, f"k{number}") == 1
    telling = asyncio.ensure_future(pod.leases.exchange(pod.link))
    await pod.end()
    await telling
    assert world.held == 0
    assert sum(sum(line.gone.values()) for _, line in world.everything()) == 20_000


async def test_who_is_refused_hears_where_the_rest_is():
    """With other pods, or at a store that cannot be asked; and nothing of it where all is spent."""
    world = World()
    pods = [await world.pod(name, 1, CAP) for name in "ab"]
    grant = await pods[0].reserve(9_900)
    assert isinstance(grant, Grant)
    assert await pods[1].spend(200) == 0

    told = spent_out(pods[1].accounts()[0], 200, pods[1].leases)
    assert told.detail.endswith("0.00 of 0.01 USD is spent; other pods hold the rest")
    assert told.step == "retry_later"

    pods[1].link._waited()
    told = spent_out(pods[1].accounts()[0], 200, pods[1].leases)
    assert told.detail.endswith("and cannot be asked: it was too slow a moment ago")
    pods[1].link.fails("the plug was pulled")
    told = spent_out(pods[1].accounts()[0], 200, pods[1].leases)
    assert told.detail.endswith("and cannot be asked: the plug was pulled")

    pods[0].settle(grant)
    await world.lasts(5)
    told = spent_out(pods[1].accounts()[0], 200, pods[1].leases)
    assert told.detail.endswith("0.0099 of 0.01 USD is spent")
    assert told.step == "ask_owner"
    assert "holds" not in spent_out(pods[1].accounts()[0], 1, pods[1].leases).detail


async def test_of_two_windows_the_one_that_is_full_is_told():
    """Not the longer one, of which this pod has nothing either."""
    world = World()
    both = Cap("fleet", "fleet", (Limit("hour", 1_000), Limit("month", 100_000)))
    first, second = [await world.pod(name, 1, both) for name in "ab"]
    assert await first.spend(times=10) == 10
    await world.lasts(5)
    assert await second.spend() == 0
    facts = dict(spent_out(second.accounts()[0], 100, second.leases).facts)
    assert (facts["window"], facts["spent"]) == ("hour", "0.001")


async def test_telling_of_many_keys_leaves_time_for_other_subjects():
    """Some of them at a time, by turns, until all are told."""
    world = World()
    each = Cap("each", "agent", (Limit("day", 10_000),))
    pod = await world.pod("a", 1, each)
    for number in range(300):
        assert await pod.spend(100, f"k{number}") == 1
    ask = pod.link._store.ask

    async def slowly(verb, within):
        world.clock.advance(0.15)
        return await ask(verb, within)

    pod.link._store.ask = slowly
    await pod.leases.exchange(pod.link)
    told = sum(sum(line.sums.values()) for _, line in world.everything())
    assert 0 < told < 300 * 100
    assert pod.leases.every == 0.0
    for _ in range(4):
        await pod.leases.exchange(pod.link)
    assert sum(sum(line.sums.values()) for _, line in world.everything()) == 300 * 100
    pod.link._store.ask = ask
    await world.lasts(8)
    assert pod.leases.every == 1.0
    assert world.held == 0


async def test_who_hears_that_another_is_the_same_pod_goes_on_counting_in_shadow():
    """What only counts is nobody else's."""
    world = World()
    cap = Cap("fleet", "fleet", (Limit("day", 100_000),))
    pod = await world.pod("a", 1, cap)
    grant = await pod.reserve()
    assert isinstance(grant, Grant)
    pod.caps = (Cap("fleet", "fleet", cap.limits, on_exceed="shadow"),)
    pod.ledger.obey(pod.caps)
    copy = APod(world, "a", 2, (cap,))
    await copy.begin()
    await pod.beat()
    assert await pod.spend(times=3) == 3


async def test_a_question_that_waits_while_its_pod_ends_is_not_asked():
    """All is given back by then."""
    world = World()
    pod = await world.pod("a", 1, CAP)
    assert await pod.spend() == 1
    share = pod.leases._share(pod.accounts()[0])
    async with pod.leases._asking:
        turn = pod.leases._asked([share])
        ending = asyncio.ensure_future(pod.end())
        await Turn()
    await ending
    await turn
    assert world.held == 0


async def test_a_call_does_not_wait_for_a_store_that_went_away_just_now():
    """Between the look and the waiting."""
    world = World()
    pod = await world.pod("a", 1, CAP)
    asked = pod.leases.lets(make_call(), Grant(pod.accounts(), 100))
    assert not isinstance(asked, Refusal)
    assert asked is not None
    pod.link.fails("the plug was pulled")
    assert await asked is None
    assert pod.link.counts.waited == 0
