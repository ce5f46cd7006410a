"""From what policies say to what runs."""

from typing import Any

import pytest

from proxy.call import Call, Effect
from proxy.config.cascade import cascade
from proxy.keys import InFlightKey
from proxy.pipeline.commit import Commit
from proxy.pipeline.compile import _targets
from proxy.pipeline.guard import AttemptGuard, CallGuard
from proxy.pipeline.table import facts
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure, Reply
from proxy.stage import Check, Handler, NothingTaken, Verdict
from proxy.stages import ORDER, Entry
from proxy.stages.breaker import CircuitCheck, ForcedOpen, Observer, ProbeLease
from proxy.stages.bulkhead import Permit
from proxy.stages.cooldown import CoolDown
from proxy.stages.idempotency import IdempotencyKey, ShadowKey
from proxy.stages.retry import Once, Repeat
from proxy.stages.timeout import AttemptTime, Deadline, ShadowDeadline, ShadowTime
from proxy.wire.body import Body
from tests.fakes import ScriptedUpstream, make_reply, run
from tests.tables import GATEWAY, Desk, load, post, request

BREAKER = "breaker: {consecutive: 2, open: {base: 60s, jitter: 0}}"
READ = "policies: [{name: r, effect: read}]"


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
    """What kinds they are."""
    return [type(stage) for stage in stages(text)]


def policy(sections: str) -> str:
    """One policy with these sections."""
    return f"policies: [{{name: p, effect: read, {sections}}}]"


def test_what_is_not_configured_is_not_there() -> None:
    """Without policies a call is sent once, and nobody is asked."""
    assert chain("") == [Once, AttemptGuard]


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
            return Entry("call", ("timeout",), lambda *built: made(name, self.diary, answer))

        order = (*map(entry, names), *(entry for entry in ORDER if entry.phase != "call"))
        monkeypatch.setattr("proxy.pipeline.compile.ORDER", order)
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


def test_a_refused_call_has_a_rule_and_is_in_flight_until_its_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A check refuses after the pipeline has taken the call on, as a guard would."""
    front, call = Front(monkeypatch, "a", says_no="a"), post("search")
    assert run(front.pipeline(call)).refusal is NO
    assert (call.rule.version, call.flight) == (front.desk.table.version, front.pipeline.flight)
    assert front.pipeline.flight.now == 1


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
        return Entry("wrap", (section,), lambda _, inner, *on: Around(name, diary, inner).handle)

    order = (entry("a"), entry("off", "breaker"), entry("b"), *ORDER)
    monkeypatch.setattr("proxy.pipeline.compile.ORDER", order)
    desk = Desk(policy(sections), Failure.CONNECT, 200)
    assert desk.call().status == (200 if attempts == 2 else 0)
    assert diary == ["a in", "b in", "b out", "a out"]
    assert len(desk.upstream.attempts) == attempts


# --- what is in flight ---


def test_calls_of_one_tool_are_counted_together() -> None:
    """In the keep, for whoever shows it, whichever table their pipeline is of."""
    desk = Desk("", 200, 200)
    again = Desk(READ, 200, keep=desk.keep)
    one, other = desk.pipeline(post("search")), again.pipeline(post("search"))
    for pipeline in (one, other):
        run(pipeline(post("search")))
    flight = dict(desk.keep.items())[InFlightKey("", "gateway", "search")]
    assert (one.flight is flight, other.flight is flight, flight.now) == (True, True, 2)
    assert not flight.idle
    assert desk.pipeline(post("other")).flight.idle


def test_a_shadow_never_repeats() -> None:
    """A wrapper acts; there is no verdict of it to be counted."""
    desk = Desk("policies: [{name: p, effect: read, mode: shadow, retry: {}}]", 503)
    assert desk.codes(1) == ["503"]


def test_retry_runs_as_written() -> None:
    """End to end through the compiled pipeline."""
    desk = Desk(policy("retry: {attempts: 2, backoff: {base: 1ms}}"), 503, 200)
    assert desk.codes(1) == ["200"]


def test_permits_are_those_of_the_policy_that_gave_the_limit() -> None:
    """Another one that says how many may wait does not part them."""
    desk = Desk(
        "policies:\n"
        "  - {name: all, bulkhead: {limit: 1, per: [rule]}}\n"
        "  - {name: one, match: {tool: other}, bulkhead: {queue: 0}}",
        200,
    )
    first, second = post("search"), post("other")
    run(desk.pipeline(first)(first))
    refusal = run(desk.pipeline(second)(second)).refusal
    assert refusal is not None
    assert (refusal.code, refusal.policy) == ("bulkhead_full", "all")


def test_a_breaker_opens_as_written() -> None:
    """Two failures, then nothing is sent; its name is on the refusal."""
    desk = Desk(policy(BREAKER), 500, 500)
    assert desk.codes(4) == ["500", "500", "circuit_open", "circuit_open"]
    refusal = desk.call().refusal
    assert refusal is not None
    assert refusal.policy == "p"


# --- the effect, and what is said in answers ---


@pytest.mark.parametrize(
    ("text", "call", "effect"),
    [
        ("", post("search"), Effect.WRITE),
        ("", request("GET", "/x"), Effect.READ),
        ("policies: [{name: p, effect: idempotent}]", post("search"), Effect.IDEMPOTENT),
        ("policies: [{name: p, effect: write}]", request("GET", "/x"), Effect.WRITE),
        ("policies: [{name: p, mode: shadow, effect: read}]", post("search"), Effect.WRITE),
    ],
)
def test_a_policy_knows_the_effect_better(text: str, call: Call, effect: Effect) -> None:
    """Than what the protocol assumes; every call of the pipeline gets it."""
    desk = Desk(text, 200)
    assert desk.pipeline(call).effect is effect
    desk.call(call)
    assert (call.effect, call.finishes_alone) == (effect, effect is Effect.WRITE)


def test_what_every_plain_success_says() -> None:
    """Made once, not on each call; the rule is the last policy, with the version of all."""
    desk = Desk("policies: [{name: a, timeout: {total: 1s}}, {name: b, effect: read}]")
    rule = desk.pipeline(post("search")).rule
    told = b"holdfast-policy: b@%b\r\n" % desk.table.version.encode()
    assert (rule.version, rule.told, rule.minimal) == (desk.table.version, told, False)
    assert rule.plain == (
        b"holdfast-origin: upstream\r\nholdfast-attempts: 1\r\nholdfast-outcome: ok\r\n" + told
    )


def test_every_call_has_the_rule_of_its_pipeline() -> None:
    """What is said of it needs nothing else."""
    desk, call = Desk(READ, 200), post("search")
    pipeline = desk.pipeline(call)
    desk.call(call)
    assert call.rule is pipeline.rule


def test_without_a_policy_no_rule_is_named() -> None:
    """There is none."""
    pipeline = Desk().pipeline(post("search"))
    assert (pipeline.rule.told, pipeline.policies) == (b"", ())
    assert b"holdfast-policy" not in pipeline.rule.plain


def test_minimal_headers_say_only_the_origin() -> None:
    """The id of the call comes before it, call by call."""
    minimal = GATEWAY.replace("tools}", "tools, holdfast: {headers: minimal}}")
    rule = Desk(mounts=minimal).pipeline(post("search")).rule
    assert (rule.plain, rule.minimal) == (b"holdfast-origin: upstream\r\n", True)


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


# --- what one section says to the stages of another ---


@pytest.mark.parametrize(
    ("sections", "statuses"),
    [
        ("retry: {}", ["500"]),
        ("retry: {}, idempotency: {}", ["200"]),
        ("retry: {}, idempotency: {inject: false}", ["500"]),
        ("retry: {}, idempotency: {mode: shadow}", ["500"]),
        ("retry: {safe: never_executed}, idempotency: {}", ["500"]),
    ],
)
def test_a_write_with_a_key_is_repeated(sections: str, statuses: list[str]) -> None:
    """To have the section is to say that the upstream honours keys; without one it is not safe."""
    text = f"policies: [{{name: p, effect: write, {sections}}}]"
    assert Desk(text, 500, 200).codes(1) == statuses


def test_a_shadow_knows_of_keys_too() -> None:
    """Of those that are enforced, and of those that would be."""
    call = post("search")
    Desk().pipeline(call)
    modes = {"enforce": (True, True), "shadow": (False, True), "off": (False, False)}
    for mode, known in modes.items():
        text = f"{GATEWAY}policies: [{{name: p, idempotency: {{mode: {mode}}}}}]"
        effective = cascade(load(text).policies, facts(call))
        enforced, shadow = _targets(effective, call)
        assert (enforced.idempotent_upstream, shadow.idempotent_upstream) == known


def test_a_402_that_passes_leaves_nobody_alone() -> None:
    """`on_402: stop` sets a cool-down; to a price the next call may come with the money."""
    assert Desk(policy("retry: {}"), 402).codes(2) == ["402", "rate_limited"]
    assert Desk(policy("retry: {on_402: pass}"), 402, 200).codes(2) == ["402", "200"]
    assert Desk(policy("breaker: {}"), 402).codes(2) == ["402", "rate_limited"]
