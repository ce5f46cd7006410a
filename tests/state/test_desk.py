"""From the asking to the one sending. All orders at once: test_desk_orders.py."""

import asyncio

import pytest

from proxy.call import Whole
from proxy.clock import NEVER
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure, Result
from proxy.state.asking import LARGEST, Decided, Terms
from proxy.state.case import Person, Undecided
from proxy.state.outcomes import Outcome
from tests.fakes import FakeBody, make_attempt, make_reply, settled
from tests.state.at_desk import TERMS, Held, Scene, paying

TWO = Terms("money", 2)


def code(answer: object) -> str:
    """Of a refusal, wherever it is."""
    if isinstance(answer, Outcome):
        answer = answer.refusal
    assert isinstance(answer, Refusal)
    return answer.code


async def approved(scene: Scene, body: bytes = b"{}") -> None:
    """A request that people have agreed to."""
    await scene.asked(body)
    await scene.decides("approve")


@pytest.mark.parametrize("body", [None, b"x" * (LARGEST + 1)])
async def test_what_cannot_be_shown_is_not_asked_for(body: bytes | None) -> None:
    """Its body is not here, or too large."""
    answer = Scene().desk.attach(paying(body), TERMS)
    assert isinstance(answer, Refusal)
    assert (answer.code, answer.policy) == ("body_too_large", "money")


async def test_who_waits_goes_when_people_have_agreed() -> None:
    """One of all who wait; the others get what it comes to."""
    scene = Scene()
    first = scene.clock.spawn(scene.comes(hold=50.0, id="c1"))
    second = scene.clock.spawn(scene.comes(hold=50.0, id="c2"))
    await settled()
    await scene.decides("approve")
    await settled()
    assert (first.done(), second.done()) == (True, False)
    call, answer = await first
    assert answer is None
    reply = make_reply(200, body=FakeBody(b"paid"))
    assert await scene.sends(call, reply) is None
    _, again = await second
    assert isinstance(again, Outcome)
    assert again.content == b"paid"
    assert scene.journal.types == ["requested", "decided", "consumed"]


async def test_who_waited_long_enough_is_told_to_come_again() -> None:
    """Nothing of him is left."""
    scene = Scene()
    waiting = scene.clock.spawn(scene.comes(hold=50.0))
    await settled()
    scene.clock.advance(50.0)
    _, answer = await waiting
    assert code(answer) == "approval_pending"
    assert [case.waiters for case in scene.desk._cases.values()] == [[]]


async def test_whose_hold_grew_waits_on() -> None:
    """Its agent is gone, and it goes on all the same."""
    scene, hold = Scene(), Held(0.0)
    hold.until = scene.clock.now() + 1.0
    call = paying()
    case = scene.desk.attach(call, TERMS)
    assert not isinstance(case, Refusal)
    waiting = scene.clock.spawn(scene.desk.passed(case, call, hold))
    await settled()
    hold.until = NEVER
    scene.clock.advance(2.0)
    await settled()
    assert not waiting.done()
    await scene.decides("approve")
    assert await waiting is None


async def test_where_the_process_is_about_to_end_nobody_is_held() -> None:
    """Neither who waits nor who comes; what has been decided goes."""
    scene = Scene()
    waiting = scene.clock.spawn(scene.comes(hold=50.0))
    await settled()
    scene.desk.leave()
    _, answer = await waiting
    assert code(answer) == "approval_pending"
    _, answer = await scene.comes(hold=50.0)
    assert code(answer) == "approval_pending"
    await scene.decides("approve")
    _, answer = await scene.comes(hold=50.0)
    assert answer is None


async def test_who_leaves_is_forgotten() -> None:
    """The request stands, for others."""
    scene = Scene()
    waiting = scene.clock.spawn(scene.comes(hold=50.0))
    await settled()
    inner = [task for task in scene.clock._tasks if task is not waiting]
    for task in (waiting, *inner):
        task.cancel()
    await settled()
    (case,) = scene.desk._cases.values()
    assert (case.waiters, case.file.state) == ([], "pending")


async def test_an_answer_is_given_again_for_a_while() -> None:
    """Then people are asked anew."""
    scene = Scene()
    await approved(scene)
    call, _ = await scene.comes()
    assert await scene.sends(call, make_reply(200, body=FakeBody(b"paid"))) is None
    assert scene.desk._bytes == 4
    scene.clock.advance(599.0)
    _, answer = await scene.comes()
    assert isinstance(answer, Outcome)
    scene.clock.advance(1.0)
    _, answer = await scene.comes()
    assert code(answer) == "approval_pending"
    assert scene.desk._bytes == 0


async def test_an_alarm_that_is_late_gives_nobody_more_time() -> None:
    """Who comes then is asked about anew."""
    scene = Scene()
    first = await scene.asked()
    scene.clock.time += 900.0  # and no alarm has gone off
    second = await scene.asked()
    assert second is not first
    assert scene.journal.types == ["requested", "expired", "requested"]


async def test_a_claim_is_given_back_where_something_refuses() -> None:
    """Before it was used: the approval stands, also for who waits."""
    scene = Scene()
    await approved(scene)
    call, _ = await scene.comes()
    waiting = scene.clock.spawn(scene.comes(hold=50.0, id="c2"))
    await settled()
    reply = make_reply(Refusal("killed", "no"))
    scene.desk.returns(call, reply, lambda _: False)
    reply.finish()
    other, answer = await waiting
    assert (answer, other.ticket.runner) == (None, "c2")


async def test_a_claim_that_comes_back_too_late_expires() -> None:
    """Its time was over meanwhile."""
    scene = Scene()
    await approved(scene)
    call, _ = await scene.comes()
    scene.clock.advance(900.0)
    scene.desk.lost(call)
    assert (scene.desk.files, scene.journal.types[-1]) == ([], "expired")


async def test_a_claim_may_be_lost() -> None:
    """Cancelled before it was used it stands; after that it may have run."""
    scene = Scene()
    await approved(scene)
    call, _ = await scene.comes()
    scene.desk.lost(call)
    call, answer = await scene.comes()
    assert answer is None
    assert await scene.desk.consume(call) is None
    call.attempts.append(make_attempt(call, sent=True))
    scene.desk.lost(call)
    _, answer = await scene.comes()
    assert isinstance(answer, Outcome)
    assert answer.refusal is not None
    assert (answer.refusal.executed, "cancelled" in answer.refusal.detail) == (
        Executed.UNKNOWN, True,
    )  # fmt: skip


async def test_what_surely_did_not_run_is_asked_about_anew() -> None:
    """It was used up, and then refused: who waited is told, who comes again asks."""
    scene = Scene()
    await approved(scene)
    call, _ = await scene.comes()
    assert await scene.desk.consume(call) is None
    waiting = scene.clock.spawn(scene.comes(hold=50.0, id="c2"))
    await settled()
    reply = make_reply(Refusal("budget_exceeded", "no"))
    scene.desk.returns(call, reply, lambda _: False)
    reply.finish()
    _, answer = await waiting
    assert code(answer) == "approval_expired"
    _, answer = await scene.comes()
    assert code(answer) == "approval_pending"


async def test_a_call_that_no_policy_asks_for_any_more_is_used_as_well() -> None:
    """It was sent without being asked for once more."""
    scene = Scene()
    await approved(scene)
    call, _ = await scene.comes()
    call.attempts.append(make_attempt(call, sent=True))
    reply = make_reply(200)
    scene.desk.returns(call, reply, lambda _: False)
    reply.finish()
    assert (scene.journal.types[-1], scene.desk.files[0].state) == ("consumed", "used")


async def test_what_expired_while_it_ran_is_told_to_who_waits() -> None:
    """And kept nowhere."""
    scene = Scene()
    await approved(scene)
    call, _ = await scene.comes()
    waiting = scene.clock.spawn(scene.comes(hold=50.0, id="c2"))
    await settled()
    assert await scene.desk.consume(call) is None
    scene.desk._end(call.ticket)
    reply = make_reply(Failure.DISCONNECT)
    call.attempts.append(make_attempt(call, sent=True))
    scene.desk.returns(call, reply, lambda _: False)
    reply.finish()
    _, answer = await waiting
    assert (code(answer), scene.desk._bytes) == ("approval_expired", 0)


async def test_it_is_sent_when_it_is_durable_that_it_is_used() -> None:
    """If it cannot be, it is not."""
    scene = Scene()
    await approved(scene)
    call, _ = await scene.comes()
    scene.journal.lasts = False
    refusal = await scene.desk.consume(call)
    assert refusal is not None
    assert (refusal.code, refusal.executed) == ("journal_unavailable", Executed.NO)


async def test_policies_that_ask_for_more_void_it() -> None:
    """Also one that is claimed; those that ask for less do not."""
    scene = Scene()
    await approved(scene)
    call, _ = await scene.comes()
    assert scene.desk.unmet(call, Terms("money", 1, (), 5.0)) is None
    for _ in range(2):
        refusal = scene.desk.unmet(call, TWO)
        assert refusal is not None
        assert refusal.code == "approval_expired"
    assert scene.journal.types[-1] == "expired"
    _, answer = await scene.comes(terms=TWO)
    assert code(answer) == "approval_pending"


# --- people ---


async def test_two_are_two_people() -> None:
    """The same one twice is not."""
    scene = Scene()
    await scene.asked(terms=TWO)
    assert (await scene.decides("approve")).state == "pending"
    with pytest.raises(Undecided, match="alice has approved it already") as raised:
        await scene.decides("approve")
    assert raised.value.kind == "over"
    assert (await scene.decides("approve", "bob")).state == "approved"


async def test_a_way_in_is_none_of_two_people() -> None:
    """Whoever comes in by it may have agreed under a name before, or may do so later."""
    scene = Scene()
    case = await scene.asked(terms=TWO)
    anybody, name = Person("admin.sock", anybody=True), case.request.id
    with pytest.raises(Undecided, match="two people show their tokens") as raised:
        await scene.desk.decide(Decided(name, "approve", "admin.sock"), anybody)
    assert raised.value.kind == "forbidden"
    assert (await scene.decides("approve")).state == "pending"
    file = await scene.desk.decide(Decided(name, "deny", "admin.sock"), anybody)
    assert file.state == "denied"


async def test_a_way_in_may_break_the_glass_and_be_the_one_person() -> None:
    """Who comes in by it could write the files of the process as well."""
    for terms, glass in ((TWO, True), (Terms("money"), False)):
        scene = Scene()
        case = await scene.asked(terms=terms)
        decided = Decided(case.request.id, "approve", "admin.sock", "fire", glass)
        file = await scene.desk.decide(decided, Person("admin.sock", anybody=True))
        assert file.state == "approved"


async def test_one_no_is_final() -> None:
    """For who waits, and for who comes."""
    scene = Scene()
    waiting = scene.clock.spawn(scene.comes(terms=TWO, hold=50.0))
    await settled()
    await scene.decides("approve")
    await scene.decides("deny", "bob", reason="no")
    _, answer = await waiting
    assert code(answer) == "approval_denied"
    with pytest.raises(Undecided, match="over: denied"):
        await scene.decides("approve", "carol")
    _, answer = await scene.comes(terms=TWO)
    assert code(answer) == "approval_denied"


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"by": "ann"}, "forbidden"),
        ({"groups": ("it",)}, "forbidden"),
        ({"break_glass": True}, "invalid"),
        ({"word": "deny", "break_glass": True, "reason": "x"}, "invalid"),
        ({"name": "nothing"}, "unknown"),
    ],
    ids=["agent", "group", "no reason", "a no", "unknown"],
)
async def test_who_may_not_decide(more: dict[str, object], kind: str) -> None:
    """Nothing is noted of it."""
    scene = Scene()
    await scene.asked(terms=Terms("money", 1, ("treasury", "board")))
    with pytest.raises(Undecided) as raised:
        await scene.decides(**({"word": "approve"} | more))  # type: ignore[arg-type]  # as above
    assert (raised.value.kind, scene.journal.types) == (kind, ["requested"])


async def test_who_is_in_a_group_may() -> None:
    """In one of them."""
    scene = Scene()
    await scene.asked(terms=Terms("money", 1, ("treasury", "board")))
    assert (await scene.decides("approve", groups=("it", "board"))).state == "approved"


async def test_a_broken_glass_stands_for_all() -> None:
    """In whatever group; it is told as what it is."""
    scene = Scene()
    await scene.asked(terms=Terms("money", 2, ("treasury",)))
    file = await scene.decides("approve", break_glass=True, reason="fire")
    assert file.state == "approved"
    assert (scene.heard[-1].state, scene.heard[-1].grave) == ("broken_glass", True)


async def test_what_cannot_be_shown_can_only_be_denied() -> None:
    """Its file is gone, or the key."""
    scene = Scene()
    case = await scene.asked()
    scene.folder.drop(case.request.id)
    with pytest.raises(Undecided) as raised:
        await scene.decides("approve")
    assert raised.value.kind == "unseen"
    assert (await scene.decides("deny")).state == "denied"


async def test_one_that_ends_while_somebody_decides_is_over() -> None:
    """He is told so."""
    scene = Scene()
    case = await scene.asked()
    read = scene.folder.read

    async def slowly(name: str, /) -> bytes | None:
        scene.clock.advance(1000.0)
        return await read(name) or b"x"

    scene.folder.read = slowly  # type: ignore[method-assign]  # it takes so long
    with pytest.raises(Undecided) as raised:
        await scene.decides("approve", name=case.request.id)
    assert raised.value.kind == "over"


async def test_a_decision_that_cannot_be_noted_is_told() -> None:
    """It counts, but a restart may forget it."""
    scene = Scene()
    await scene.asked()
    scene.journal.lasts = False
    with pytest.raises(Undecided) as raised:
        await scene.decides("deny")
    assert raised.value.kind == "journal"
    assert scene.desk.files[0].state == "denied"


# --- for others ---


async def test_a_gate_may_ask() -> None:
    """Yes is for once; what people took is not the call's time."""
    scene, call = Scene(), paying(deadline=1010.0)
    asking = scene.clock.spawn(scene.desk.ask(call, TERMS, Held(2000.0)))
    await settled()
    scene.clock.advance(40.0)
    await scene.decides("approve")
    assert await asking is None
    assert (call.held, call.deadline, call.ticket) == (40.0, 1050.0, None)
    assert (scene.journal.types[-1], scene.desk.files) == ("consumed", [])
    again = scene.clock.spawn(scene.desk.ask(paying(), TERMS, Held(0.0)))
    await settled()
    scene.clock.advance(0.0)
    assert code(await again) == "approval_pending"


async def test_a_gate_that_asks_keeps_its_clients_time() -> None:
    """Its deadline never goes beyond."""
    scene, call = Scene(), paying(deadline=1010.0)
    asking = scene.clock.spawn(scene.desk.ask(call, TERMS, Held(2000.0, 1020.0)))
    await settled()
    scene.clock.advance(40.0)
    await scene.decides("deny")
    assert code(await asking) == "approval_denied"
    assert call.deadline == 1020.0


async def test_who_asks_the_same_meanwhile_asks_anew() -> None:
    """The yes was for one call."""
    scene = Scene()
    asking = [scene.clock.spawn(scene.desk.ask(paying(id=n), TERMS, Held(2000.0))) for n in "ab"]
    await settled()
    await scene.decides("approve")
    answers = await asyncio.gather(*asking)
    assert answers[0] is None
    assert code(answers[1]) == "approval_expired"


async def test_a_gate_hears_of_what_cannot_be_asked() -> None:
    """And of what another call came to."""
    scene = Scene()
    assert code(await scene.desk.ask(paying(None), TERMS, Held(0.0))) == "body_too_large"
    await approved(scene)
    call, _ = await scene.comes()
    assert await scene.sends(call, make_reply(Failure.DISCONNECT)) is None
    assert code(await scene.desk.ask(paying(), TERMS, Held(0.0))) == "approval_expired"


async def test_a_list_is_for_people_alone() -> None:
    """Nothing waits for it; the same call attaches, until somebody has looked."""
    scene, terms = Scene(), Terms("money", why="fallback", detail="for ops: it failed")
    call = paying(None)
    name = scene.desk.enlist(call, terms)
    assert (call.approval, scene.desk.enlist(paying(None), terms)) == (name, name)
    await settled()
    assert [file.request.why for file in scene.desk.files] == ["fallback"]
    await scene.decides("approve")
    assert scene.desk.files == []
    assert scene.desk.enlist(paying(None), terms) != name


async def test_a_list_that_is_full_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no id then."""
    monkeypatch.setattr("proxy.state.register.MOST", 0)
    call = paying(approval="r1")
    assert Scene().desk.enlist(call, Terms("money", why="escalated")) == ""
    assert call.approval == "r1"


async def test_what_passes_is_listed_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest makes room."""
    monkeypatch.setattr("proxy.state.desk.MOST_REVIEWS", 2)
    scene = Scene()
    calls = [paying() for _ in range(3)]
    for call in calls:
        scene.desk.review(call, TERMS)
    assert [file.request.id for file in scene.desk.files] == [each.approval for each in calls[1:]]
    assert scene.journal.types[-2:] == ["expired", "requested"]
    assert (await scene.decides("deny", reason="never again")).state == "denied"
    scene.clock.advance(86_400.0)
    assert (scene.desk.files, scene.heard[-1].state) == ([], "denied")


async def test_an_answer_with_a_body_that_came_later_is_kept() -> None:
    """It is held as it passes."""
    scene = Scene()
    await approved(scene)
    call, _ = await scene.comes()
    body = FakeBody(None)
    reply = make_reply(200, body=body)
    assert await scene.desk.consume(call) is None
    call.attempts.append(make_attempt(call, sent=True))
    scene.desk.returns(call, reply, lambda _: False)
    assert body.kept == LARGEST
    body.whole = b"late"
    reply.finish()
    _, answer = await scene.comes()
    assert isinstance(answer, Outcome)
    again = answer.reply()
    assert isinstance(again.body, Whole)
    assert (again.body.whole, again.result) == (b"late", Result.SUCCESS)
