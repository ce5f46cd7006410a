"""proxy/mirrors/to_gateway.py, over the sandbox's ledger."""

import json

import pytest

from proxy.mirrors.event import Event
from proxy.mirrors.sink import Said
from proxy.mirrors.to_gateway import ToGateway
from proxy.posts import Answer
from tests.fakes import EPOCH
from tests.mirrors.at_gateway import AGENT, Gateway, finished, record
from tests.mirrors.scene import Scene, until

AWAY = Answer(503, "it answered 503", retry_after=9.0)
NOT_WANTED = Answer(422, "it answered 422", body=b'{"error":{"code":"no"}}')
LATER = "2026-11-28T06:24:01.000000000Z"


def sink_of(gateway: Gateway, wall: float = 0.0) -> ToGateway:
    return ToGateway(gateway.calls(), lambda: wall or EPOCH)


async def taken(sink: ToGateway, *events: Event) -> list[Said]:
    return [await sink.take([event]) for event in events]


async def test_what_is_told_again_is_done_once():
    """It died in the middle: the same keys."""
    gateway = Gateway()
    gateway.fails["record_transaction"] = [AWAY]
    event = finished(cost_micros=12_500)

    said = await taken(sink_of(gateway), event, event)
    again = await taken(sink_of(gateway), event)

    assert said == [Said(0, "it answered 503", retry_after=9.0), Said(1)]
    assert again == [Said(1)]
    assert [each.amount_micros for each in gateway.ledger.transactions][3:] == []
    assert sum(each.kind == "charge" for each in gateway.ledger.transactions) == 1
    assert len(gateway.ledger.audit) == 1


async def test_what_the_gateway_does_not_want_is_blamed_on_the_record():
    """What else becomes of it is told all the same: an agent without a wallet is audited."""
    gateway = Gateway()
    gateway.fails["create_audit_trail"] = [NOT_WANTED]

    said = await taken(sink_of(gateway), finished(cost_micros=5), finished(3, agent="ghost", cost_micros=5))  # fmt: skip # noqa: E501

    assert said == [Said(0, "it answered 422 no", 1), Said(0, "it answered 404 wallet_not_found", 1)]  # fmt: skip # noqa: E501
    assert [each.agent_id for each in gateway.ledger.audit] == ["ghost"]
    assert sum(each.kind == "charge" for each in gateway.ledger.transactions) == 1


async def test_sums_are_told_when_the_next_minute_begins():
    """Before anything of it; and tried again as one."""
    gateway = Gateway()
    gateway.fails["submit_metrics"] = [AWAY]
    sink = sink_of(gateway)
    read = {"tool": "get_balance"}

    said = await taken(
        sink,
        finished(2, **read),
        finished(3, **read),
        finished(4, LATER, **read),
        finished(4, LATER, **read),
    )

    assert [each.taken for each in said] == [1, 1, 0, 1]
    [entry] = gateway.ledger.metrics
    assert entry.agent_id == AGENT
    assert entry.content["metrics"]["calls"] == 2  # type: ignore[index]
    assert sink.dump()["sums"]["agents"][AGENT][0] == 1


async def test_sums_of_a_minute_that_is_over_need_no_next_call():
    """But it is waited for what comes late."""
    gateway = Gateway()
    at = "2023-11-14T22:13:20.000000000Z"  # as EPOCH
    sink = sink_of(gateway, EPOCH)
    await taken(sink, finished(2, at))
    assert await sink.idle() == Said(0)
    assert not gateway.ledger.metrics

    sink._wall = lambda: EPOCH + 46.0
    gateway.fails["submit_metrics"] = [AWAY]
    assert await sink.idle() == Said(0, "it answered 503", retry_after=9.0)
    assert await sink.idle() == Said(0)
    assert await sink.idle() == Said(0)

    assert len(gateway.ledger.metrics) == 1


async def test_sums_that_are_not_wanted_are_dropped_and_told():
    """They hold up no record."""
    gateway = Gateway()
    gateway.fails["submit_metrics"] = [NOT_WANTED]
    sink = sink_of(gateway)

    said = await taken(sink, finished(2), finished(3, LATER))

    assert [each.taken for each in said] == [1, 1]
    assert await sink.idle() == Said(0, "it answered 422 no", 1)
    assert await sink.idle() == Said(0)


async def test_a_workflow_that_is_ended_by_a_budget():
    """Its escrows are looked for; tried again while the gateway is away."""
    gateway = Gateway()
    gateway.fails["list_escrows"] = [AWAY]
    sink = sink_of(gateway)
    event = record("kill.engaged", 9, scope="workflow:w-1", origin="budget")
    made = finished(5, tool="create_escrow", workflow="w-1")

    assert [each.taken for each in await taken(sink, made, event, event)] == [1, 0, 1]

    assert gateway.tools[-1] == "publish_event"
    assert sink.dump()["escrows"]["ended"] == ["w-1"]


async def test_what_it_knows_is_kept_with_its_place(tmp_path):
    """Over a restart: each call is in one sum, whenever it came."""
    scene = Scene(tmp_path)
    gateway = Gateway()
    first = sink_of(gateway, 1.0)
    scene.written.note("a", "b")
    mirror = scene.mirror(first, kind="gateway")
    await until(mirror, lambda: mirror.lag == 0 and mirror.cursor.seq == 3)

    second = sink_of(gateway, 1.0)
    scene.written.note("c")
    mirror = scene.mirror(second, kind="gateway")
    await until(mirror, lambda: mirror.lag == 0 and mirror.cursor.seq == 4)

    sums = second.dump()["sums"]["agents"]
    assert sum(row[0] for row in sums.values()) == 3
    assert second.dump()["source"] == scene.written.terms.origin
    assert json.loads(json.dumps(second.dump())) == second.dump()


@pytest.mark.parametrize("state", [None, 3])
async def test_nothing_is_known(state: object):
    """A new one."""
    sink = sink_of(Gateway())
    sink.load(state)

    assert sink.dump()["sums"]["agents"] == {}
    await sink.close()
