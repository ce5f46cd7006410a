"""proxy/mirrors/gateway_budgets.py, over the sandbox's ledger."""

import asyncio
import contextlib
import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.journal.disk import RealDisk
from proxy.mirrors.cursor import path_of
from proxy.mirrors.gateway_budgets import GatewayBudgets
from proxy.mirrors.gateway_seen import Seen
from proxy.posts import Answer
from proxy.state.scopes import Scope
from tests.fakes import Turn
from tests.mirrors.at_gateway import AGENT, Gateway
from tests.mirrors.scene import Clocked

AWAY = Answer(503, "it answered 503")
NOT_WANTED = Answer(409, "it answered 409", body=b'{"error":{"code":"no"}}')
DOLLAR = 1_000_000


class Pod:
    """A mirror's budgets, and what is killed."""

    def __init__(self, folder: Path, gateway: Gateway, disk: RealDisk | None = None) -> None:
        self.gateway = gateway
        self.killed: list[Scope] = []
        self.heard: list[tuple[str, str]] = []
        self.seen = Seen()
        self.clock = Clocked()
        self.path = path_of(folder, "ledger", "budgets")
        self.budgets = GatewayBudgets(
            gateway.calls(),
            self.path,
            self.clock,
            disk or RealDisk(),
            lambda: self.killed,
            lambda agent: "core" if agent.startswith("core-") else "",
            self.seen,
            lambda state, why: self.heard.append((state, why)),
        )

    def kill(self, *scopes: str) -> None:
        self.killed = [Scope(scope) for scope in scopes]

    def budget(self, agent: str = AGENT) -> int | None:
        return self.gateway.ledger.wallets[agent].budget_micros

    def begin_anew(self) -> "Pod":
        """After a crash."""
        again = Pod(self.path.parent.parent, self.gateway)
        again.killed = self.killed
        again.budgets._read()
        return again


@pytest.fixture
def gateway() -> Gateway:
    made = Gateway()
    made.ledger.wallets[AGENT].budget_micros = 25 * DOLLAR
    return made


@pytest.fixture
def pod(tmp_path: Path, gateway: Gateway) -> Pod:
    return Pod(tmp_path, gateway)


@pytest.mark.parametrize("before", [25 * DOLLAR, None, 0, 1])
async def test_it_is_zero_while_its_agent_is_killed(pod: Pod, before: int | None):
    """And then what it was, to the last place."""
    pod.gateway.ledger.wallets[AGENT].budget_micros = before
    pod.kill(f"agent:{AGENT}")
    assert await pod.budgets.look() is None
    assert pod.budget() == 0
    asked = len(pod.gateway.asked)
    assert await pod.budgets.look() is None
    assert len(pod.gateway.asked) == asked  # once

    pod.kill()
    assert await pod.budgets.look() is None

    assert pod.budget() == before
    assert pod.budgets.held == {}


async def test_of_overlapping_kills_the_last_one_counts(pod: Pod):
    """It is given back when none is left."""
    pod.seen.add(AGENT, "shop")
    for scopes in (["all"], ["all", f"agent:{AGENT}"], ["fleet:shop"], ["agent:local-*"]):
        pod.kill(*scopes)
        await pod.budgets.look()
        assert pod.budget() == 0
    pod.kill()
    await pod.budgets.look()

    assert pod.budget() == 25 * DOLLAR


@pytest.mark.parametrize(
    ("scope", "wanted"),
    [
        ("all", {"core-1", AGENT}),
        ("fleet:shop", {AGENT}),
        ("fleet:other", set()),
        ("agent:*-agent", {AGENT}),
        ("agent:never-seen", {"never-seen"}),
        ("bulkhead:core", {"core-1"}),
        ("tool:deposit", set()),
        ("workflow:w-1", set()),
        ("upstream:gateway", set()),
    ],
)
def test_whose_budgets_a_scope_is_for(pod: Pod, scope: str, wanted: set[str]):
    """Those that it names, and of those that were seen the ones in it."""
    pod.seen.add(AGENT, "shop")
    pod.seen.add("core-1", "")
    pod.kill(scope)

    assert pod.budgets.wanted() == wanted


async def test_it_dies_at_any_call(tmp_path: Path):
    """What it was is known before it is changed, and is given back in the end."""
    for at in range(2):
        gateway = Gateway()
        gateway.ledger.wallets[AGENT].budget_micros = 25 * DOLLAR
        pod = Pod(tmp_path / str(at), gateway)
        pod.path.parent.parent.mkdir()
        pod.kill(f"agent:{AGENT}")
        gateway.fails = {"get_balance": [AWAY]} if at == 0 else {"set_budget": [AWAY]}
        failed = await pod.budgets.look()
        assert failed is not None
        assert failed.why == "it answered 503"

        pod = pod.begin_anew()
        assert await pod.budgets.look() is None
        assert pod.budget() == 0
        pod = pod.begin_anew()
        pod.kill()
        gateway.fails = {"get_balance": [AWAY], "set_budget": [AWAY]}
        assert await pod.budgets.look() is not None
        pod = pod.begin_anew()
        assert await pod.budgets.look() is not None
        pod = pod.begin_anew()
        assert await pod.budgets.look() is None
        assert pod.budget() == 25 * DOLLAR


async def test_it_dies_when_all_is_done_but_written_down(pod: Pod):
    """Done once more is the same."""
    pod.kill(f"agent:{AGENT}")
    await pod.budgets.look()
    kept = pod.path.read_bytes()
    pod.kill()
    await pod.budgets.look()
    pod.path.write_bytes(kept)

    again = pod.begin_anew()
    await again.budgets.look()

    assert again.budget() == 25 * DOLLAR
    assert again.budgets.held == {}


async def test_people_change_it_meanwhile(pod: Pod):
    """What they say stays."""
    pod.kill(f"agent:{AGENT}")
    await pod.budgets.look()
    pod.gateway.ledger.wallets[AGENT].budget_micros = 7 * DOLLAR
    pod.kill()
    await pod.budgets.look()

    assert pod.budget() == 7 * DOLLAR
    assert pod.budgets.held == {}


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["look", "restart"])), max_size=30))
def test_pods_of_a_fleet_do_not_forget_it(tmp_path_factory: pytest.TempPathFactory, steps):
    """In whatever order they see the kill and its end, and whichever begins anew: who set it to
    zero gives it back."""
    gateway = Gateway()
    gateway.ledger.wallets[AGENT].budget_micros = 25 * DOLLAR
    pods = [Pod(tmp_path_factory.mktemp("pod"), gateway) for _ in range(3)]

    async def play() -> None:
        for phase in (True, False):
            for each in pods:
                each.kill(*([f"agent:{AGENT}"] if phase else []))
            for number, what in [*steps, *((n, "look") for n in range(3))]:
                if what == "restart":
                    pods[number] = pods[number].begin_anew()
                await pods[number].budgets.look()
            assert pods[0].budget() == (0 if phase else 25 * DOLLAR)

    asyncio.run(play())


async def test_one_without_a_wallet_has_nothing_to_be_set_to_zero(pod: Pod):
    """It is asked once."""
    pod.kill("agent:ghost")
    for _ in range(3):
        assert await pod.budgets.look() is None
    pod.kill()
    assert await pod.budgets.look() is None

    assert pod.gateway.tools == ["get_balance"]
    assert pod.budgets.held == {}


async def test_a_gateway_that_refuses(pod: Pod):
    """People are told, with what it was."""
    pod.gateway.fails["set_budget"] = [NOT_WANTED]
    pod.kill(f"agent:{AGENT}")
    await pod.budgets.look()
    assert pod.heard == [
        ("budget", f"the budget of {AGENT} cannot be set to zero: it answered 409 no")
    ]
    pod.kill()
    await pod.budgets.look()

    pod.kill(f"agent:{AGENT}")
    await pod.budgets.look()
    pod.gateway.fails["set_budget"] = [NOT_WANTED]
    pod.kill()
    await pod.budgets.look()

    assert pod.heard[1][1] == (
        f"the budget of {AGENT} was 25.00, and cannot be given back: it answered 409 no"
    )
    assert pod.budgets.held == {}


async def test_an_answer_that_does_not_know_budgets(pod: Pod):
    """As one that has none; a figure alone does as well."""
    pod.gateway.fails["get_balance"] = [
        Answer(200, body=b'{"result":{"budget":"9.50"}}'),
        Answer(200, body=b'{"result":{}}'),
    ]
    pod.kill(f"agent:{AGENT}", "agent:pricing-01")
    await pod.budgets.look()

    assert {held.limit for held in pod.budgets.held.values()} == {"9.50", None}


async def test_what_is_kept_makes_no_sense(pod: Pod):
    """It is set aside, and told: somebody has to look at the budgets."""
    pod.path.parent.mkdir()
    pod.path.write_bytes(b"nonsense")

    pod.budgets._read()

    assert pod.heard[0][0] == "damaged"
    assert pod.path.with_name("ledger.budgets.damaged").read_bytes() == b"nonsense"
    assert pod.budgets.held == {}


class FullDisk(RealDisk):
    """For a while."""

    full = 2

    def write(self, file, content):  # type: ignore[override]
        if self.full:
            self.full -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return RealDisk.write(file, content)


async def test_nothing_is_changed_before_it_is_written_down(tmp_path: Path, gateway: Gateway):
    """Also where the disk is full for a while; it waits longer and longer, and people are told
    once; and once when all is well."""
    pod = Pod(tmp_path, gateway, FullDisk())
    pod.kill(f"agent:{AGENT}")
    gateway.fails["set_budget"] = [AWAY, AWAY]
    running = asyncio.get_running_loop().create_task(pod.budgets.run())
    while len(pod.heard) < 3:
        await Turn()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running

    assert pod.budget() == 0
    assert pod.heard == [
        ("failing", "budgets of killed agents: the disk: No space left on device"),
        ("failing", "budgets of killed agents: it answered 503"),
        ("ok", "budgets of killed agents are as they should be"),
    ]
    assert pod.budgets.failed == 4
