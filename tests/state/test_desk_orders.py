"""The desk against a plain model: calls, decisions, time, clocks that are set, and processes that
die between any two steps, in every order."""

import asyncio
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from proxy.call import Call
from proxy.refusal import Refusal
from proxy.reply import Failure, Reply
from proxy.state.asking import Terms
from proxy.state.case import Undecided
from proxy.state.outcomes import Outcome
from tests.fakes import FakeBody, make_attempt, make_reply
from tests.state.at_desk import Scene

BODIES = st.sampled_from([b"1", b"2"])
PEOPLE = st.sampled_from(["alice", "bob", "ann"])
EXPIRES, REPLAY = 100.0, 50.0
TERMS = Terms("p", 2, (), EXPIRES, REPLAY)


class Model(msgspec.Struct):
    """What there is about one call: the newest request, in plain words."""

    id: str
    due: float
    state: str = "pending"  # pending | approved | denied | used
    yes: set[str] = set()
    unknown: bool = False  # it was used by a process that died


class Desks(RuleBasedStateMachine):
    """`model` holds what a person with pen and paper would know."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.scene = self.does(self._scene())
        self.model: dict[bytes, Model] = {}
        self.past: dict[str, tuple[bytes, Model]] = {}  # requests that are forgotten
        self.claimed: dict[bytes, Call] = {}  # that pass the gates
        self.running: dict[bytes, tuple[Call, Reply]] = {}  # that were sent
        self.sent: list[str] = []  # requests under which something was
        self.dumped: tuple[Any, int] | None = None

    def does(self, work: Any) -> Any:
        """On the loop."""
        return self.loop.run_until_complete(work)

    async def _scene(self) -> Scene:
        return Scene()

    def teardown(self) -> None:
        self.loop.close()

    def known(self, body: bytes) -> Model | None:
        """What there is about it now."""
        found = self.model.get(body)
        busy = body in self.claimed or body in self.running
        if found is None or busy or self.scene.clock.now() < found.due:
            return found
        self.over(body)
        return None

    def over(self, body: bytes) -> None:
        """It is forgotten; if the clock goes back before a restart, it may be there again."""
        model = self.model.pop(body)
        self.past[model.id] = (body, model)

    @rule(body=BODIES)
    def comes(self, body: bytes) -> None:
        """A call that waits for nobody."""
        before = self.known(body)
        call, answer = self.does(self.scene.comes(body, TERMS))
        if before is None:
            before = self.model[body] = Model(call.approval, self.scene.clock.now() + EXPIRES)
        assert call.approval == before.id
        if before.state == "approved" and body not in self.claimed:
            assert answer is None
            self.claimed[body] = call
            return
        busy = body in self.claimed or body in self.running
        told = answer.reply().refusal if isinstance(answer, Outcome) else answer
        if before.state == "denied":
            assert isinstance(told, Refusal)
            assert told.code == "approval_denied"
        elif before.state == "used" and not busy:
            assert isinstance(answer, Outcome)
            assert (told is not None) is before.unknown
        else:
            assert isinstance(told, Refusal)
            assert told.code == "approval_pending"

    @rule(body=BODIES, by=PEOPLE, word=st.sampled_from(["approve", "approve", "deny"]))
    def decides(self, body: bytes, by: str, word: str) -> None:
        """Somebody does, perhaps who must not, perhaps too late."""
        model = self.known(body)
        if model is None:
            return
        may = model.state == "pending" and by != "ann" and by not in model.yes
        try:
            self.does(self.scene.decides(word, by, name=model.id))
        except Undecided:
            assert not may
            return
        assert may
        if word == "deny":
            model.state = "denied"
        else:
            model.yes.add(by)
            model.state = "approved" if len(model.yes) == 2 else "pending"

    @rule(body=BODIES)
    def agreed(self, body: bytes) -> None:
        """It is asked for, two agree, and it comes again: the usual way, so that much follows."""
        self.comes(body)
        self.decides(body, "alice", "approve")
        self.decides(body, "bob", "approve")
        self.comes(body)

    @precondition(lambda self: self.claimed)
    @rule(goes=st.booleans(), body=BODIES)
    def goes(self, body: bytes, goes: bool) -> None:
        """What was claimed is sent; or something refuses it first."""
        call = self.claimed.pop(body, None)
        if call is None:
            return
        model = self.model[body]
        if goes:
            assert self.scene.desk.unmet(call, TERMS) is None
            reply = make_reply(200, body=FakeBody(b"paid"))
            assert self.does(self.scene.desk.consume(call)) is None
            self.sent.append(model.id)
            call.attempts.append(make_attempt(call, sent=True))
            self.scene.desk.returns(call, reply, lambda _: False)
            self.running[body] = (call, reply)
            model.state = "used"
        else:
            reply = make_reply(Refusal("killed", "no"))
            self.scene.desk.returns(call, reply, lambda _: False)
            reply.finish()

    @precondition(lambda self: self.running)
    @rule(body=BODIES, fails=st.booleans())
    def ends(self, body: bytes, fails: bool) -> None:
        """The answer to what was sent is out, or broke off."""
        if body not in self.running:
            return
        _, reply = self.running.pop(body)
        reply.finish(Failure.TRUNCATED if fails else None)
        self.model[body].unknown = fails
        self.model[body].due = self.scene.clock.now() + REPLAY

    @rule(seconds=st.sampled_from([1.0, 10.0, 30.0, 60.0]))
    def passes(self, seconds: float) -> None:
        """Time does."""

        async def advance() -> None:
            self.scene.clock.advance(seconds)

        self.does(advance())

    @rule(ahead=st.sampled_from([-3600.0, 0.0, 20.0, 3600.0]))
    def is_set(self, ahead: float) -> None:
        """Somebody sets the wall clock."""
        self.scene.clock.ahead = ahead

    @rule()
    def snapshot(self) -> None:
        """The journal writes one."""
        self.dumped = (self.scene.desk.dump(), len(self.scene.journal.entries))

    @rule()
    def dies(self) -> None:
        """And another process goes on."""
        self.claimed, running, self.running = {}, self.running, {}

        async def restart() -> None:
            self.scene.restart(self.dumped)
            self.scene.clock.advance(0.0)  # what is over by now is noted as such

        self.does(restart())
        for body, model in list(self.model.items()):
            if model.id not in self.scene.desk._cases:
                self.over(body)
        for name in self.scene.desk._cases:
            body, old = self.past.get(name, (b"", None))
            if old is not None and self.model.setdefault(body, old) is old:
                del self.past[name]
        for body, model in self.model.items():
            model.unknown = model.unknown or model.state == "used"
            model.due = self.scene.clock.now() + self.scene.desk.left(model.id)
            assert body not in running or model.unknown

    @invariant()
    def nothing_is_sent_twice(self) -> None:
        """Nor without two people, nor against a no, nor before it is on record."""
        assert len(set(self.sent)) == len(self.sent)
        entries = self.scene.journal.entries
        for name in self.sent:
            own = [entry for entry in entries if entry.id == name]
            kinds = [entry.type.partition(".")[2] for entry in own]
            yes = {entry.by for entry in own if getattr(entry, "decision", "") == "approve"}
            no = [entry for entry in own if getattr(entry, "decision", "") == "deny"]
            assert (kinds.count("consumed"), len(yes), no) == (1, 2, [])
            assert "ann" not in yes

    @invariant()
    def memory_is_given_back(self) -> None:
        """What is kept is what is counted."""
        cases = self.scene.desk._cases.values()
        kept = sum(case.outcome.size for case in cases if case.outcome is not None)
        assert self.scene.desk._bytes == kept


TestDesks = Desks.TestCase
TestDesks.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
