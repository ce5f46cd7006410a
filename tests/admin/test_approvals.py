"""proxy/admin/approvals.py; tests/whole/test_approvals_killed.py has it over a real socket."""

import asyncio
import gzip
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from proxy.admin.answers import NotDone
from proxy.admin.approvals import Approvals, Decision
from proxy.admin.authors import OWNER, Author
from proxy.admin.routes import Visit
from proxy.config.tokens import Role
from proxy.state.asking import Terms
from proxy.state.case import Case, Undecided
from proxy.state.desk import Desk
from tests.admin.scene import Scene
from tests.fakes import FakeBody, make_call, settled
from tests.state.at_desk import TERMS, paying
from tests.state.at_pods import Pods

ALICE = Author("alice", frozenset({Role.APPROVER}), ("treasury",))
BOB = Author("bob", frozenset({Role.VIEWER}))


class Side:
    """The handlers, on a desk."""

    def __init__(self) -> None:
        scene = Scene()
        self.desk = Desk.of(scene.keep, scene.clock)
        self.approvals = Approvals(scene.sight)

    def asks(self, body: bytes = b'{"amount": 5}', terms: Terms = TERMS, **members: Any) -> str:
        """A call that waits; the id of its request."""
        case = self.desk.attach(paying(body, **members), terms)
        assert isinstance(case, Case)
        return case.request.id

    def visit(
        self, name: str = "", author: Author = ALICE, body: Any = None, **query: str
    ) -> Visit:
        """Somebody asks."""
        request: Any = SimpleNamespace(match_info={"id": name}, query=query)
        return Visit(request, author, body)

    async def decides(self, name: str, author: Author = ALICE, **said: Any) -> dict[str, Any]:
        """Somebody does."""
        body = Decision(**({"decision": "approve"} | said))
        told: dict[str, Any] = await self.approvals.decide(self.visit(name, author, body))
        return told


async def test_a_list_has_what_waits() -> None:
    """In one shape; the oldest first; of one state where that is asked for."""
    side = Side()
    name = side.asks(workflow="w1")
    side.desk.review(paying(), TERMS)
    found = await side.approvals.page(side.visit())
    assert [item["state"] for item in found["items"]] in (
        ["pending", "review"],
        ["review", "pending"],
    )
    found = await side.approvals.page(side.visit(state="pending"))
    (item,) = found["items"]
    assert (found["next"], found["unseen"]) == (None, None)
    assert item == {
        "id": name, "state": "pending", "why": "approval", "agent": "ann", "workflow": "w1",
        "task": None, "upstream": "gateway", "tool": "pay", "method": "POST", "policy": "money",
        "detail": None, "needs": 1, "groups": [], "decided": [], "call": "c1", "sent_as": None,
        "digest": item["digest"], "asked": "2023-11-14T22:30:00.000Z", "expires_in": 900.0,
        "pod": None, "host": None,
    }  # fmt: skip


async def test_approvers_see_the_exact_call() -> None:
    """Others see that there is one."""
    side = Side()
    name = side.asks()
    found = await side.approvals.one(side.visit(name))
    assert found["request"] == {
        "method": "POST", "path": "/pay", "headers": [], "body": '{"amount": 5}', "decoded": None,
        "base64": False,
    }  # fmt: skip
    assert (await side.approvals.one(side.visit(name, BOB)))["request"] is None


async def test_a_body_that_is_no_text_is_shown_as_base64() -> None:
    """To the byte."""
    side = Side()
    shown = (await side.approvals.one(side.visit(side.asks(b"\xff"))))["request"]
    assert (shown["body"], shown["base64"]) == ("/w==", True)


@pytest.mark.parametrize(
    ("coding", "body", "said"),
    [
        (b"gzip", gzip.compress(b"plain"), ("plain", "gzip", False)),
        (b"br", b"plain", ("plain", None, False)),
        (b"gzip", b"\xff", ("/w==", None, True)),
    ],
    ids=["gzip", "unknown", "broken"],
)
async def test_a_body_is_shown_without_its_coding(
    coding: bytes, body: bytes, said: tuple[str, str | None, bool]
) -> None:
    """Or an agent could hide what it asks for; what cannot be decoded is shown as it came."""
    side = Side()
    call = make_call({b"content-encoding": coding}, body=FakeBody(body), agent="ann")
    case = side.desk.attach(call, TERMS)
    assert isinstance(case, Case)
    shown = (await side.approvals.one(side.visit(case.request.id)))["request"]
    assert (shown["body"], shown["decoded"], shown["base64"]) == said


async def test_a_decision_has_its_author() -> None:
    """And his groups count."""
    side = Side()
    name = side.asks(terms=Terms("money", 1, ("treasury",)))
    told = await side.decides(name, reason="fine")
    assert (told["state"], told["decided"]) == (
        "approved",
        [{"decision": "approve", "by": "alice", "reason": "fine", "break_glass": False}],
    )


@pytest.mark.parametrize(
    ("author", "said", "status"),
    [
        (Author("bob", frozenset({Role.APPROVER})), {}, 403),
        (Author("ann", frozenset({Role.APPROVER})), {}, 403),
        (ALICE, {"break_glass": True}, 400),
    ],
    ids=["group", "agent", "no reason"],
)
async def test_what_is_not_decided_is_told(
    author: Author, said: dict[str, Any], status: int
) -> None:
    """With a status for each kind of reason."""
    side = Side()
    name = side.asks(terms=Terms("money", 1, ("treasury",)))
    with pytest.raises(NotDone) as raised:
        await side.decides(name, author, **said)
    assert raised.value.status == status


def test_a_reason_has_its_length() -> None:
    """It stands in the journal, and is told to agents."""
    with pytest.raises(msgspec.ValidationError, match="length <= 500"):
        msgspec.convert({"decision": "deny", "reason": "x" * 501}, Decision)


async def test_what_is_over_or_unknown_is_told() -> None:
    """409, and 404."""
    side = Side()
    name = side.asks()
    await side.decides(name)
    for wanted, status in ((name, 409), ("x", 404)):
        with pytest.raises(NotDone) as raised:
            await side.decides(wanted)
        assert raised.value.status == status
    with pytest.raises(NotDone) as raised:
        await side.approvals.one(side.visit("x"))
    assert raised.value.status == 404


@pytest.mark.parametrize(
    "kind",
    [
        *("unknown", "over", "forbidden", "invalid", "unseen", "journal"),
        *("store", "away", "unsure"),
    ],
)
async def test_every_kind_has_a_status(kind: str) -> None:
    """Or whoever decides would be told of a bug."""
    side = Side()

    async def undecided(*_: Any) -> Any:
        raise Undecided(kind, "no")

    side.desk.decide = undecided  # type: ignore[assignment]  # it only says why
    with pytest.raises(NotDone, match="no"):
        await side.decides(side.asks())


async def test_who_comes_in_by_the_socket_is_none_of_two() -> None:
    """Its name is that of a door."""
    side = Side()
    name = side.asks(terms=Terms("money", 2))
    with pytest.raises(NotDone, match="show their tokens") as raised:
        await side.decides(name, OWNER)
    assert raised.value.answer.status == 403


class Afar(Side):
    """The same, and a pod elsewhere where a call waits."""

    def __init__(self, pods: Pods) -> None:
        super().__init__()
        here = pods.of["b"]
        self.pods, self.there = pods, pods.of["a"]
        self.approvals._elsewhere = here.elsewhere

    async def decides(self, name: str, author: Author = ALICE, **said: Any) -> dict[str, Any]:
        """Somebody does, while time passes."""
        deciding = asyncio.ensure_future(super().decides(name, author, **said))
        while not deciding.done():
            await settled()
            self.pods.clock.advance(0.05)
        return await deciding


async def afar() -> tuple[Afar, str]:
    """It, and the id of what waits there."""
    pods = await Pods("a", "b").begin()
    case = await pods.of["a"].asked(b'{"amount": 5}')
    await pods.of["a"].tells()
    return Afar(pods), case.request.id


async def test_what_waits_at_other_pods_is_in_the_list() -> None:
    """With the pod; of one state where that is asked for."""
    side, name = await afar()
    own = side.asks()
    found = await side.approvals.page(side.visit())
    assert {item["id"]: (item["pod"], item["host"]) for item in found["items"]} == {
        name: ("a", "host-a"), own: (None, None),
    }  # fmt: skip
    assert (await side.approvals.page(side.visit(state="approved")))["items"] == []


async def test_a_list_says_what_is_not_in_it() -> None:
    """The store does not answer: there may be more than is seen."""
    side, _ = await afar()
    side.pods.memory.breaks("it is down")
    found = await side.approvals.page(side.visit())
    assert (found["items"], found["unseen"]) == (
        [], "what waits at other pods is not known: it is down",
    )  # fmt: skip
    with pytest.raises(NotDone, match="does not wait here") as raised:
        await side.approvals.one(side.visit("x"))
    assert raised.value.status == 503


async def test_what_waits_elsewhere_is_shown_and_decided_here() -> None:
    """Approvers see the exact call; what is decided is the other pod's."""
    side, name = await afar()
    shown = await side.approvals.one(side.visit(name))
    assert (shown["pod"], shown["request"]["body"]) == ("a", '{"amount": 5}')
    assert (await side.approvals.one(side.visit(name, BOB)))["request"] is None
    told = await side.decides(name, reason="fine")
    assert (told["state"], told["pod"], told["decided"][0]["by"]) == ("approved", "a", "alice")
    assert side.there.desk.files[0].state == "approved"


async def test_a_pod_that_does_not_answer_is_told_of() -> None:
    """Nothing is decided."""
    side, name = await afar()
    side.pods.deaf()
    with pytest.raises(NotDone, match="it is not decided") as raised:
        await side.decides(name)
    assert raised.value.status == 504
