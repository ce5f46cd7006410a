"""Whatever is lost between pods, and whenever it comes: nobody is told what is not so."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.state.asking import Decided, Terms
from proxy.state.asks import Asks
from proxy.state.case import Person, Undecided
from proxy.state.elsewhere import Seen
from proxy.state.shared.asks import Say, Withdraw
from proxy.state.store import Unreachable
from tests.fakes import settled
from tests.state.at_pods import At, Pods

FAULTS = ("", "lost", "done", "late", "deaf", "withdrawn", "unanswered", "slow disk")
"""What was said is lost; done, and nobody knows; done later; nobody listens; what is taken back is
lost; the answer is; the journal hangs."""


class Rough:
    """A call that two people must agree to, at a pod; and others where somebody says so."""

    def __init__(self, pods: Pods) -> None:
        self.pods, self.owner = pods, pods.of["a"]
        self.fault = ""
        self.late: list[Say] = []
        for pod in pods.of.values():
            self._between(pod)

    def _between(self, pod: At) -> None:
        ask = pod.link._store.ask

        async def asked(verb, within):
            if isinstance(verb, Say):
                if self.fault == ("lost" if pod is not self.owner else "unanswered"):
                    raise Unreachable("lost")
                if self.fault == "late" and pod is not self.owner:
                    self.late.append(verb)
                    raise Unreachable("late")
            if isinstance(verb, Withdraw) and self.fault == "withdrawn":
                raise Unreachable("lost")
            answer = await ask(verb, within)
            if isinstance(verb, Say) and self.fault == "done" and pod is not self.owner:
                raise Unreachable("done")
            return answer

        pod.link._store.ask = asked

    async def says(self, at: str, by: str, word: str, fault: str) -> str:
        """What somebody is told: `decided`, or the kind of reason why not."""
        pod = self.pods.of[at]
        await self.beats()
        seen = await pod.elsewhere.one(self.owner.desk.files[0].request.id)
        self.fault = fault
        if fault in {"deaf", "withdrawn"}:
            self.owner.asks.heard = lambda said: None
        if fault == "slow disk":
            self.owner.journal.lasts = asyncio.get_running_loop().create_future()
        decided = Decided(seen.file.request.id, word, by, reason=f"{at} {by}")
        saying = asyncio.ensure_future(pod.elsewhere.decide(seen, decided, Person(by)))
        while not saying.done():
            await settled()
            self.pods.clock.advance(0.05)
        self.fault = ""
        self.owner.asks.heard = Asks.heard.__get__(self.owner.asks)
        if isinstance(self.owner.journal.lasts, asyncio.Future):
            self.owner.journal.lasts.set_result(True)
            self.owner.journal.lasts = True
            await settled()
        why = saying.exception()
        assert why is None or isinstance(why, Undecided)
        return "decided" if why is None else why.kind

    async def beats(self) -> None:
        """All reach the store again, and the owner looks into its box."""
        for pod in self.pods.of.values():
            await pod.beats()
        await self.owner.tells()
        await settled()

    async def comes(self) -> None:
        """What was late is done now."""
        for verb in self.late:
            verb.on(self.pods.memory)
        self.late.clear()
        await self.beats()

    def recorded(self) -> list[tuple[str, str]]:
        """Who said what, where, as the journal has it."""
        entries = [each for each in self.owner.journal.entries if isinstance(each, Decided)]
        return [(each.reason, each.decision) for each in entries]


WORDS = st.tuples(
    st.sampled_from("bc"),
    st.sampled_from(["alice", "bob", "ann"]),
    st.sampled_from(["approve", "approve", "deny"]),
    st.sampled_from(FAULTS),
)
STEPS = st.lists(st.one_of(WORDS, st.sampled_from(["comes", "time"])), max_size=10)


@settings(deadline=None, max_examples=60)
@given(STEPS)
async def test_who_is_told_that_it_is_decided_or_not_is_told_so_rightly(steps) -> None:
    """It is in the journal of the pod that holds the call, once; or it is not and never will be.
    And the call is approved by two different people, or not at all."""
    pods = await Pods("a", "b", "c").begin()
    await pods.of["a"].asked(b"{}", Terms("money", 2, expires=86_400.0))
    rough = Rough(pods)
    sure: dict[tuple[str, str], int] = {}
    maybe: dict[tuple[str, str], int] = {}
    for step in steps:
        if step == "comes":
            await rough.comes()
        elif step == "time":
            pods.clock.advance(5.0)
        else:
            at, by, word, fault = step
            told, key = await rough.says(at, by, word, fault), (f"{at} {by}", word)
            sure[key] = sure.get(key, 0) + (told == "decided")
            maybe[key] = maybe.get(key, 0) + (told == "unsure")
            assert told in {"decided", "over", "forbidden", "away", "unsure"}
    await rough.comes()
    recorded = rough.recorded()
    for key in set(recorded) | set(sure):
        assert sure.get(key, 0) <= recorded.count(key) <= sure.get(key, 0) + maybe.get(key, 0)
    file = pods.of["a"].desk.files[0]
    yes = {reason.split()[1] for reason, word in recorded if word == "approve"}
    no = any(word == "deny" for _, word in recorded)
    assert file.state == ("denied" if no else "approved" if len(yes) == 2 else "pending")
    assert "ann" not in yes
    assert len(recorded) == len(set(recorded))


async def test_a_word_that_comes_too_late_is_void() -> None:
    """Whoever said it was told when it is known."""
    pods = await Pods("a", "b").begin()
    await pods.of["a"].asked()
    rough = Rough(pods)
    assert await rough.says("b", "alice", "approve", "late") == "unsure"
    pods.clock.advance(3.0)
    await rough.comes()
    assert rough.recorded() == []
    assert isinstance(await pods.of["b"].says("approve"), Seen)
