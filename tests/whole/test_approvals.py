"""Calls that people must approve, on real sockets (spec 4.3): every row of the matrix."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from proxy.news import ApprovalChange
from proxy.state.asking import Decided, Exhibit
from proxy.state.case import File, Person, Undecided
from proxy.state.desk import Desk
from proxy.state.killed import Kill
from proxy.state.scopes import Scope
from tests.harness import (
    Message,
    Proxy,
    RawUpstream,
    answer,
    breathe,
    chunked,
    holdfast,
    request,
    upstream_yaml,
    within,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICY = """
policies:
  - name: pay
    match: {tool: pay}
    risk: high
    approval: {%s}
"""
JSON = "Content-Type: application/json"


def pay(*lines: str, body: bytes = b'{"tool": "pay", "input": {"amount": 5}}') -> bytes:
    """The call that people must approve."""
    return request("/", JSON, *lines, method="POST", body=body)


def gated(upstream: RawUpstream, more: str = "hold: 20s", **settings: Any) -> Any:
    """A proxy where they must."""
    return holdfast(upstream, "tools", POLICY % more, **settings)


def code(got: Message) -> str:
    """Of a refusal."""
    found: str = json.loads(got.body)["code"]
    return found


class People:
    """Those who decide, and what they see."""

    def __init__(self, proxy: Proxy) -> None:
        self.desk: Desk = proxy.app._control.desk
        self.heard: list[ApprovalChange] = []
        proxy.app._control.desk._news.listeners.append(self._hear)

    def _hear(self, event: Any) -> None:
        if isinstance(event, ApprovalChange):
            self.heard.append(event)

    def told(self, state: str) -> int:
        """How often they were told of this."""
        return sum(event.state == state for event in self.heard)

    async def asked(self, number: int = 1) -> File:
        """The request of that number, once they see it."""

        async def look() -> File:
            while len(self.desk.files) < number:
                await breathe()
            return self.desk.files[number - 1]

        return await within(look())

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for it."""

        async def look() -> None:
            while not holds():
                await breathe()

        await within(look())

    async def say(self, word: str, by: str = "alice", **more: Any) -> File:
        """Somebody decides about the newest request."""
        groups = more.pop("groups", ())
        name = more.pop("name", "") or self.desk.files[-1].request.id
        decision = Decided(name, word, by, **more)
        return await within(self.desk.decide(decision, Person(by, groups)))

    async def approve(self, by: str = "alice", **more: Any) -> File:
        """Somebody says yes."""
        return await self.say("approve", by, **more)

    async def deny(self, by: str = "alice", **more: Any) -> File:
        """Somebody says no."""
        return await self.say("deny", by, **more)


def sent(proxy: Proxy, raw: bytes | None = None) -> "asyncio.Task[Message]":
    """A call that is under way."""
    return asyncio.get_running_loop().create_task(proxy.call(raw or pay()))


async def test_an_approved_call_is_sent_once_and_answered(upstream: RawUpstream) -> None:
    """It blocks until somebody says yes; its answer passes as it came."""
    async with gated(upstream) as proxy:
        people, call = People(proxy), sent(proxy)
        await people.asked()
        assert (len(upstream.heads), call.done()) == (0, False)
        upstream.then(answer(201, "X-A: b", body=b"paid"))
        await people.approve()
        got = await within(call)
        assert (got.status, got.body, got.value("x-a")) == (201, b"paid", b"b")
        assert (len(upstream.requests), got.value("holdfast-outcome")) == (1, b"ok")
        assert [event.state for event in people.heard] == ["requested", "approved"]


async def test_a_denied_call_is_never_sent(upstream: RawUpstream) -> None:
    """Nor is the same call again, of which nobody is asked until the request expires."""
    async with gated(upstream) as proxy:
        people, call = People(proxy), sent(proxy)
        await people.asked()
        await people.deny(reason="too much")
        got = await within(call)
        assert (got.status, code(got), got.value("x-should-retry")) == (
            403, "approval_denied", b"false",
        )  # fmt: skip
        assert b"too much" in got.body
        again = await proxy.call(pay())
        assert (code(again), len(upstream.heads), people.told("requested")) == (
            "approval_denied", 0, 1,
        )  # fmt: skip


async def test_nobody_decides_in_time(upstream: RawUpstream) -> None:
    """The agent is told to come again; the same call attaches, and goes when somebody has."""
    async with gated(upstream, "hold: 50ms") as proxy:
        people = People(proxy)
        got = await within(sent(proxy))
        told = json.loads(got.body)
        assert (got.status, told["code"], told["executed"]) == (403, "approval_pending", "no")
        assert (told["approval"], told["retry_after"] > 0, got.value("retry-after")) == (
            people.desk.files[0].request.id, True, b"5",
        )  # fmt: skip
        assert (told["retryable"], got.value("x-should-retry")) == (True, b"false")
        again = await within(sent(proxy))
        assert (code(again), people.told("requested"), len(upstream.heads)) == (
            "approval_pending", 1, 0,
        )  # fmt: skip
        await people.approve()
        assert len(upstream.heads) == 0  # nobody waits for it
        assert (await proxy.call(pay())).body == b"ok"
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("number", [5, 100])
async def test_identical_calls_are_one(upstream: RawUpstream, number: int) -> None:
    """One request, one notification, one sending; all get its answer."""
    async with gated(upstream) as proxy:
        people = People(proxy)
        calls = [sent(proxy) for _ in range(number)]
        await people.asked()
        upstream.then(answer(200, "X-A: b", body=b"paid"))
        case = next(iter(people.desk._cases.values()))
        await people.until(lambda: len(case.waiters) == number)
        await people.approve()
        answers = await asyncio.gather(*calls)
        assert {(got.status, got.body, got.value("x-a")) for got in answers} == {
            (200, b"paid", b"b")
        }
        assert (len(upstream.requests), people.told("requested")) == (1, 1)
        replayed = [got for got in answers if got.value("holdfast-reason")]
        assert len(replayed) == number - 1
        late = await proxy.call(pay())
        assert (late.body, late.value("holdfast-reason")) == (b"paid", b"approval_replayed")
        assert len(upstream.requests) == 1
        counted = await proxy.metrics()
        assert counted.sum("holdfast_approvals_total", state="requested") == 1
        assert counted.sum("holdfast_approvals_total", state="consumed") == 1


@pytest.mark.parametrize(
    "other",
    [
        pay(body=b'{"tool": "pay", "input": {"amount": 6}}'),
        pay(body=b'{"tool":"pay","input":{"amount":5}}'),
        pay("Holdfast-Workflow: other"),
        pay("X-Account: another"),
        request("/?a=b", JSON, method="POST", body=b'{"tool": "pay", "input": {"amount": 5}}'),
    ],
    ids=["argument", "spelling", "workflow", "header", "query"],
)
async def test_another_call_is_another_request(upstream: RawUpstream, other: bytes) -> None:
    """What somebody said yes to is this call, to the byte."""
    async with gated(upstream, "hold: 50ms") as proxy:
        people = People(proxy)
        await within(sent(proxy))
        await people.approve()
        assert code(await within(sent(proxy, other))) == "approval_pending"
        assert (people.told("requested"), len(upstream.heads)) == (2, 0)


async def test_what_a_client_changes_itself_attaches(upstream: RawUpstream) -> None:
    """Counters of repetitions, ids of requests, credentials: the call is the same."""
    async with gated(upstream, "hold: 50ms") as proxy:
        people = People(proxy)
        first = pay("X-Request-Id: 1", "X-Stainless-Retry-Count: 0", "Authorization: Bearer a")
        await within(sent(proxy, first))
        again = pay("X-Request-Id: 2", "X-Stainless-Retry-Count: 1", "Authorization: Bearer b")
        await within(sent(proxy, again))
        assert people.told("requested") == 1


async def test_two_are_two_different_people(upstream: RawUpstream) -> None:
    """The same person twice is refused; the agent never decides."""
    policy = POLICY.replace("risk: high", "risk: critical") % "hold: 20s"
    async with holdfast(upstream, "tools", policy, agent={"id": "ann"}) as proxy:
        people, call = People(proxy), sent(proxy)
        assert (await people.asked()).request.needs == 2
        with pytest.raises(Undecided, match="own calls"):
            await people.approve("ann")
        await people.approve("alice")
        with pytest.raises(Undecided, match="second person"):
            await people.approve("alice")
        assert len(upstream.heads) == 0
        await people.approve("bob")
        assert (await within(call)).body == b"ok"


async def test_one_no_is_final(upstream: RawUpstream) -> None:
    """Whoever agreed before."""
    async with gated(upstream, "approvers: 2") as proxy:
        people, call = People(proxy), sent(proxy)
        await people.asked()
        await people.approve("alice")
        await people.deny("bob")
        assert code(await within(call)) == "approval_denied"
        with pytest.raises(Undecided, match="over"):
            await people.approve("carol")
        assert len(upstream.heads) == 0


async def test_a_broken_glass_stands_for_all(upstream: RawUpstream) -> None:
    """One person, with a reason; everybody hears of it."""
    async with gated(upstream, "approvers: 2, groups: [treasury]") as proxy:
        people, call = People(proxy), sent(proxy)
        await people.asked()
        with pytest.raises(Undecided, match="reason"):
            await people.approve(break_glass=True)
        with pytest.raises(Undecided, match="group treasury"):
            await people.approve()
        await people.approve(break_glass=True, reason="the ship sinks")
        assert (await within(call)).body == b"ok"
        (event,) = [event for event in people.heard if event.state == "broken_glass"]
        assert (event.grave, event.by, event.why) == (True, "alice", "the ship sinks")


async def test_who_decides_is_in_a_group(upstream: RawUpstream) -> None:
    """Where the policy names some."""
    async with gated(upstream, "groups: [treasury, board]") as proxy:
        people, call = People(proxy), sent(proxy)
        await people.asked()
        with pytest.raises(Undecided, match="treasury or board"):
            await people.approve(groups=("it",))
        await people.approve(groups=("board",))
        assert (await within(call)).body == b"ok"


async def test_a_request_expires(upstream: RawUpstream) -> None:
    """Who waits is told; the same call asks anew."""
    async with gated(upstream, "hold: 100ms, expires: 1s") as proxy:
        people = People(proxy)
        first = await within(sent(proxy))
        assert code(first) == "approval_pending"
        while (said := code(await within(sent(proxy)))) == "approval_pending":
            pass
        assert said == "approval_expired"
        assert (people.told("expired"), people.desk.files) == (1, [])
        assert code(await within(sent(proxy))) == "approval_pending"
        assert (people.told("requested"), len(upstream.heads)) == (2, 0)


async def test_a_client_that_comes_later_gets_a_202(upstream: RawUpstream) -> None:
    """At once, for it asked for it (RFC 7240)."""
    async with gated(upstream) as proxy:
        people = People(proxy)
        got = await within(sent(proxy, pay("Prefer: respond-async")))
        assert (got.status, code(got), got.reason) == (202, "approval_pending", b"Accepted")
        await people.approve()
        assert (await proxy.call(pay("Prefer: respond-async"))).status == 200


async def test_a_policy_may_hold_nobody(upstream: RawUpstream) -> None:
    """`mode: async`: pending at once."""
    async with gated(upstream, "mode: async") as proxy:
        assert code(await within(sent(proxy))) == "approval_pending"


async def test_it_is_held_for_less_than_its_client_waits(upstream: RawUpstream) -> None:
    """So that its client hears of it."""
    async with gated(upstream) as proxy:
        got = await within(sent(proxy, pay("Holdfast-Timeout-Ms: 200")))
        assert code(got) == "approval_pending"


async def test_a_call_whose_agent_left_is_not_sent(upstream: RawUpstream) -> None:
    """Nobody would have its answer. The approval stands for the next one who asks."""
    async with gated(upstream) as proxy:
        people = People(proxy)
        async with await proxy.connect() as agent:
            agent.send(pay())
            await people.asked()
            case = next(iter(people.desk._cases.values()))
            await people.until(lambda: len(case.waiters) == 1)
        await people.until(lambda: not case.waiters)
        await people.approve()
        assert (len(upstream.heads), case.runner) == (0, "")
        assert (await proxy.call(pay())).body == b"ok"


async def test_it_may_be_sent_all_the_same(upstream: RawUpstream) -> None:
    """Where the policy says so; who asks again gets its answer."""
    async with gated(upstream, "hold: 20s, execute_when_gone: true") as proxy:
        people = People(proxy)
        async with await proxy.connect() as agent:
            agent.send(pay())
            await people.asked()
            case = next(iter(people.desk._cases.values()))
            await people.until(lambda: len(case.waiters) == 1)
        await people.approve()
        await within(upstream.seen())
        await people.until(lambda: case.outcome is not None)
        got = await proxy.call(pay())
        assert (got.body, got.value("holdfast-reason"), len(upstream.requests)) == (
            b"ok", b"approval_replayed", 1,
        )  # fmt: skip


async def test_who_is_held_when_the_process_stops_is_told_to_come_again(
    upstream: RawUpstream,
) -> None:
    """At once: people take longer than a drain. Whoever waits for an answer that comes gets it."""
    async with gated(upstream) as proxy:
        people, call = People(proxy), sent(proxy)
        await people.asked()

        async def late(connection: Any, _: Message) -> None:
            await going.wait()
            connection.send(answer(body=b"paid"))

        going, other = asyncio.Event(), pay(body=b'{"tool": "pay", "input": {"amount": 7}}')
        upstream.then(late)
        runs = sent(proxy, other)
        await people.asked(2)
        await people.approve()
        await people.until(lambda: len(upstream.heads) == 1)
        waits = sent(proxy, other)
        case = people.desk._cases[people.desk.files[-1].request.id]
        await people.until(lambda: len(case.waiters) == 1)
        stopping = asyncio.get_running_loop().create_task(proxy.app.stop(drain=20.0))
        assert code(await within(call)) == "approval_pending"
        going.set()
        assert (await within(runs)).body == b"paid"
        assert (await within(waits)).body == b"paid"
        assert await within(stopping)


@pytest.mark.parametrize("durable", [True, False])
async def test_a_kill_between_the_yes_and_the_sending_wins(
    upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    """Also where it comes while it is being made durable that the approval is used."""
    async with gated(upstream) as proxy:
        people, call = People(proxy), sent(proxy)
        await people.asked()
        using, goes_on = asyncio.Event(), asyncio.Event()
        consume = people.desk.consume

        async def slowly(held: Any) -> Any:
            said = await consume(held) if durable else None
            using.set()
            await goes_on.wait()
            return said if durable else await consume(held)

        monkeypatch.setattr(people.desk, "consume", slowly)
        await people.approve()
        await within(using.wait())
        scope = Scope("tool:pay")
        stopped = proxy.app._control.kills.engage(Kill(scope, "case 12", "alice", "admin"))
        goes_on.set()
        assert stopped == 1
        assert code(await within(call)) == "killed"
        assert len(upstream.heads) == 0


async def test_policies_are_asked_anew(upstream: RawUpstream) -> None:
    """What was denied meanwhile is denied; the approval is not used up."""
    async with gated(upstream) as proxy:
        people, call = People(proxy), sent(proxy)
        await people.asked()
        proxy.write_policies(POLICY % "hold: 20s" + "    deny: {reason: closed}\n")
        assert proxy.app.reload()
        await people.approve()
        got = await within(call)
        assert (code(got), len(upstream.heads)) == ("denied", 0)
        proxy.write_policies(POLICY % "hold: 20s")
        assert proxy.app.reload()
        assert (await proxy.call(pay())).body == b"ok"
        flights = [each for key, each in proxy.app._keep.items() if key.kind == "inflight"]
        assert [flight.now for flight in flights] == [0] * len(flights)


async def test_policies_that_ask_for_more_ask_anew(upstream: RawUpstream) -> None:
    """One who agreed does not stand for two."""
    async with gated(upstream) as proxy:
        people, call = People(proxy), sent(proxy)
        await people.asked()
        proxy.write_policies(POLICY % "approvers: 2, hold: 50ms")
        assert proxy.app.reload()
        await people.approve()
        assert code(await within(call)) == "approval_expired"
        assert code(await within(sent(proxy))) == "approval_pending"
        assert (people.desk.files[-1].request.needs, len(upstream.heads)) == (2, 0)


async def test_policies_that_ask_for_less_let_it_go(upstream: RawUpstream) -> None:
    """Whoever waited goes, and it is sent once."""
    async with gated(upstream) as proxy:
        people, calls = People(proxy), [sent(proxy), sent(proxy)]
        await people.asked()
        case = next(iter(people.desk._cases.values()))
        await people.until(lambda: len(case.waiters) == 2)
        proxy.write_policies("policies: []")
        assert proxy.app.reload()
        await people.approve()
        assert {got.body for got in await asyncio.gather(*calls)} == {b"ok"}
        assert (len(upstream.requests), case.file.state) == (1, "used")


async def test_what_failed_is_told_and_not_repeated(upstream: RawUpstream) -> None:
    """Nobody knows whether it ran."""
    async with gated(upstream) as proxy:
        people = People(proxy)
        calls = [sent(proxy), sent(proxy)]
        await people.asked()
        case = next(iter(people.desk._cases.values()))
        await people.until(lambda: len(case.waiters) == 2)

        async def cut(connection: Any, _: Message) -> None:
            connection.transport.abort()

        upstream.then(cut)
        await people.approve()
        answers = await asyncio.gather(*calls)
        assert sorted(map(code, answers)) == ["approval_expired", "upstream_disconnected"]
        told = json.loads((await proxy.call(pay())).body)
        assert (told["code"], told["executed"], told["next_step"]) == (
            "approval_expired", "unknown", "verify_then_retry",
        )  # fmt: skip
        assert (told["retryable"], len(upstream.requests)) == (False, 1)


async def test_a_plain_upload_is_read_first(upstream: RawUpstream) -> None:
    """It is bound to its bytes; the upstream gets them as they came."""
    policy = "policies: [{name: up, match: {method: PUT}, approval: {approvers: 1, hold: 20s}}]"
    body = b"x" * 300_000
    async with holdfast(upstream, "http", policy) as proxy:
        people = People(proxy)
        async with await proxy.connect() as agent:
            raw = request("/file", method="PUT", body=body)
            agent.send(raw[:1000])
            assert people.desk.files == []
            agent.send(raw[1000:])
            file = await people.asked()
            shown = await people.desk.shown(file.request.id)
            assert shown is not None
            exhibit = Exhibit.decoded(shown)
            assert (exhibit.method, exhibit.path, exhibit.body) == ("PUT", "/file", body)
            await people.approve()
            assert (await agent.answer("PUT")).status == 200
        assert (await upstream.seen()).body == body


@pytest.mark.parametrize("framed", [True, False])
async def test_what_cannot_be_shown_is_refused(upstream: RawUpstream, framed: bool) -> None:
    """Nobody is asked about what nobody can see."""
    policy = "policies: [{name: up, match: {method: PUT}, approval: {approvers: 1}}]"
    body = b"x" * ((1 << 20) + 1)
    async with holdfast(upstream, "http", policy) as proxy:
        if framed:
            raw = request("/file", method="PUT", body=body)
        else:
            raw = request("/file", "Transfer-Encoding: chunked", method="PUT", body=chunked(body))
        got = await within(sent(proxy, raw))
        assert (got.status, code(got), len(upstream.heads)) == (413, "body_too_large", 0)


async def test_a_call_of_medium_risk_passes_and_is_listed(upstream: RawUpstream) -> None:
    """Somebody looks at it afterwards."""
    policy = "policies: [{name: p, approval: {}}]"
    async with holdfast(upstream, "tools", policy) as proxy:
        people = People(proxy)
        assert (await proxy.call(pay())).body == b"ok"
        (file,) = people.desk.files
        assert (file.state, file.request.needs, file.request.tool) == ("review", 0, "pay")
        await people.approve(reason="fine")
        assert people.desk.files == []


async def test_a_shadow_holds_nobody(upstream: RawUpstream) -> None:
    """It counts whom it would have held."""
    policy = (POLICY % "hold: 20s").replace("approval: {", "approval: {mode: shadow, ")
    async with holdfast(upstream, "tools", policy) as proxy:
        people = People(proxy)
        got = await within(sent(proxy))
        assert (got.body, people.desk.files) == (b"ok", [])
        counted = await proxy.metrics()
        assert (
            counted.sum("holdfast_refusals_total", code="approval_pending", enforced="false") == 1
        )


async def test_a_persons_time_is_not_the_calls(upstream: RawUpstream) -> None:
    """A deadline that is shorter than the wait does not end it."""
    policy = POLICY % "hold: 20s" + "    timeout: {total: 1s}\n"
    async with holdfast(upstream, "tools", policy) as proxy:
        people, call = People(proxy), sent(proxy)
        await people.asked()
        case = next(iter(people.desk._cases.values()))
        began = proxy.app.clock.now()
        await people.until(lambda: proxy.app.clock.now() > began + 1.2)
        await people.approve()
        assert ((await within(call)).status, case.file.state) == (200, "used")


async def test_a_loop_may_be_a_persons_to_judge(upstream: RawUpstream) -> None:
    """Who lets it go says that it is none; it is sent once, and counts begin anew."""
    policy = "policies: [{name: l, loop: {same: 2, approve: 1}}]"
    async with holdfast(upstream, "tools", policy) as proxy:
        people = People(proxy)
        again = pay("Holdfast-Workflow: w1")
        for _ in range(2):
            assert (await proxy.call(again)).body == b"ok"
        call = sent(proxy, again)
        file = await people.asked()
        assert (file.request.why, file.request.policy) == ("loop", "l")
        await people.approve()
        assert (await within(call)).body == b"ok"
        assert (len(upstream.requests), people.desk.files) == (3, [])
        assert (await proxy.call(again)).body == b"ok"


async def test_a_loop_that_is_denied_is_stopped(upstream: RawUpstream) -> None:
    """The same answer for the same call, until it expires."""
    policy = "policies: [{name: l, loop: {same: 1, approve: 1}}]"
    async with holdfast(upstream, "tools", policy) as proxy:
        people = People(proxy)
        again = pay("Holdfast-Workflow: w1")
        assert (await proxy.call(again)).body == b"ok"
        call = sent(proxy, again)
        await people.asked()
        await people.deny(reason="it is one")
        assert code(await within(call)) == "approval_denied"
        assert (await proxy.call(again)).status == 403
        assert len(upstream.requests) == 1


async def test_an_approved_call_counts_once_for_loops(upstream: RawUpstream) -> None:
    """It passes the gates twice, and is one."""
    policy = POLICY % "hold: 20s, replay: 0s" + "    loop: {same: 2}\n"
    async with holdfast(upstream, "tools", policy) as proxy:
        people = People(proxy)
        for number in range(1, 3):
            call = sent(proxy, pay("Holdfast-Workflow: w1"))
            await people.until(lambda n=number: people.told("requested") == n)  # type: ignore[misc]  # a default
            await people.approve()
            assert (await within(call)).body == b"ok"
        assert code(await proxy.call(pay("Holdfast-Workflow: w1"))) == "loop_detected"


async def test_a_client_that_resends_its_key_has_one(upstream: RawUpstream) -> None:
    """A key that is made for a call is made once."""
    policy = POLICY % "hold: 20s" + "    idempotency: {inject: true}\n"
    async with holdfast(upstream, "tools", policy) as proxy:
        people, call = People(proxy), sent(proxy)
        await people.asked()
        await people.approve()
        assert (await within(call)).body == b"ok"
        assert len((await upstream.seen()).values("idempotency-key")) == 1


MONEY = """
policies:
  - {name: all, cost: 0.60}
  - {name: pay, match: {tool: pay}, risk: high, approval: {hold: 20s}}
budgets: [{name: cap, per: agent, day: %s}]
"""


async def test_where_a_budget_has_no_room_any_more_the_approval_stands(
    upstream: RawUpstream,
) -> None:
    """It was spent while people thought about it. Nothing is sent and nothing used up: with more
    room the same call goes, and nobody is asked again."""
    upstream.then()
    async with holdfast(upstream, "tools", MONEY % "1.00") as proxy:
        people, held = People(proxy), sent(proxy)
        await people.asked()
        spends = request("/v1/buy", method="POST")
        assert (await proxy.call(spends, "POST")).status == 200
        await people.approve()
        assert code(await within(held)) == "budget_exceeded"
        assert [file.state for file in people.desk.files] == ["approved"]
        assert len(upstream.requests) == 1

        proxy.write_policies(MONEY % "2.00")
        assert proxy.app.reload()
        assert (await proxy.call(pay())).status == 200
        assert (people.told("requested"), len(upstream.requests)) == (1, 2)


async def test_a_yes_is_for_the_place_that_people_saw(upstream: RawUpstream) -> None:
    """Another one has the upstream's name when they agree: they are asked anew about it."""
    upstream.then()
    async with RawUpstream() as elsewhere, gated(upstream) as proxy:
        people, held = People(proxy), sent(proxy)
        await people.asked()
        (proxy.folder / "policies" / "00.yaml").write_text(upstream_yaml(elsewhere, "tools"))
        assert proxy.app.reload()
        await people.approve()
        assert code(await within(held)) == "approval_expired"
        assert (upstream.requests, elsewhere.requests) == ([], [])
