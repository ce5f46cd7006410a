"""Leases: pods spend shares of a limit without asking, and never pass it together."""

import asyncio

import msgspec

from proxy.state import ledger
from proxy.state.caps import Cap, Limit
from proxy.state.grant import Grant
from proxy.state.leases import Leases
from proxy.state.shared.fleet import Beat
from proxy.state.shared.money import Drawn
from proxy.state.store import Near
from proxy.state.told_of_money import Alert, Lease
from tests.fakes import Turn, make_call
from tests.state.fleets import DAY, APod, World


async def test_pods_spend_a_limit_to_its_end_and_no_more():
    """In turns, and all at once: what is free is found, down to single calls."""
    world = World()
    pods = [await world.pod(name) for name in "abc"]

    went = sum([await pod.spend() for _ in range(2) for pod in pods])
    went += sum(await asyncio.gather(*(pod.spend() for pod in pods * 5)))
    went += await pods[0].spends()

    assert went == 10
    assert sum(pod.accounts()[0].spent for pod in pods) == 1_000


async def test_what_is_idle_goes_back():
    """Within five seconds, where nothing is spent any more."""
    world = World()
    first = await world.pod("a", 1, Cap("fleet", "fleet", (Limit("day", 1_000_000),)))
    assert await first.spend(times=40) == 40
    assert world.held > 0

    assert first.link.leases == {"money": 0}
    await world.lasts(1)
    assert first.link.leases == {"money": 1}
    await world.lasts(4)

    assert world.held == 0
    assert first.link.leases == {"money": 0}
    assert await first.spend() == 1


async def test_what_is_idle_goes_back_at_once_where_others_need_it():
    """They are told that all is held, and who holds it gives it back."""
    world = World()
    cap = Cap("fleet", "fleet", (Limit("day", 10_000),))
    first, second = await world.pod("a", 1, cap), await world.pod("b", 1, cap)
    assert await first.spend() == 1

    assert await second.spends() == 99


async def test_a_pod_without_the_store_spends_what_it_holds():
    """And then nothing: a cap is a cap."""
    world = World()
    first, second = await world.pod("a"), await world.pod("b")
    assert await first.spend() == 1
    world.memory.breaks("the plug was pulled")

    holds = sum(one.share - one.spent for one in first.accounts()[0].windows()) // 100
    assert await first.spend(times=20) == holds
    assert await second.spend(times=20) == 0
    assert await first.reserve() == "budget_exceeded"

    world.memory.heals()
    await world.lasts(1)
    assert await second.spends() == 10 - 1 - holds


async def test_where_it_is_to_deny_nothing_goes_without_the_store():
    """Not even what is held; and all as before when it is back."""
    world = World("deny")
    pod = await world.pod()
    assert await pod.spend() == 1
    world.memory.breaks("gone")
    pod.link.fails("gone")

    assert pod.leases.barred
    assert await pod.reserve() == "store_unavailable"
    assert pod.accounts()[0].bound == -1
    assert pod.accounts("new")[0].barred

    world.memory.heals()
    await world.lasts(1)
    assert await pod.spend() == 1
    assert not pod.accounts()[0].barred


async def test_where_it_is_to_allow_all_goes_and_is_marked():
    """But for what this pod alone knows to be spent."""
    world = World("allow")
    pod = await world.pod()
    world.memory.breaks("gone")
    pod.link.fails("gone")
    call = make_call()

    grant = await pod.reserve(400, call=call)

    assert isinstance(grant, Grant)
    assert call.unguarded
    pod.settle(grant)
    assert await pod.spend(400, times=3) == 1


async def test_a_pod_that_was_killed_comes_back():
    """What it held counts until its journal tells what of it was spent."""
    world = World()
    first, second = await world.pod("a"), await world.pod("b")
    spent = await first.spend(times=3)
    held = world.held
    assert held > 0
    del world.pods["a"]
    await world.lasts(3)
    assert world.held == held

    again = APod(world, "a", 2, (DAY,))
    again.remember(100 * spent)
    world.pods["a"] = again
    await again.begin()

    assert world.held == 0
    assert await second.spend(times=20) == 10 - spent
    assert await again.spend() == 0


async def test_a_pod_that_left_has_spent_what_it_spent():
    """It counts once, also when it comes back."""
    world = World()
    first, second = await world.pod("a"), await world.pod("b")
    assert await first.spend(times=4) == 4
    await first.end()
    assert world.held == 0

    again = APod(world, "a", 2, (DAY,))
    again.remember(400)
    world.pods["a"] = again
    await again.begin()

    assert await second.spend(times=4) == 4
    assert await again.spends() == 2


async def test_a_store_that_forgot_is_told_again():
    """By those that are there; what was spent by those that are gone, by whoever has heard it."""
    world = World()
    first, second = await world.pod("a"), await world.pod("b")
    assert await first.spend(times=4) == 4
    await world.lasts(1)
    await first.end()
    await Turn()
    await second.beat()
    assert await second.spend(times=2) == 2
    world.memory.restarts(empty=True)

    await world.lasts(4)

    assert second.accounts()[0].windows()[0].others == 400
    assert await second.spend(times=9) == 4


async def test_nothing_is_granted_to_who_has_not_told():
    """In a life that has not told yet what it spent before, or in another epoch."""
    world = World()
    pod = await world.pod("a")
    pod.leases._ready = False
    assert await pod.reserve() == "budget_exceeded"
    pod.leases._ready = True
    world.memory.restarts(empty=False)

    assert await pod.reserve() == "budget_exceeded"


async def test_windows_are_told_apart():
    """A new day has its own line; a window that rolls lets go of its oldest part."""
    world = World()
    hour = Cap("hour", "fleet", (Limit("hour", 500), Limit("rolling", 800, 7_200)))
    first, second = await world.pod("a", 1, hour), await world.pod("b", 1, hour)
    assert await first.spend(times=9) == 5
    world.clock.advance(3_600)
    await world.lasts(3)

    assert await second.spend(times=9) == 3
    await world.lasts(3)
    world.clock.advance(3_800)
    await world.lasts(3)

    assert await first.spend(times=9) == 5


async def test_what_was_forgotten_here_is_known_there():
    """A key that nobody used for long makes room, and comes back."""
    world = World()
    flow = Cap("flow", "workflow", (Limit("total", 1_000), Limit("rolling", 2_000, 600)))
    pod = await world.pod("a", 1, flow)
    assert await pod.spend(key="w", times=3) == 3
    account = pod.accounts("w")[0]
    pod.ledger._accounts["flow"].pop("w")
    pod.leases.gone(account)
    pod.leases.gone(account)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert world.held == 0

    assert await pod.spend(key="w", times=9) == 7
    assert [one.spent for one in pod.accounts("w")[0].windows()] == [1_000, 1_000]


async def test_who_is_gone_while_nobody_answers_goes_back_later():
    """And a key of which nothing was ever asked is no matter."""
    world = World()
    pod = await world.pod()
    pod.leases.gone(pod.accounts("unknown")[0])
    assert await pod.spend() == 1
    world.memory.breaks("gone")
    pod.link.fails("gone")
    pod.leases.gone(pod.accounts()[0])
    assert world.held > 0

    world.memory.heals()
    await world.lasts(1)

    assert world.held == 0


async def test_an_alert_is_raised_by_one_pod():
    """All see that the fleet has spent so much; one says so."""
    world = World()
    pods = [await world.pod(name) for name in "ab"]
    for _ in range(4):
        for pod in pods:
            assert await pod.spend() == 1
    await world.lasts(3)
    await asyncio.sleep(0)

    alerts = [one for pod in pods for one in pod.noted if isinstance(one, Alert)]
    assert [(one.share, one.limit) for one in alerts] == [(750_000, 1_000)]
    assert alerts[0].spent in {800, 700, 750, 790}
    world.memory.breaks("gone")
    pods[0].link.fails("gone")
    pods[0].leases.once("something", lambda: pods[0].noted.append("said"))
    await asyncio.sleep(0)
    assert pods[0].noted[-1] == "said"


async def test_calls_that_wait_share_one_question():
    """However many there are."""
    world = World()
    cap = Cap("fleet", "fleet", (Limit("day", 1_000_000),))
    pod = await world.pod("a", 1, cap)
    before = pod.link.counts.asked

    went = await asyncio.gather(*(pod.spend() for _ in range(20)))

    assert sum(went) == 20
    assert pod.link.counts.asked - before <= 2


class Hangs(Near):
    """A store that answers nobody, until it is let."""

    def __init__(self, memory):
        super().__init__(memory)
        self.lets = asyncio.Event()
        self.lets.set()

    async def ask(self, verb, within):
        await self.lets.wait()
        return await super().ask(verb, within)


async def test_a_call_waits_once_for_a_store_that_hangs():
    """The next ones find what there is; what is granted later is there for who comes then."""
    world = World()
    pod = await world.pod("a")
    hangs = Hangs(world.memory)
    pod.link._store = hangs
    pod.link._timeout = 0.001
    hangs.lets.clear()

    assert await pod.reserve() == "budget_exceeded"
    assert pod.link.counts.waited == 1
    world.clock.advance(0.05)
    assert await pod.reserve() == "budget_exceeded"
    assert pod.link.counts.waited == 1

    hangs.lets.set()
    for _ in range(20):
        await asyncio.sleep(0)
    assert await pod.spend() == 1


async def test_a_recall_of_an_unknown_line_is_no_matter():
    """Anything may be published."""
    world = World()
    pod = await world.pod()
    pod.leases.heard(b"\xff\x00")
    pod.leases.heard(b"line:none")
    assert await pod.spend() == 1


async def test_what_only_counts_asks_nobody():
    """A budget in shadow: calls go beyond it anyway."""
    world = World()
    pod = await world.pod("a", 1, Cap("seen", "fleet", (Limit("day", 100),), on_exceed="shadow"))
    account = pod.accounts()[0]

    assert not account.starves(1_000)
    assert not account.runs_low(1_000)
    assert not world.held


async def test_a_ledger_that_knows_accounts_leases_them():
    """Those that its journal told of, before there was a link."""
    world = World()
    pod = APod(world, "a", 1, (DAY,))
    pod.remember(300)
    pod.leases = Leases(pod.ledger, pod.link)

    assert not pod.accounts()[0].has_room(1)
    assert pod.accounts()[0].starves(700)
    assert not pod.accounts()[0].starves(701)


async def test_an_answer_of_another_window_is_passed_over():
    """It was on its way when the hour changed."""
    world = World()
    hour = Cap("hour", "fleet", (Limit("hour", 1_000),))
    pod = await world.pod("a", 1, hour)
    assert await pod.spend() == 1
    account = pod.accounts()[0]
    share = pod.leases._shares[account]
    lines = share.asks(world.clock.now(), pod.link.wall())
    world.clock.advance(3_600)
    account.used_at(pod.link.wall())

    assert not share.takes({line.name: Drawn(500, 0, 500, {}) for line in lines})
    assert account.windows()[0].share == 0


async def test_who_asks_when_all_ends_waits_for_nothing():
    """The process stops."""
    world = World()
    pod = await world.pod()
    async with pod.leases._asking:
        turn = pod.leases._asked([pod.leases._share(pod.accounts()[0])])
        await Turn()
        await pod.clock.stop()

    assert turn.done()
    assert await pod.spend() == 1


async def test_a_key_that_makes_room_gives_back_what_it_holds(monkeypatch):
    """Agents make up workflows."""
    monkeypatch.setattr(ledger, "MOST_KEYS", 1)
    world = World()
    pod = await world.pod("a", 1, Cap("flow", "workflow", (Limit("total", 1_000),)))
    assert await pod.spend(key="one") == 1
    assert await pod.spend(key="two") == 1
    await Turn()
    await world.lasts(5)

    assert world.held == 0


async def test_nothing_is_freed_before_what_was_spent_is_told():
    """The epoch changes while a new life tells."""
    world = World()
    first, second = await world.pod("a"), await world.pod("b")
    assert await first.spend(times=4) == 4
    del world.pods["a"]
    again = APod(world, "a", 2, (DAY,))
    again.remember(400)
    again.leases = Leases(again.ledger, again.link)
    told = await again.link.beat(Beat(again.link.pod))
    again.link.fleet = msgspec.structs.replace(told, epoch=told.epoch - 1)
    held = world.held

    await again.leases.exchange(again.link)
    assert world.held == held

    again.link.fleet = told
    await again.leases.exchange(again.link)
    assert world.held == 0
    assert await second.spends() == 6


async def test_a_copy_of_a_data_dir_does_nothing():
    """What the other one holds is its own."""
    world = World()
    first = await world.pod("a")
    assert await first.spend() == 1
    held = world.held
    copy = APod(world, "a", 1, (DAY,))
    copy.link.pod = msgspec.structs.replace(copy.link.pod, mark="copy")
    copy.leases = Leases(copy.ledger, copy.link)
    assert not (await copy.link.beat(Beat(copy.link.pod))).ours

    await copy.leases.exchange(copy.link)

    assert world.held == held
    assert await copy.reserve() == "budget_exceeded"


async def test_a_pod_holds_what_lasts_for_a_while():
    """At its pace, should the store be gone; where the limit is far."""
    world = World()
    cap = Cap("fleet", "fleet", (Limit("day", 10_000_000),))
    pod = await world.pod("a", 1, cap)
    for _ in range(3):
        assert await pod.spend(times=10) == 10
        await world.lasts(1)
    world.memory.breaks("gone")

    for _ in range(20):
        assert await pod.spend(times=10) == 10
        await world.lasts(1)


async def test_what_the_fleet_has_spent_is_known_to_all():
    """Also to a pod that has spent nothing, within five seconds."""
    world = World()
    first, second = await world.pod("a"), await world.pod("b")
    assert await first.spend(times=3) == 3

    await world.lasts(5)

    (account,) = second.ledger.accounts()
    assert (account.key, account.windows()[0].all_spent) == ("default", 300)


async def test_what_a_snapshot_told_is_told_to_the_store():
    """It is of no window before somebody asks."""
    world = World()
    first, second = await world.pod("a"), await world.pod("b")
    assert await first.spend(times=4) == 4
    state = msgspec.json.decode(msgspec.json.encode(first.ledger.dump()))
    del world.pods["a"]
    again = APod(world, "a", 2, (DAY,))
    again.ledger.load(state)
    world.pods["a"] = again
    await again.begin()

    assert await second.spends() == 6


async def test_who_has_left_is_granted_nothing():
    """Others find that all is held just then, and it is asked to give back."""
    world = World()
    first, second = await world.pod("a"), await world.pod("b")
    assert await first.spend() == 1
    assert await second.spend() == 1
    await first.leases.leave(first.link)
    world.pods["a"] = first

    assert await second.spends() == 8
    await first.leases.exchange(first.link)
    assert world.held == 0


async def test_what_went_back_is_not_promised_any_more():
    """Should the pod die, it would count as spent, and another pod may spend it."""
    world = World()
    cap = Cap("fleet", "fleet", (Limit("day", 100_000),))
    pod = await world.pod("a", 1, cap)
    account = pod.accounts()[0]
    assert await pod.spend() == 1
    pod.ledger.lease(account, 500)
    account.promise(account.asked)
    assert account.promised > account.spent

    await world.lasts(5)

    assert account.promised == account.spent == 100
    told = [one for one in pod.noted if isinstance(one, Lease)]
    assert (told[-1].high, told[-1].lower) == (100, True)
    again = APod(world, "b", 1, (cap,))
    for one in told:
        again.ledger.apply(
            {**msgspec.to_builtins(one), "type": one.type, "ts": "2023-11-14T22:30:00Z"}
        )
    assert again.accounts()[0].promised == 100


async def test_what_waits_for_its_turn_when_all_ends_is_not_asked():
    """A pod leaves while a call asks for more."""
    world = World()
    pod = await world.pod("a")
    assert await pod.spend() == 1
    share = pod.leases._share(pod.accounts()[0])
    asked = pod.link.counts.asked
    pod.leases._ready = False

    assert await pod.leases._draw([share])
    assert pod.link.counts.asked == asked
