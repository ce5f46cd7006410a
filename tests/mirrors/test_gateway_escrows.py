"""proxy/mirrors/gateway_escrows.py: what a workflow holds is let go, and nothing else."""

import json

import pytest

from proxy.lab.sandbox.tools import run
from proxy.mirrors import gateway_escrows as module
from proxy.mirrors.gateway_escrows import MOST, Escrows
from proxy.mirrors.gateway_table import called
from proxy.posts import Answer
from tests.mirrors.at_gateway import AGENT, Gateway, finished, record

AWAY = Answer(503, "it answered 503")
GONE = Answer(409, "it answered 409", body=b'{"error":{"code":"escrow_not_pending"}}')


def escrow(gateway: Gateway, metadata: object = None, payer: str = AGENT) -> str:
    given = {"payer_agent_id": payer, "payee_agent_id": "seller-01", "amount": 1}
    made = run(gateway.ledger, "create_escrow", given | {"metadata": metadata})
    return str(made["escrow_id"])


def creates(seq: int = 2, workflow: str = "w-1", **more):
    return finished(seq=seq, tool="create_escrow", workflow=workflow, **more)


def ends(seq: int = 9, scope: str = "workflow:w-1", **more):
    return record("kill.engaged", seq, scope=scope, origin="budget", **more)


def saw(escrows: Escrows, *events) -> None:
    for event in events:
        escrows.saw(event, called(event))


async def release(escrows: Escrows, event):
    found = called(event)
    return await escrows.release(event, found, escrows.concerns(event, found))


def told(gateway: Gateway) -> dict:
    return next(
        given["payload"] for tool, given, _ in reversed(gateway.asked) if tool == "publish_event"
    )


@pytest.mark.parametrize(
    ("event", "workflow"),
    [
        (ends(), "w-1"),
        (ends(scope="agent:w-1"), ""),
        (ends(pod="another"), ""),  # that pod sees to it
        (record("kill.engaged", 9, scope="workflow:w-1", origin="admin"), ""),
        (record("kill.released", 9, scope="workflow:w-1"), ""),
        (creates(), ""),
        (finished(), ""),
    ],
)
def test_whom_it_concerns(event, workflow):
    """A budget that ends a workflow, here; no other kill."""
    assert Escrows(Gateway().calls()).concerns(event, called(event)) == workflow


async def test_those_that_say_so_are_cancelled():
    """By the escrow itself or its metadata; others stay, and it is told how many were made."""
    gateway = Gateway()
    mine = [escrow(gateway, {"workflow_id": "w-1"}) for _ in range(2)]
    others = [
        escrow(gateway, {"workflow_id": "w-2"}),
        escrow(gateway, "w-1"),
        escrow(gateway),
        escrow(gateway, {"workflow_id": "w-1"}, payer="pricing-01"),
    ]
    escrows = Escrows(gateway.calls())
    saw(escrows, creates(2), creates(3), creates(4), creates(5, executed="no"), creates(6, "w-2"))

    assert await release(escrows, ends()) is None

    states = {name: each.status for name, each in gateway.ledger.escrows.items()}
    assert {states[name] for name in mine} == {"cancelled"}
    assert {states[name] for name in others} == {"pending"}
    assert told(gateway) == {
        "workflow": "w-1", "cancelled": mine, "not_cancelled": [], "created": 3,
    }  # fmt: skip


async def test_all_that_its_agents_hold_is_looked_at(monkeypatch):
    """Page by page; an escrow that names both of them counts once."""
    monkeypatch.setattr(module, "_PAGE", 2)
    gateway = Gateway()
    payers = (AGENT, "pricing-01", AGENT, AGENT, "pricing-01")
    mine = [escrow(gateway, {"workflow_id": "w-1"}, payer) for payer in payers]
    both = {"payer_agent_id": AGENT, "payee_agent_id": "pricing-01", "amount": 1}
    made = run(gateway.ledger, "create_escrow", both | {"metadata": {"workflow_id": "w-1"}})
    escrows = Escrows(gateway.calls())
    saw(escrows, creates(2), creates(3, agent="pricing-01"))

    assert await release(escrows, ends()) is None

    assert sorted(told(gateway)["cancelled"]) == sorted([*mine, str(made["escrow_id"])])
    assert gateway.tools.count("list_escrows") == 5


async def test_what_others_hold_who_were_never_here_stays():
    """An agent may take any workflow's id, and end it."""
    gateway = Gateway()
    theirs = escrow(gateway, {"workflow_id": "w-1"})

    assert await release(Escrows(gateway.calls()), ends()) is None

    assert gateway.ledger.escrows[theirs].status == "pending"
    assert told(gateway)["created"] == 0


async def test_pages_have_an_end(monkeypatch):
    """However much there is."""
    monkeypatch.setattr(module, "_PAGE", 1)
    monkeypatch.setattr(module, "_PAGES", 2)
    gateway = Gateway()
    for _ in range(4):
        escrow(gateway, {"workflow_id": "w-1"})
    escrows = Escrows(gateway.calls())
    saw(escrows, creates())

    assert await release(escrows, ends()) is None

    assert len(told(gateway)["cancelled"]) == 2


async def test_a_call_that_ended_late(monkeypatch):
    """It was under way when its workflow was ended: what it made is let go as well."""
    gateway = Gateway()
    escrows = Escrows(gateway.calls())
    saw(escrows, ends())
    mine = escrow(gateway, {"workflow_id": "w-1"})
    late = creates(10, executed="unknown")

    assert escrows.concerns(late, called(late)) == "w-1"
    assert await release(escrows, late) is None

    assert told(gateway) == {
        "workflow": "w-1", "cancelled": [mine], "not_cancelled": [], "created": 1,
    }  # fmt: skip


@pytest.mark.parametrize("tool", ["list_escrows", "cancel_escrow", "publish_event"])
async def test_a_gateway_that_is_away(tool: str):
    """It is tried again, with the same keys for what changes something."""
    gateway = Gateway()
    mine = escrow(gateway, {"workflow_id": "w-1"})
    gateway.fails[tool] = [AWAY]
    escrows = Escrows(gateway.calls())
    saw(escrows, creates())

    left = await release(escrows, ends())
    assert left is not None
    assert left.why == "it answered 503"
    assert await release(escrows, ends()) is None

    assert gateway.ledger.escrows[mine].status == "cancelled"
    keys = [lines["idempotency-key"] for name, _, lines in gateway.asked if name == tool != "list_escrows"]  # fmt: skip # noqa: E501
    assert len(set(keys)) <= 1


async def test_one_that_was_let_go_meanwhile():
    """It is told that it was not we who did it; and what was told before is not told again."""
    gateway = Gateway()
    mine = escrow(gateway, {"workflow_id": "w-1"})
    gateway.fails = {"cancel_escrow": [GONE], "publish_event": [GONE]}

    escrows = Escrows(gateway.calls())
    saw(escrows, creates())

    assert await release(escrows, ends()) is None

    assert told(gateway)["not_cancelled"] == [mine]


@pytest.mark.parametrize("result", [b"{}", b'{"escrows":3}', b'{"escrows":[3,{"escrow_id":4}]}'])
async def test_an_answer_without_sense(result: bytes):
    """Nothing is found in it."""
    gateway = Gateway()
    gateway.fails["list_escrows"] = [Answer(200, body=b'{"result":%b}' % result)]

    escrows = Escrows(gateway.calls())
    saw(escrows, creates())

    assert await release(escrows, ends()) is None

    assert told(gateway)["cancelled"] == []


def test_what_is_remembered_is_bounded_and_kept():
    """The last workflows, and some agents of each."""
    escrows, again = Escrows(Gateway().calls()), Escrows(Gateway().calls())
    for number in range(MOST + 10):
        saw(escrows, creates(number + 1, f"w-{number}"), ends(scope=f"workflow:w-{number}"))
    for number in range(100):
        saw(escrows, creates(5, "w-99", agent=f"agent-{number}"))

    again.load(json.loads(json.dumps(escrows.dump())))

    assert again.dump() == escrows.dump()
    assert len(again._made) == len(again._ended) == MOST
    assert len(again._made["w-99"]) == 20
