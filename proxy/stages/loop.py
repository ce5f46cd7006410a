"""`loop`: an agent that repeats itself is told so, then stopped (spec 4.5, 4.6).

What it did a moment ago stands in `state/loops.py`, and what counts as the same there; here is what
comes of it. The ladder: from some repetition on an answer says so (`holdfast-loop`). Calls over a
limit are refused, with what was answered before: to the agent, under the credentials, that it was
answered to, and to no record, log or metric. If the agent goes on nonetheless, a policy may have a
person asked, and the workflow killed. A new answer sends it back to the foot of the ladder.

Retries, hedges and fallbacks are inside of it: one call is one, however often it is sent.

Who waits for whom is in the chain that a call comes with (`state/chains.py`). Where the agent that
calls, or the one that it calls, is waiting further out in the same work, nobody of them would ever
be answered: the call that closes the ring is refused, and the agents in it are named.
"""

from collections.abc import Awaitable
from functools import partial
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from proxy.call import Call, Effect
from proxy.counts import CHAINS_IGNORED, LOOPS
from proxy.keys import CHAINS
from proxy.keys import LOOPS as STATE
from proxy.protocols.canonical import counted, paths_of
from proxy.protocols.coding import decoded
from proxy.protocols.document import Ambiguous
from proxy.protocols.recognise import PROTOCOLS
from proxy.refusal import Refusal
from proxy.reply import Reply
from proxy.stage import Listens, Said, Section, Site, Verdict, Withdraws
from proxy.state.answers import LARGEST, Hearing, answer_of, shown, who_of
from proxy.state.chains import NONE, Chain, Chains
from proxy.state.loops import LONGEST, Found, Loops, Rules, Turn
from proxy.units import Seconds

_LEAST_CYCLE = 6
_encode = msgspec.msgpack.Encoder().encode
_Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class Loop(Section, frozen=True, kw_only=True):
    """An agent that repeats itself is told so, then stopped. A limit of null is none."""

    same: Annotated[
        _Count | None,
        Meta(description="So often the same call may have the same answer, in a workflow."),
    ] = 5
    failing: Annotated[
        _Count | None, Meta(description="The same where it fails, each time in the same way.")
    ] = 3
    cycle: Annotated[
        Annotated[int, Meta(ge=_LEAST_CYCLE, le=LONGEST)] | None,
        Meta(description="So many calls may go round: two or three of them, again and again."),
    ] = 9
    tool: Annotated[
        _Count | None,
        Meta(
            description="So often a tool may say nothing new, whatever it is asked. Writes that "
            "succeed count only where they are repeated."
        ),
    ] = 50
    max_depth: Annotated[
        Annotated[int, Meta(ge=1, le=20)] | None,
        Meta(description="So many agents may wait for each other, the call itself counted."),
    ] = 8
    max_calls: Annotated[
        _Count | None, Meta(description="Calls of one task; without one, of the agent.")
    ] = None
    deadlock: Annotated[
        bool,
        Meta(
            description="Refuse a call of, or to, an agent that waits for the end of it. false: "
            "where agents answer while they wait."
        ),
    ] = True
    volatile: Annotated[
        tuple[str, ...],
        Meta(description="Arguments that do not count, such as input.nonce; the others do."),
    ] = ()
    poll: Annotated[
        Seconds | None,
        Meta(description="A call that is repeated no faster than this is no loop."),
    ] = None
    within: Annotated[
        Seconds, Meta(description="What was answered longer ago does not count any more.")
    ] = Seconds(600.0)
    note: Annotated[
        _Count | None,
        Meta(description="From this repetition on the answer says so, in holdfast-loop."),
    ] = 3
    approve: Annotated[
        _Count | None,
        Meta(description="From this call over a limit on, a person is asked."),
    ] = None
    kill: Annotated[
        _Count | None,
        Meta(description="With this call over a limit its workflow is killed."),
    ] = None

    def __post_init__(self) -> None:
        """Raises ValueError for what is no argument, or for no time at all."""
        try:
            paths_of(self.volatile)
        except ValueError as error:
            raise ValueError(f"volatile: {error}") from None
        for name in ("poll", "within"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name}: must be longer than 0")

    @property
    def rules(self) -> Rules:
        """As the windows know them."""
        poll, within = None if self.poll is None else float(self.poll), float(self.within)
        return Rules(self.same, self.failing, self.cycle, self.tool, self.note, poll, within)


class LoopGuard(Listens, Withdraws):
    """The gate of one pipeline."""

    __slots__ = (
        "_arguments", "_chains", "_counts", "_ignored", "_loops", "_named", "_now", "_of_agents",
        "_policy", "_rules", "_section", "_tool", "_wall", "_without", "_writes",
    )  # fmt: skip

    def __init__(self, section: Loop, site: Site) -> None:
        target, ground = site.target, site.ground
        self._section = section
        self._policy = site.policy
        self._now = ground.clock.now
        self._wall = ground.clock.wall
        self._rules = section.rules
        self._tool = (target.upstream, target.tool)
        self._of_agents = target.layer == "agent"
        self._writes = target.effect is Effect.WRITE
        protocol = PROTOCOLS[target.protocol]
        self._arguments = protocol.canonical()
        self._named = protocol.names_tools
        self._without = paths_of(section.volatile)
        self._loops = ground.kept(STATE, Loops)
        # Who waits is a fact: a shadow has no other.
        self._chains = ground.keep.of(CHAINS, Chains)
        self._counts = ground.kept(LOOPS.key, LOOPS.counts)
        self._ignored = ground.kept(CHAINS_IGNORED.key, CHAINS_IGNORED.counts)

    @classmethod
    def build(cls, section: Loop, site: Site) -> "LoopGuard":
        """For one pipeline."""
        return (ShadowLoopGuard if site.ground.shadow else cls)(section, site)

    # --- on its way there ---

    def admit(self, call: Call) -> Verdict | Awaitable[Verdict]:
        """Refuses `deadlock` and `loop_detected`. A call that comes by once more, because a person
        has approved it, has been counted."""
        if call.id in self._loops.turns:
            return None
        chain = self._chain(call)
        if chain is not NONE or self._section.max_calls is not None:
            if chain.ignored:
                self._ignored.add(chain.ignored)
            call.caller = chain.caller
            refusal = self._out_of_bounds(call, chain)
            if refusal is not None:
                rule = dict(refusal.facts)["rule"]
                self._counts.add(rule, "refuse")
                self._loops.heard(call, rule, "refuse")
                return refusal
        signature = self._signature(call)
        if type(signature) is Refusal:
            return signature
        now = self._now()
        window = self._loops.window(_key(call), self._rules.within, now)
        turn = Turn(window, signature, self._tool)
        turn.found = window.find(signature, self._tool, self._rules, now)
        if turn.found is not None and turn.found.over:
            return self._stopped(call, turn, turn.found, chain)
        self._goes(call, turn, chain, now)
        return None

    def _goes(self, call: Call, turn: Turn, chain: Chain, now: float) -> None:
        if self._section.max_calls is not None:
            self._loops.count(_task(call), now)
        self._loops.begin(call.id, turn, self._rules, now)
        self._waits(call, chain)

    def _waits(self, call: Call, chain: Chain) -> None:
        """Whoever is called learns who waits: agents always, others where `forward` says so."""
        self._chains.begin(call.id, call.agent)
        work = call.workflow, call.task
        line = partial(self._chains.onward, chain, call.id, call.agent, work, self._wall())
        if self._of_agents:
            call.extra += line()
            if self._chains.beyond is not None and self._section.deadlock:
                self._chains.beyond.begin(call, self._policy)
        else:
            call.onward = line

    def _stopped(
        self, call: Call, turn: Turn, found: Found, chain: Chain
    ) -> Verdict | Awaitable[Verdict]:
        """One more call over a limit."""
        loops = self._loops
        turn.window.over += 1
        step = self._step(turn.window.over)
        self._counts.add(found.rule, step)
        loops.heard(call, found.rule, step)
        refusal = self._refusal(found, self._answered(call, found))
        if step == "kill" and loops.kills is not None:
            loops.kills(call, refusal.detail)
        if step == "approve" and loops.asks is not None:
            return self._asked(call, turn, loops.asks(call, refusal), chain)
        return refusal

    async def _asked(
        self, call: Call, turn: Turn, answer: Awaitable[Verdict], chain: Chain
    ) -> Verdict:
        """A person who lets it go says that it is no loop."""
        verdict = await answer
        if verdict is None:
            turn.found = None
            self._loops.forgive(turn.window)
            self._goes(call, turn, chain, self._now())
        return verdict

    def _step(self, over: int) -> str:
        if self._section.kill is not None and over >= self._section.kill:
            return "kill"
        if self._section.approve is not None and over >= self._section.approve:
            return "approve"
        return "refuse"

    # --- on its way back ---

    def committed(self, call: Call, reply: Reply) -> None:
        """Notes a repetition, and sees the answer pass."""
        turn = self._loops.turns.get(call.id)
        if turn is None or turn.hear is not None:
            return
        turn.hear = heard = Hearing()
        body = reply.body
        if body is not None and body.whole is not None:
            heard.all(body.whole)
        elif body is not None and reply.tunnel is None:
            body.watch(heard)
        if turn.found is not None and self._goes_on(turn.found, call, heard, reply):
            self._note(call, turn.found, reply)

    @staticmethod
    def _goes_on(found: Found, call: Call, heard: Hearing, reply: Reply) -> bool:
        """Is it the same answer once more, as far as that is known yet?"""
        if found.answer is None or not heard.complete:
            return True
        answer = answer_of(call, heard, reply)
        return answer is not None and answer.digest == found.answer.digest

    def _note(self, call: Call, found: Found, reply: Reply) -> None:
        self._counts.add(found.rule, "note")
        if not call.rule.minimal:
            told = f"holdfast-loop: {found.rule}; times={found.times + 1}; limit={found.limit}\r\n"
            reply.lines += told.encode()

    def settle(self, call: Call, reply: Reply) -> None:
        """It waits no more, and what it was answered is known."""
        turn = self._loops.end(call.id)
        if turn is None:
            return
        self._chains.end(call.id)
        body = reply.body
        if turn.hear is not None and not turn.hear.complete and body is not None and body.whole:
            turn.hear.all(body.whole)
        answer = answer_of(call, turn.hear, reply)
        if answer is not None:
            did = self._writes and not answer.failing
            self._loops.answered(turn, answer, self._rules, self._now(), did=did)

    # --- what it says ---

    def says(self, call: Call) -> Said:
        """How far a call like this is from its limits."""
        refusal = self._out_of_bounds(call, self._chain(call))
        if refusal is not None:
            return Said(refusal.detail, refusal)
        signature = self._signature(call)
        if isinstance(signature, Refusal):
            return Said(signature.detail, signature)
        found = self._loops.seen(_key(call)).find(signature, self._tool, self._rules, self._now())
        if found is None:
            return Said("no repetition")
        refusal = self._refusal(found) if found.over else None
        return Said(f"{found.rule}: {found.times} of {found.limit}", refusal)

    def _out_of_bounds(self, call: Call, chain: Chain) -> Refusal | None:
        """What stops it, whatever it asks."""
        return self._ring(call, chain) or self._deep(chain) or self._many(call)

    def _chain(self, call: Call) -> Chain:
        """What it came with. Most calls come with none."""
        value = call.head.fields.get(b"holdfast-chain") if call.head.signs else None
        if not value:
            return NONE
        return self._chains.read(value, (call.workflow, call.task), self._wall())

    def _ring(self, call: Call, chain: Chain) -> Refusal | None:
        ring = chain.ring(call.agent, call.upstream) if self._section.deadlock else ()
        if not ring:
            return None
        why = f"{ring[0]} waits for the end of this call: {' > '.join(ring)}"
        return self._says_no("deadlock", why, ("rule", "deadlock"), ("cycle", ring))

    def _deep(self, chain: Chain) -> Refusal | None:
        most, depth = self._section.max_depth, len(chain.links) + 1
        if most is None or depth <= most:
            return None
        why = f"{depth} agents wait for each other, and at most {most} may"
        return self._says_no("loop_detected", why, ("rule", "depth"))

    def _many(self, call: Call) -> Refusal | None:
        most = self._section.max_calls
        if most is None or self._calls(call) < most:
            return None
        whose = "task" if call.task else "agent, without a task,"
        why = f"this {whose} has made all the {most} calls that it may make"
        return self._says_no("loop_detected", why, ("rule", "calls"))

    def _calls(self, call: Call) -> int:
        """A task ends when it ends; who names none begins anew after a pause."""
        since = 0.0 if call.task else self._now() - self._rules.within
        return self._loops.calls(_task(call), since)

    def _refusal(self, found: Found, answered: str | None = None) -> Refusal:
        why = _WHY[found.rule].format(found.times)
        facts = [("rule", found.rule), ("times", found.times), ("answered", answered)]
        if found.rule == "failing" and found.answer is not None and found.answer.status:
            why += f", with status {found.answer.status}"
        return self._says_no("loop_detected", why, *facts)

    def _says_no(self, code: str, why: str, *facts: tuple[str, Any]) -> Refusal:
        return Refusal(code, why, policy=self._policy, scope="workflow", facts=facts)

    def _signature(self, call: Call) -> bytes | Refusal | None:
        """What tells the call from others; None where its body is not at hand. A refusal where its
        arguments can be read in two ways."""
        content = call.body.whole
        if content is None:
            return None
        coding = call.head.fields.get(b"content-encoding")
        if coding is not None:
            # As it reads: there are encoders that put the time of day into what they make.
            plain = decoded(content, coding, LARGEST)
            content, coding = (content, coding) if type(plain) is Refusal else (plain, None)
        canonical = self._arguments if len(content) <= LARGEST else None
        try:
            counts = counted(content, coding, canonical, self._without)
        except Ambiguous as why:
            return Refusal("ambiguous_call", str(why), policy=self._policy)
        # Where the tool and its arguments say all, a query is nothing that an upstream looks at.
        target = b"" if self._named else call.target
        told = (call.upstream, call.tool, call.head.method, target, coding, counts)
        return sha256(_encode(told)).digest()[:16]

    def _answered(self, call: Call, found: Found) -> str | None:
        """What was answered before, if it was answered to the same credentials."""
        answer = found.answer
        if answer is None or answer.who != who_of(call):
            return None
        return shown(answer.start)


class ShadowLoopGuard(LoopGuard):
    """Counts for itself. Nobody hears of its windows: so it stops and tells nobody."""

    __slots__ = ()

    def _waits(self, call: Call, chain: Chain) -> None:
        """The enforced one tells; where there is none, nobody is told."""

    def _note(self, call: Call, found: Found, reply: Reply) -> None:
        """Nobody is told."""


def _key(call: Call) -> tuple[str, ...]:
    return call.agent, call.workflow, call.layer


def _task(call: Call) -> tuple[str, ...]:
    return call.agent, call.workflow, call.task


_WHY = {
    "same": "this call has had the same answer {} times",
    "failing": "this call has failed {} times in the same way",
    "cycle": "the same calls have gone round and round, {} of them",
    "tool": "this tool has said nothing new in {} calls",
}
