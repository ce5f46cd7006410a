"""The one walk through ORDER."""

from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Call
from proxy.config.cascade import cascade
from proxy.pipeline.commit import Commit
from proxy.pipeline.guard import AttemptGuard, CallGuard
from proxy.pipeline.table import facts
from proxy.pipeline.walk import Grounds, Way, plan_of, walk
from proxy.protocols.recognise import TOOLS
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure, Reply
from proxy.stage import Check, Handler, NothingTaken, Section, Site, Verdict, nobody
from proxy.stages import ORDER, READS_ONLY, Entry, Phase
from proxy.stages.audit import IntentFirst, RecordFirst
from proxy.stages.breaker import CircuitCheck, ForcedOpen, Observer, ProbeLease
from proxy.stages.bulkhead import Permit
from proxy.stages.cache import Cached
from proxy.stages.cooldown import CoolDown
from proxy.stages.hedge import Race
from proxy.stages.idempotency import IdempotencyKey, ShadowKey
from proxy.stages.kill import AttemptSwitch, Switch
from proxy.stages.retry import Once, Repeat
from proxy.stages.timeout import AttemptTime, Deadline, ShadowDeadline, ShadowTime
from proxy.wire.body import Body
from tests.fakes import ScriptedUpstream, make_attempt, make_ground, make_reply, run
from tests.tables import GATEWAY, Desk, load, post


def stages(text: str) -> list[Any]:
    """What a call goes through, outermost first; the gates of a guard stand behind it."""
    pipeline = Desk(text).pipeline(post("search"))
    found: list[Any] = [getattr(admit, "__self__", admit) for admit in pipeline.checks]
    at: Any = pipeline.handle
    while not isinstance(at, ScriptedUpstream):
        found.append(getattr(at, "__self__", at))  # a wrapper's handle is a bound method
        at = found[-1]._inner
        found += [*getattr(found[-1], "_gates", []), *getattr(found[-1], "_shadows", [])]
    return found


def commit_of(text: str) -> Commit:
    """Where the results of its attempts are decided."""
    (guard,) = (stage for stage in stages(text) if isinstance(stage, AttemptGuard))
    commit = guard._decide
    assert isinstance(commit, Commit)
    return commit


def chain(text: str) -> list[type]:
    """What kinds they are; but for the kill switch, which every call meets."""
    kinds = [type(stage) for stage in stages(text)]
    return [kind for kind in kinds if kind not in {Switch, AttemptSwitch}]


def test_the_kill_switch_is_first_of_all_and_first_of_each_attempt() -> None:
    """Whatever else is on; beside a hedge an attempt is asked once more, when it has waited."""
    found = [type(stage) for stage in stages(policy("timeout: {total: 5s}, breaker: {}"))]
    assert found[:2] == [Switch, Deadline]
    assert found[found.index(AttemptGuard) + 1] is AttemptSwitch
    assert found.count(AttemptSwitch) == 1
    hedged = [type(stage) for stage in stages(policy("hedge: {}, bulkhead: {}"))]
    assert hedged[hedged.index(Permit) + 1] is AttemptSwitch
    assert hedged.count(AttemptSwitch) == 2


def policy(sections: str) -> str:
    """One policy with these sections."""
    return f"policies: [{{name: p, effect: read, {sections}}}]"


def test_what_is_not_configured_is_not_there() -> None:
    """A read is sent once, and nobody is asked. Without policies a call is a write, of which there
    must be a trace."""
    assert chain("policies: [{name: r, effect: read}]") == [Once, AttemptGuard]
    assert chain("") == [RecordFirst, Once, AttemptGuard, IntentFirst]


@pytest.mark.parametrize(
    ("sections", "kinds"),
    [
        ("timeout: {total: 5s}", [Deadline, Once, AttemptGuard, AttemptTime]),
        ("retry: {}", [Repeat, AttemptGuard, CoolDown]),
        ("breaker: {}", [Once, AttemptGuard, CircuitCheck, CoolDown, ProbeLease]),
        (
            "timeout: {total: 5s}, retry: {}, breaker: {}",
            [Deadline, Repeat, AttemptGuard, CircuitCheck, CoolDown, AttemptTime, ProbeLease],
        ),
        (
            "timeout: {total: 5s, mode: shadow}",
            [CallGuard, ShadowDeadline, Once, AttemptGuard, ShadowTime],
        ),
        ("retry: {mode: shadow}", [Once, AttemptGuard, CoolDown]),
        ("retry: {mode: off}", [Once, AttemptGuard]),
        ("breaker: {state: disabled}", [Once, AttemptGuard, CoolDown]),
        ("breaker: {state: observe}", [Once, AttemptGuard, CoolDown, Observer]),
        ("breaker: {state: forced_open}", [Once, AttemptGuard, ForcedOpen, CoolDown]),
        ("idempotency: {}", [IdempotencyKey, Once, AttemptGuard]),
        ("idempotency: {mode: shadow}", [CallGuard, ShadowKey, Once, AttemptGuard]),
        ("bulkhead: {}", [Once, AttemptGuard, Permit]),
        (
            "bulkhead: {}, timeout: {total: 5s}, breaker: {}",
            [
                *(Deadline, Once, AttemptGuard, CircuitCheck, CoolDown, Permit),
                AttemptTime,
                ProbeLease,
            ],
        ),
    ],
)
def test_sections_bring_their_stages(sections: str, kinds: list[type]) -> None:
    """Gates of the call, the wrapper, gates of attempts: in this order."""
    assert chain(policy(sections)) == kinds


# --- the gates that are asked without a guard ---


class Gate:
    """A gate of calls that takes something, and writes down what happens to it."""

    def __init__(self, name: str, diary: list[str], answer: Verdict) -> None:
        self._name, self._diary, self._answer = name, diary, answer

    def admit(self, call: Call) -> Verdict:
        """As told."""
        self._diary.append(f"{self._name} asked")
        return self._answer

    def settle(self, call: Call, reply: Reply) -> None:
        """Write it down."""
        self._diary.append(f"{self._name} settled")


class Plain(Gate, Check):
    """One that takes nothing and answers at once."""


class Asking(Gate, NothingTaken):
    """One that takes nothing, and may have to ask somebody."""


NO = Refusal("rate_limited", "no", policy="p")


class Front:
    """A pipeline with gates of calls of its own. A name in capitals: it takes something; `q`: it
    takes nothing, and may ask somebody."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, names: str, says_no: str = "", text: str = ""
    ) -> None:
        self.diary: list[str] = []

        def entry(name: str) -> Entry:
            made = Gate if name.isupper() else Asking if name == "q" else Plain
            answer = NO if name == says_no else None
            return Entry("call", "gate", ("timeout",), lambda *_: made(name, self.diary, answer))

        order = (*map(entry, names), *(entry for entry in ORDER if entry.phase != "call"))
        monkeypatch.setattr("proxy.pipeline.walk.ORDER", order)
        self.desk = Desk(text or policy("timeout: {total: 5s}"), 200)
        self.pipeline = self.desk.pipeline(post("search"))

    def asked(self) -> str:
        """Who was asked by a whole call, in that order."""
        self.reply = run(self.pipeline(post("search")))
        self.reply.finish()
        return "".join(line[0] for line in self.diary if line.endswith("asked"))


@pytest.mark.parametrize(
    ("names", "checks"),
    [
        ("", 0),
        ("a", 1),
        ("ab", 2),
        ("A", 0),
        ("abC", 2),
        ("aBc", 1),
        ("Ab", 0),
        ("aqb", 1),
        ("q", 0),
    ],
)
def test_the_first_gates_are_checks_as_far_as_they_answer_at_once(
    monkeypatch: pytest.MonkeyPatch, names: str, checks: int
) -> None:
    """And take nothing. All are asked once, in their order; a guard is there for the others."""
    front = Front(monkeypatch, names)
    assert len(front.pipeline.checks) == checks
    assert isinstance(front.pipeline.handle, CallGuard) is (checks < len(names))
    assert front.asked() == names
    settled = [line for line in front.diary if line.endswith("settled")]
    assert settled == [f"{name} settled" for name in reversed(names) if name.isupper()]


@pytest.mark.parametrize("names", ["a", "abc", "abC", "aBc", "aq"])
def test_the_first_gate_that_says_no_ends_the_call(
    monkeypatch: pytest.MonkeyPatch, names: str
) -> None:
    """A check as a gate of a guard: nobody behind it is asked, nothing is sent."""
    for at, name in enumerate(names):
        front = Front(monkeypatch, names, says_no=name)
        assert front.asked() == names[: at + 1]
        reply = front.reply
        assert (reply.status, reply.refusal, reply.executed) == (0, NO, Executed.NO)
        assert f"{name} settled" not in front.diary
        assert front.desk.upstream.attempts == []


def test_shadows_of_calls_need_a_guard_behind_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked after all that are in force."""
    text = """
policies:
  - {name: p, timeout: {total: 5s}}
  - {name: s, mode: shadow, timeout: {total: 5s}}
"""
    front = Front(monkeypatch, "ab", text=text)
    assert (len(front.pipeline.checks), type(front.pipeline.handle)) == (2, CallGuard)
    assert front.asked() == "abab"


# --- wrappers ---


class Around:
    """A wrapper that writes down when a call goes in, and when it comes out."""

    def __init__(self, name: str, diary: list[str], inner: Handler) -> None:
        self._name, self._diary, self._inner = name, diary, inner

    async def handle(self, call: Call) -> Reply:
        """Hand it on."""
        self._diary.append(f"{self._name} in")
        reply = await self._inner(call)
        self._diary.append(f"{self._name} out")
        return reply


@pytest.mark.parametrize(
    ("sections", "attempts"), [("timeout: {total: 9s}", 1), ("timeout: {total: 9s}, retry: {}", 2)]
)
def test_wrappers_stand_around_what_makes_the_attempts(
    monkeypatch: pytest.MonkeyPatch, sections: str, attempts: int
) -> None:
    """As they are ordered, the first outermost; each sees the call once, however often it is sent,
    and with or without a section that makes attempts."""
    diary: list[str] = []

    def entry(name: str, section: str = "timeout") -> Entry:
        return Entry("call", "wrapper", (section,), lambda _, site: Around(name, diary, site.inner))

    order = (entry("a"), entry("off", "breaker"), entry("b"), *ORDER)
    monkeypatch.setattr("proxy.pipeline.walk.ORDER", order)
    desk = Desk(policy(sections), Failure.CONNECT, 200)
    assert desk.call().status == (200 if attempts == 2 else 0)
    assert diary == ["a in", "b in", "b out", "a out"]
    assert len(desk.upstream.attempts) == attempts


# --- in any order ---


class Line:
    """An order of its own, in front of the maker and what is behind it. Of each stage a letter: a
    gate in capitals takes something, `!` behind it is one of a wrapper, `-` of one that leaves
    nothing to do; a `:` parts what is for the call from what is for its link."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        text: str,
        policies: str = "",
        says_no: str = "",
        upstream: Any = 200,
    ) -> None:
        self.diary: list[str] = []
        self._says_no = says_no
        of_call, _, of_link = text.partition(":")
        order = (*self._entries("call", of_call), *self._entries("link", of_link), *_BEHIND)
        monkeypatch.setattr("proxy.pipeline.walk.ORDER", order)
        self.desk = Desk(policies or policy("timeout: {total: 5s}"), upstream)
        self.pipeline = self.desk.pipeline(post("search"))

    def _entries(self, phase: Phase, text: str) -> list[Entry]:
        kinds = {"!": self._wrapper, "-": self._nothing}
        found = []
        for name, sign in pairwise(f"{text} "):
            if name.isalpha():
                found.append(kinds.get(sign, self._gate)(phase, name))
        return found

    def _gate(self, phase: Phase, name: str) -> Entry:
        made = Gate if name.isupper() else Plain
        answer = NO if name == self._says_no else None
        return Entry(phase, "gate", ("timeout",), lambda *_: made(name, self.diary, answer))

    def _wrapper(self, phase: Phase, name: str) -> Entry:
        def build(_: Any, site: Site) -> Around:
            return Around(name, self.diary, site.inner)

        return Entry(phase, "wrapper", ("timeout",), build)

    def _nothing(self, phase: Phase, name: str) -> Entry:
        return Entry(phase, "wrapper", ("timeout",), lambda *_: None)

    @property
    def guards(self) -> list[int]:
        """How many gates each guard of calls has, the outermost first."""
        found, at = [], self.pipeline.handle
        while not isinstance(at, AttemptGuard):
            stage: Any = getattr(at, "__self__", at)
            found += [len(stage._gates)] if isinstance(stage, CallGuard) else []
            at = stage._inner
        return found

    def met(self) -> str:
        """What a call meets on its way in."""
        run(self.pipeline(post("search"))).finish()
        return "".join(line[0] for line in self.diary if line.endswith(("asked", "in")))


_BEHIND = [entry for entry in ORDER if entry.kind == "maker" or entry.phase == "attempt"]


@pytest.mark.parametrize(
    ("text", "guards"),
    [
        ("w!A", [1]),
        ("w!a", [1]),
        ("aw!A", [1]),
        ("Aw!BCx!D", [1, 2, 1]),
        ("w!A:B", [1, 1]),
        ("A:w!Bx!", [1, 1]),
        (":AB", [2]),
        ("Aw-B", [2]),
        ("w!Ax-By!", [2]),
    ],
)
def test_gates_and_wrappers_stand_in_any_order(
    monkeypatch: pytest.MonkeyPatch, text: str, guards: list[int]
) -> None:
    """As they are written, for the call as for its link; a guard holds those that are neighbours,
    also where what would part them has nothing to do. Each is asked once, and settled once."""
    line = Line(monkeypatch, text)
    assert line.guards == guards
    there = text.replace("w-", "").replace("x-", "")
    assert line.met() == "".join(filter(str.isalpha, there))
    settled = [entry[0] for entry in line.diary if entry.endswith("settled")]
    assert settled == [name for name in reversed(there) if name.isupper()]


@given(
    st.lists(st.sampled_from(["A!", "A", "a"]), max_size=6),
    st.integers(0, 6),
    st.sampled_from(["", *"ABCDEF"]),
    st.sampled_from([200, 503, Failure.CONNECT, RuntimeError()]),
)
def test_whoever_lets_a_call_through_is_settled_once(
    kinds: list[str], link: int, says_no: str, upstream: Any
) -> None:
    """Wherever it stands, whoever says no, and however it ends; the last one first."""
    names = [("ABCDEF"[at], kind) for at, kind in enumerate(kinds)]
    named = [name.lower() if kind == "a" else kind.replace("A", name) for name, kind in names]
    with pytest.MonkeyPatch.context() as patch:
        text = "".join(named[:link]) + ":" + "".join(named[link:])
        line = Line(patch, text, says_no=says_no, upstream=upstream)
        with suppress(RuntimeError):
            run(line.pipeline(post("search"))).finish()
    asked = [entry[0] for entry in line.diary if entry.endswith("asked")]
    settled = [entry[0] for entry in line.diary if entry.endswith("settled")]
    assert settled == [name for name in reversed(asked) if name.isupper() and name != says_no]


def test_what_a_wrapper_answers_itself_asks_no_gate_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A gate in front of it is asked."""
    line = Line(monkeypatch, "Aw!B")

    async def answers(call: Call) -> Reply:
        return make_reply(200)

    guard: Any = line.pipeline.handle
    guard._inner.__self__._inner = answers
    assert line.met() == "Aw"


def test_a_gate_behind_a_wrapper_knows_what_was_sent_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the call may have run already, its refusal does not say that it did not."""
    for sent, executed in ((False, Executed.NO), (True, Executed.UNKNOWN)):
        line, call = Line(monkeypatch, ":w!A", says_no="A"), post("search")
        call.attempts.append(make_attempt(call, sent=sent))
        assert run(line.pipeline(call)).executed is executed
        assert line.desk.upstream.attempts == []


def test_shadows_stand_in_the_guard_of_their_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked where their place is: behind a wrapper in front, after what is in force."""
    policies = """
policies:
  - {name: p, timeout: {total: 5s}}
  - {name: s, mode: shadow, timeout: {total: 5s}}
"""
    line = Line(monkeypatch, "aw!B:c", policies)
    assert line.met() == "aawBBcc"


def test_a_section_may_have_stages_in_several_phases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is told as what it is, in the order in which a call meets them."""
    Line(monkeypatch, "aw!:B")
    told = [(stage.phase, stage.section, type(stage.built)) for stage in explained()]
    assert told == [
        ("call", "timeout", Plain),
        ("call", "timeout", Around),
        ("link", "timeout", Gate),
        ("link", "", Once),
        ("attempt", "", AttemptSwitch),
        ("attempt", "timeout", AttemptTime),
    ]


def explained(text: str = "") -> list[Any]:
    """The stages of a walk that nothing is sent by."""
    call = post("search")
    Desk().pipeline(call)
    effective = cascade(load(GATEWAY + (text or policy("timeout: {}"))).policies, facts(call))
    plan = plan_of(effective, call, Grounds(make_ground(), make_ground(shadow=True)))
    return walk(plan, Way(nobody, TOOLS)).stages


def test_stages_know_what_stands_behind_them_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A gate hands nothing on; what makes attempts is given what sends one, not a handler."""
    sites: dict[str, Site] = {}

    def entry(phase: Phase, kind: Any, name: str) -> Entry:
        def build(_: Any, site: Site) -> Any:
            sites[name] = site
            if kind == "gate":
                return Plain(name, [], None)
            return Around(name, [], site.inner) if kind == "wrapper" else Once(Section(), site)

        return Entry(phase, kind, ("timeout",), build)

    kinds = {"gate": "call", "wrapper": "link", "maker": "link"}
    order = [entry("call", "wrapper", "front")]
    order += [entry(phase, kind, kind) for kind, phase in kinds.items()]  # type: ignore[arg-type]  # it is one
    monkeypatch.setattr("proxy.pipeline.walk.ORDER", order)
    explained()
    assert (sites["gate"].inner, sites["gate"].sender) == (nobody, nobody)
    assert sites["front"].sender is nobody
    assert sites["maker"].inner is nobody
    assert isinstance(sites["maker"].sender, AttemptGuard)
    assert sites["wrapper"].sender is sites["maker"].sender
    assert isinstance(sites["wrapper"].inner.__self__, Once)  # type: ignore[attr-defined]  # it is a method


def test_nobody_stands_where_nothing_may_be_called() -> None:
    """To call it is a bug."""
    with pytest.raises(AssertionError):
        nobody(make_attempt())


# --- for reads alone ---


@pytest.mark.parametrize("effect", ["read", "idempotent", "write"])
def test_what_acts_on_reads_only_is_on_no_other_calls(effect: str) -> None:
    """Where an overlap of policies puts it there. What it brings beside, a cool-down, is there."""
    text = f"""
policies:
  - {{name: p, match: {{tool: "s*"}}, effect: read, cache: {{max_age: 5m}}, hedge: {{}}}}
  - {{name: q, match: {{tool: "*h"}}, effect: {effect}}}
"""
    kinds = {Cached, Race} if effect == "read" else set()
    traces = {RecordFirst, IntentFirst}
    assert {*chain(text)} - {Once, AttemptGuard, CoolDown} - traces == kinds
    assert CoolDown in chain(text)
    assert {*READS_ONLY} == {"cache", "hedge"}


# --- what is held until its result is known ---


@pytest.mark.parametrize(
    ("sections", "held"),
    [("retry: {}", True), ("breaker: {}", True), ("timeout: {total: 5s}", False)],
)
def test_answers_are_held_where_somebody_wants_their_result(sections: str, held: bool) -> None:
    """Only then; a shadow as well, or it would count results that it will not see in force."""
    for mode in ("enforce", "shadow"):
        commit = commit_of(f"policies: [{{name: p, effect: read, mode: {mode}, {sections}}}]")
        assert commit._hold is held


def test_a_stream_is_never_held() -> None:
    """Its head is its commit."""
    stream = make_reply(200, {b"content-type": b"text/event-stream"}, body=Body())
    assert Desk(policy("retry: {}"), stream).codes(1) == ["200"]


# --- what stages are built for ---


def test_a_shadow_knows_of_keys_too() -> None:
    """Of those that are enforced, and of those that would be."""
    call = post("search")
    Desk().pipeline(call)
    modes = {"enforce": (True, True), "shadow": (False, True), "off": (False, False)}
    for mode, known in modes.items():
        text = f"{GATEWAY}policies: [{{name: p, idempotency: {{mode: {mode}}}}}]"
        effective = cascade(load(text).policies, facts(call))
        plan = plan_of(effective, call, Grounds(make_ground(), make_ground(shadow=True)))
        sides = (plan.enforced.target, plan.shadow.target)
        assert tuple(target.idempotent_upstream for target in sides) == known
