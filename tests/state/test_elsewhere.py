"""What waits at other pods, and what somebody says to it: both pods, and a store between them."""

import asyncio

import msgspec
import pytest

from proxy.clock import NEVER
from proxy.keep import Keep
from proxy.state import elsewhere
from proxy.state.asking import Decided, Exhibit, Terms
from proxy.state.case import Person, Undecided
from proxy.state.elsewhere import Elsewhere, Seen
from proxy.state.sealed import Envelope
from proxy.state.shared import asks
from proxy.state.shared.asks import Note, Post, Say, Take, Withdraw
from proxy.state.store import Unreachable
from proxy.state.words import Told, closed
from tests.fakes import FakeClock, settled
from tests.state.at_desk import TERMS
from tests.state.at_pods import At, Pods

ALICE = Person("alice")


async def two(*names: str, terms: Terms = TERMS, **more) -> tuple[At, At]:
    """A pod where a call waits, and one where somebody decides."""
    pods = await Pods(*(names or ("a", "b")), **more).begin()
    a, b = pods.of["a"], pods.of["b"]
    await a.asked(b'{"amount": 5}', terms)
    await a.tells()
    return a, b


async def only(pod: At) -> Seen:
    """What it sees elsewhere."""
    (seen,) = await pod.sees()
    return seen


def approve(seen: Seen) -> Decided:
    return Decided(seen.file.request.id, "approve", "alice")


async def why(pod: At, word: str = "approve", **more) -> tuple[str, str]:
    """It is not decided, and this is why."""
    with pytest.raises(Undecided) as raised:
        await pod.says(word, **more)
    return raised.value.kind, str(raised.value)


async def test_what_waits_elsewhere_is_seen():
    """To the byte, with the time that is left; and not where it waits itself."""
    a, b = await two()
    b.clock.advance(10.0)
    seen = await only(b)
    assert (seen.pod, seen.told.host, seen.left) == ("a", "host-a", 890.0)
    assert seen.file == a.desk.files[0]
    shown = await b.elsewhere.shown(seen)
    assert shown is not None
    assert Exhibit.decoded(shown).body == b'{"amount": 5}'
    assert await b.elsewhere.one(seen.file.request.id) == seen
    assert await a.sees() == []


async def test_where_there_is_no_store_nothing_is_elsewhere():
    """And nobody is asked."""
    alone = Elsewhere(FakeClock(), Keep(), Envelope(b""))
    assert await alone.all() == []
    with pytest.raises(Undecided, match="nothing of this id") as raised:
        await alone.one("x")
    assert raised.value.kind == "unknown"
    a, b = await two()
    seen = await only(b)
    assert await alone.shown(seen) is None
    assert a.link.up


async def test_a_yes_is_the_other_pods():
    """It is durable there before anybody is told; a call that waits goes."""
    a, b = await two()
    seen = await b.says("approve", reason="fine")
    assert (seen.file.state, seen.left > 0) == ("approved", True)
    assert a.journal.types[-1] == "decided"
    assert b.journal.entries == []
    call, answer = await a.comes(b'{"amount": 5}')
    assert (answer, call.approval) == (None, seen.file.request.id)
    await a.tells()
    assert await why(b) == ("over", "it is over: approved")


async def test_a_call_that_runs_is_seen_as_long_as_it_does():
    """It expires some time after that."""
    a, b = await two()
    await b.says("approve")
    call, _ = await a.comes(b'{"amount": 5}')
    assert await a.desk.consume(call) is None
    await a.tells()
    b.clock.advance(5_000.0)
    for pod in (a, b):
        await pod.beats()
    await a.tells()
    seen = await only(b)
    assert (seen.file.state, seen.left) == ("used", NEVER)


async def test_a_no_is_final():
    """For whoever says yes later, wherever."""
    a, b = await two()
    seen = await b.says("deny", reason="no")
    assert seen.file.state == "denied"
    with pytest.raises(Undecided, match="it is over: denied"):
        await a.decides("approve")
    assert (await why(b, by="bob"))[0] == "over"


async def test_two_people_agree_at_two_pods():
    """Neither counts twice, wherever he says it again."""
    a, b = await two("a", "b", "c", terms=Terms("money", 2))
    c = a.fleet.of["c"]
    assert (await b.says("approve", "alice")).file.state == "pending"
    kind, text = await why(c, by="alice")
    assert (kind, "has approved it already" in text) == ("over", True)
    assert (await c.says("approve", "bob")).file.state == "approved"
    assert [each.pod for each in a.desk.files[0].decided] == ["b", "c"]


async def test_two_who_decide_at_once_are_heard_one_after_the_other():
    """A yes and a no: whichever is first, the other is told."""
    a, b = await two("a", "b", "c")
    c = a.fleet.of["c"]
    seen = await only(b)
    deciding = [
        asyncio.ensure_future(pod.elsewhere.decide(seen, decided, Person(decided.by)))
        for pod, decided in (
            (b, approve(seen)),
            (c, Decided(seen.file.request.id, "deny", "bob")),
        )
    ]
    while not all(each.done() for each in deciding):
        await settled()
        a.clock.advance(0.05)
    came = await asyncio.gather(*deciding, return_exceptions=True)
    assert sum(isinstance(each, Seen) for each in came) == 1
    assert sum(isinstance(each, Undecided) for each in came) == 1
    assert len(a.desk.files[0].decided) == 1


async def test_groups_and_ways_in_count_as_they_do_at_home():
    """The owner of another machine is nobody of two people."""
    _, b = await two(terms=Terms("money", 2, ("treasury",)))
    assert (await why(b, by="bob"))[0] == "forbidden"
    assert (await why(b, by="owner", groups=("treasury",)))[0] == "forbidden"
    assert (await b.says("approve", groups=("treasury",))).file.state == "pending"


async def test_what_is_not_seen_is_not_approved():
    """It may be denied."""
    a, b = await two(key=b"")
    kind, text = await why(b)
    assert (kind, "fleet_key" in text) == ("unseen", True)
    assert await b.elsewhere.shown(await only(b)) is None
    assert (await b.says("deny", reason="no")).file.decided[0].by == "alice (unsigned)"
    assert a.desk.files[0].state == "denied"


async def test_a_call_that_is_not_there_is_not_approved():
    """Its exact call does not open, or has gone."""
    a, b = await two()
    seen = await only(b)
    a.fleet.memory.seen("board:a").shown[seen.file.request.id] = b"something else"
    assert (await why(b))[0] == "unseen"
    a.fleet.memory.seen("board:a").shown.clear()
    assert (await why(b))[0] == "unseen"
    assert (await b.says("deny")).file.state == "denied"


async def test_a_pod_that_does_not_hear_has_decided_nothing():
    """It has died: the decision is withdrawn, and it waits still when the pod is there again."""
    a, b = await two()
    a.fleet.deaf()
    await settled()
    kind, text = await why(b)
    assert (kind, text) == (
        "away", "it is not decided: the pod that holds it does not answer",
    )  # fmt: skip
    assert await b.link.ask(Take("a")) == ()
    a.restart()
    a.begins()
    await a.beats()
    await a.tells()
    assert (await only(b)).file.state == "pending"
    a.asks.heard(b"a")
    assert a.desk.files[0].state == "pending"


async def test_a_pod_that_dies_while_it_decides_may_have_decided():
    """Nobody knows it, and that is said; when it is there again it is known."""
    a, b = await two()
    a.journal.lasts = asyncio.get_running_loop().create_future()
    kind, text = await why(b)
    assert (kind, "not known whether it is decided" in text) == ("unsure", True)
    a.restart()
    a.journal.lasts = True
    a.begins()
    await a.beats()
    await a.tells()
    assert (await only(b)).file.state == "approved"


async def test_a_box_that_is_full_is_not_heard(monkeypatch):
    """Nothing was said."""
    monkeypatch.setattr(asks, "MOST", 0)
    _, b = await two()
    assert await why(b) == ("away", "it is not decided: the pod that holds it does not hear")


async def test_a_store_that_is_gone_is_told(monkeypatch):
    """Before anything was said nothing is decided; after that nobody knows."""
    a, b = await two()
    seen = await only(b)
    ask = b.link._store.ask

    async def broken(verb, within):
        if isinstance(verb, Withdraw):
            raise Unreachable("down")
        return await ask(verb, within)

    monkeypatch.setattr(b.link._store, "ask", broken)
    a.fleet.deaf()
    await settled()
    assert (await why(b))[0] == "unsure"
    with pytest.raises(Undecided) as raised:
        await b.elsewhere.one(seen.file.request.id)
    assert raised.value.kind == "store"
    assert await b.elsewhere.shown(seen) is None
    with pytest.raises(Unreachable):
        await b.sees()


async def test_who_can_write_to_the_store_cannot_forge():
    """Neither a request, nor the call that is shown, nor a yes, nor the answer to one. Nor can he
    read anything of it."""
    a, b = await two()
    seen = await only(b)
    name, other = seen.file.request.id, Envelope(b"not the key of it")
    kept = a.fleet.memory.seen("board:a")
    real = kept.told[name], kept.shown[name]
    assert not any(b"pay" in each or b"amount" in each for each in real)
    for envelope in (other, Envelope(b"")):
        kept.told[name] = closed(envelope, Told(seen.file, 1 << 50, "x", True), "a", name)
        kept.shown[name] = envelope.close(b"harmless", "shown", "a", name)
        assert await b.sees() == []
        assert await b.elsewhere.shown(seen) is None
    kept.told[name], kept.shown[name] = real
    await a.asked(b"another")
    await a.tells()
    rows = a.fleet.memory.seen("board:a")
    second = next(each for each in rows.told if each != name)
    for where in (rows.told, rows.shown):  # one in the place of another
        where[name], where[second] = where[second], where[name]
    assert await b.sees() == []
    await b.link.ask(Post("c", 1, 0, (Note(name, real[0], real[1]),)))  # of another pod
    assert await b.sees() == []


async def test_a_forged_answer_is_none():
    """What the store says of a decision is not believed, for a yes or a no."""
    a, b = await two()
    a.fleet.deaf()
    await settled()
    ask, said = b.link._store.ask, []

    async def forged(verb, within):
        if isinstance(verb, Say):
            said.append(verb.id)
        if isinstance(verb, Take):
            return ((said[0], b"s" + bytes(60)), (said[0], b"p"), (said[0], b""))
        return await ask(verb, within)

    b.link._store.ask = forged
    assert (await why(b))[0] == "away"
    assert a.desk.files[0].state == "pending"


async def test_only_so_many_are_shown(monkeypatch):
    """Whoever fills the store does not fill a pod."""
    monkeypatch.setattr(elsewhere, "MOST", 2)
    a, b = await two()
    for number in range(3):
        await a.asked(b"%d" % number)
    await a.tells()
    assert len(await b.sees()) == 2


async def test_what_is_over_is_not_shown():
    """Though its pod has not said so yet."""
    a, b = await two()
    ((name, raw),) = a.fleet.memory.seen("board:a").told.items()
    told = Told(a.desk.files[0], int(b.clock.wall() * 1000), "x", False)
    a.fleet.memory.seen("board:a").told[name] = closed(a.envelope, told, "a", name)
    assert await b.sees() == []
    a.fleet.memory.seen("board:a").told[name] = raw
    assert len(await b.sees()) == 1


async def test_a_call_that_is_used_up_is_not_shown():
    """As at home."""
    _, b = await two()
    seen = await only(b)
    used = msgspec.structs.replace(seen.file, state="used")
    over = seen._replace(told=msgspec.structs.replace(seen.told, file=used))
    assert await b.elsewhere.shown(over) is None
