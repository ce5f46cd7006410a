"""Which requests there are, for how long, and how they outlive a restart."""

import asyncio

import pytest

from proxy.refusal import Refusal
from proxy.reply import Executed
from proxy.state.asking import Consumed, Exhibit, Terms
from proxy.state.case import Undecided
from proxy.state.register import MOST_OF_ONE
from tests.fakes import make_reply, settled
from tests.state.at_desk import TERMS, Scene


async def test_people_are_told_when_it_is_durable() -> None:
    """Not before: then nobody sees it, nor can decide about it."""
    scene = Scene()
    scene.journal.lasts = lasts = asyncio.get_running_loop().create_future()
    case = await scene.asked()
    assert (scene.journal.types, scene.heard, scene.desk.files) == (["requested"], [], [])
    with pytest.raises(Undecided, match="nothing of this id"):
        await scene.decides("approve", name=case.request.id)
    lasts.set_result(True)
    await settled()
    assert [(event.state, event.grave) for event in scene.heard] == [("requested", True)]
    assert scene.desk.file(case.request.id) is scene.desk.files[0]
    assert scene.counted == {"requested": 1}


async def test_what_is_shown_is_kept_first() -> None:
    """A call that cannot be shown is not asked for."""
    scene = Scene()
    scene.folder.full = True
    _, answer = await scene.comes()
    assert isinstance(answer, Refusal)
    assert (answer.code, answer.retry_after) == ("journal_unavailable", 5.0)
    assert (scene.journal.entries, scene.desk.files, scene.heard) == ([], [], [])
    scene.folder.full = False
    _, answer = await scene.comes()
    assert isinstance(answer, Refusal)
    assert answer.code == "approval_pending"


async def test_what_cannot_be_noted_is_not_asked_for() -> None:
    """Should the line come to be written all the same, the next one says that it is over."""
    scene = Scene()
    scene.journal.lasts = False
    _, answer = await scene.comes()
    assert isinstance(answer, Refusal)
    assert (answer.code, scene.journal.types) == ("journal_unavailable", ["requested", "expired"])
    scene.journal.lasts = True
    scene.restart()
    assert (scene.desk.files, scene.desk.dump()) == ([], [])


async def test_one_that_ends_while_it_is_kept_is_not_told_of() -> None:
    """Policies changed in that moment."""
    scene = Scene()
    first = scene.attach()
    second = scene.attach(terms=Terms("money", 2))
    await settled()
    assert (first.over is not None, first.listed, second.listed) == (True, False, True)
    assert scene.journal.types == ["requested"]


async def test_whether_there_is_a_case_is_known_of_those_that_are_listed() -> None:
    """One that is still being noted is nobody's to see."""
    scene = Scene()
    scene.journal.lasts = lasts = asyncio.get_running_loop().create_future()
    case = await scene.asked()
    assert not scene.desk.has(case.request.id)
    lasts.set_result(True)
    await settled()
    assert scene.desk.has(case.request.id)
    assert not scene.desk.has("another")


async def test_one_that_ends_while_it_is_noted_is_not_told_of() -> None:
    """It is noted that it is over."""
    scene = Scene()
    scene.journal.lasts = lasts = asyncio.get_running_loop().create_future()
    first = await scene.asked()
    scene.attach(terms=Terms("money", 2))
    lasts.set_result(True)
    await settled()
    assert (first.listed, scene.journal.types) == (False, ["requested", "expired", "requested"])
    assert [event.state for event in scene.heard] == ["expired", "requested"]


async def test_the_exact_call_is_shown_while_it_may_go() -> None:
    """And is gone when that is over."""
    scene = Scene()
    case = await scene.asked(b"body")
    shown = await scene.desk.shown(case.request.id)
    assert shown is not None
    assert Exhibit.decoded(shown).body == b"body"
    await scene.decides("deny")
    assert await scene.desk.shown(case.request.id) is None
    assert await scene.folder.read(case.request.id) is None


async def test_a_request_expires() -> None:
    """Also one that was approved and not used; noted, and told."""
    scene = Scene()
    await scene.asked(b"1")
    await scene.asked(b"2")
    await scene.decides("approve")
    scene.clock.advance(899.0)
    assert scene.desk.left(scene.desk.files[0].request.id) == 1.0
    scene.clock.advance(1.0)
    assert (scene.desk.files, scene.journal.types[3:]) == ([], ["expired", "expired"])
    assert scene.counted["expired"] == 2
    assert scene.desk.left("x") == 0.0


async def test_what_was_denied_is_forgotten_without_a_word() -> None:
    """Its time was told when it was asked for."""
    scene = Scene()
    await scene.asked()
    await scene.decides("deny")
    scene.clock.advance(900.0)
    assert (scene.desk.files, scene.journal.types) == ([], ["requested", "decided"])


async def test_one_that_is_about_to_be_used_does_not_expire() -> None:
    """It is claimed, and passes the gates."""
    scene = Scene()
    await scene.asked()
    await scene.decides("approve")
    call, answer = await scene.comes()
    assert answer is None
    scene.clock.advance(1000.0)
    assert scene.desk.files != []
    assert await scene.sends(call, make_reply(200)) is None


async def test_an_agent_fills_its_own_share_alone() -> None:
    """Others are asked about."""
    scene = Scene()
    for number in range(MOST_OF_ONE):
        scene.attach(b"%d" % number)
    _, answer = await scene.comes(b"x")
    assert isinstance(answer, Refusal)
    assert (answer.code, "of this agent" in answer.detail) == ("overloaded", True)
    _, other = await scene.comes(b"x", agent="bob")
    assert isinstance(other, Refusal)
    assert other.code == "approval_pending"


async def test_the_desk_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many wait, whosever they are."""
    monkeypatch.setattr("proxy.state.register.MOST", 2)
    scene = Scene()
    for agent in ("a", "b"):
        scene.attach(agent=agent)
    _, answer = await scene.comes(agent="c")
    assert isinstance(answer, Refusal)
    assert answer.detail.startswith("2 calls wait")


@pytest.mark.parametrize("snapshot", [False, True])
@pytest.mark.parametrize(
    ("words", "state"),
    [
        ((), "pending"),
        (("approve",), "approved"),
        (("deny",), "denied"),
    ],
)
async def test_it_is_rebuilt(words: tuple[str, ...], state: str, snapshot: bool) -> None:
    """From a snapshot, from records, or both."""
    scene = Scene()
    await scene.asked()
    dumped = (scene.desk.dump(), 1) if snapshot else None
    for word in words:
        await scene.decides(word)
    before = scene.desk.files
    scene.restart(dumped)
    assert scene.desk.files == before
    assert before[0].state == state
    again = await scene.asked()
    assert again.file == before[0]
    assert scene.journal.types.count("requested") == 1


async def test_what_was_used_may_have_run() -> None:
    """Nobody knows; it is told until its replay would be over, and then people are asked anew."""
    scene = Scene()
    await scene.asked()
    await scene.decides("approve")
    call, _ = await scene.comes()
    assert await scene.desk.consume(call) is None
    scene.restart()
    _, answer = await scene.comes()
    assert answer is not None
    assert not isinstance(answer, Refusal)
    told = answer.reply().refusal
    assert told is not None
    assert (told.code, told.executed) == ("approval_expired", Executed.UNKNOWN)
    scene.clock.advance(600.0)
    _, answer = await scene.comes()
    assert isinstance(answer, Refusal)
    assert (answer.code, scene.journal.types.count("requested")) == ("approval_pending", 2)


async def test_listings_are_rebuilt_too() -> None:
    """What passed, what is only listed, and what of them was closed."""
    scene = Scene()
    from tests.state.at_desk import paying

    for body in (b"1", b"2"):
        scene.desk.review(paying(body), TERMS)
    scene.desk.enlist(paying(b"3"), Terms("money", why="fallback"))
    scene.desk.enlist(paying(b"4"), Terms("money", why="escalated"))
    await settled()
    names = [file.request.id for file in scene.desk.files]
    await scene.decides("approve", name=names[1])
    await scene.decides("deny", name=names[3])
    scene.restart()
    assert [file.request.id for file in scene.desk.files] == [names[0], names[2]]
    scene.clock.advance(86_400.0)
    assert (scene.desk.files, scene.journal.types[-2:]) == ([], ["expired", "expired"])


async def test_lines_that_are_none_change_nothing() -> None:
    """A journal of another version, or one that somebody has written into."""
    scene = Scene()
    case = await scene.asked()
    for kind in scene.desk.types:
        scene.desk.apply({"type": kind})
        scene.desk.apply({"type": kind, "id": 5})
    for kind in ("approval.decided", "approval.consumed", "else"):
        scene.desk.apply({"type": kind, "id": case.request.id})
    assert (case.file.state, len(scene.desk.files)) == ("pending", 1)


@pytest.mark.parametrize(
    ("ahead", "left"), [(0.0, 900.0), (-86_400.0, 900.0), (600.0, 300.0), (86_400.0, 0.0)]
)
async def test_a_clock_that_was_set_gives_nobody_more_time(ahead: float, left: float) -> None:
    """While the process runs it changes nothing; a restart never gives more than all of it."""
    scene = Scene()
    case = await scene.asked()
    scene.clock.ahead = ahead
    scene.clock.advance(0.0)
    assert scene.desk.left(case.request.id) == 900.0
    scene.restart()
    assert scene.desk.left(case.request.id) == left
    scene.clock.advance(0.0)
    assert bool(scene.desk.files) is (left > 0)


async def test_exhibits_of_nothing_are_destroyed_at_a_start() -> None:
    """The process died before it was noted, or after it was over."""
    scene = Scene()
    case = await scene.asked()
    scene.folder.put("left", b"x")
    scene.restart()
    assert await scene.folder.read("left") is None
    assert await scene.desk.shown(case.request.id) is not None


async def test_without_a_journal_it_works_in_memory() -> None:
    """For who only tries policies: at once, and without a loop's help."""
    scene = Scene(begin=False)
    case = scene.attach()
    assert (case.listed, case.opening, len(scene.desk.files)) == (True, None, 1)
    assert (await scene.decides("approve")).state == "approved"


async def test_a_used_one_is_in_the_dump() -> None:
    """With the call that used it."""
    scene = Scene()
    await scene.asked()
    await scene.decides("approve")
    call, _ = await scene.comes()
    assert await scene.desk.consume(call) is None
    (dumped,) = scene.desk.dump()
    assert dumped["used"]["call"] == call.id
    assert isinstance(scene.journal.entries[-1], Consumed)
    scene.restart((scene.desk.dump(), len(scene.journal.entries)))
    assert scene.desk.files[0].state == "used"


async def test_when_the_process_ends_nothing_expires() -> None:
    """That is for the next one to note."""
    scene = Scene()
    await scene.asked()
    scene.desk.end()
    scene.clock.advance(1000.0)
    assert scene.journal.types == ["requested"]


async def test_what_is_over_is_over_once() -> None:
    """Whoever ends it later changes nothing."""
    scene = Scene()
    case = await scene.asked()
    for why in ("it is over", "and again"):
        scene.desk._end(case, why)
    assert case.over is not None
    assert case.over.detail == "it is over"


async def test_what_is_over_at_the_start_is_over_whatever_the_clock_says_next() -> None:
    """Though that process dies at once, and somebody sets the clock back."""
    scene = Scene()
    await scene.asked()
    await scene.decides("approve")
    scene.clock.ahead = 3600.0
    scene.restart()
    scene.clock.ahead = 0.0
    scene.restart()
    assert scene.desk.files == []
    assert scene.journal.types[-1] == "expired"
