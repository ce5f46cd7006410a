"""proxy/pipeline/explain.py."""

from typing import Any

import msgspec
import pytest

from proxy.config.load import load_policies
from proxy.counts import EXPRESSION_ERRORS
from proxy.pipeline.asked import Asked
from proxy.pipeline.explain import Explanation, Source, Step, explain, flat, fresh, values
from proxy.protocols.identity import Identity
from tests.fakes import FakeClock, make_attempt, make_reply, run
from tests.tables import Desk, load, post

ANN = Identity("ann", "crew")
POLICIES = """
policies:
  - {name: default, timeout: {total: 45s}, retry: {attempts: 2}, breaker: {consecutive: 2}}
  - name: reads
    match: {tool: "get_*"}
    effect: read
    retry: {attempts: 4, backoff: {base: 50ms}}
  - {name: soon, match: {agent: bob}, mode: shadow, timeout: {total: 5s}, breaker: {}}
  - {name: never, match: {tool: other}, breaker: false}
"""


def told(desk: Desk, **said: Any) -> Explanation:
    """What is explained of a call to a table at work."""
    return explain(desk.table, Asked(**said), ANN)


def steps(found: Explanation) -> list[Step]:
    """Its stages; but for the kill switch, which every call meets."""
    return [step for step in found.stages if step.stage not in {"Switch", "AttemptSwitch"}]


def test_values_come_with_their_place() -> None:
    """File, line and policy; what nobody gave is built in."""
    found = told(Desk(POLICIES), tool="get_x")
    attempts, backoff = found.sections["retry"]["attempts"], found.sections["retry"]["backoff"]

    assert (attempts.value, attempts.policy) == (4, "reads")
    assert attempts.at.endswith("p.yaml:9")
    assert (backoff.value["base"], backoff.value["factor"]) == ("50ms", 2.0)
    assert found.sections["retry"]["safe"] == Source("auto")
    assert found.sections["timeout"]["total"].policy == "default"


def test_policies_and_effect_of_a_call() -> None:
    """Those that match, in their order; the effect with the policy that says so."""
    read, write = told(Desk(POLICIES), tool="get_x"), told(Desk(POLICIES), tool="pay")

    assert [policy.name for policy in read.policies] == ["default", "reads"]
    assert (read.effect.value, read.effect.policy) == ("read", "reads")
    assert (write.effect.value, write.effect.at) == ("write", "built in")
    assert [policy.mode for policy in told(Desk(POLICIES), agent="bob").policies][-1] == "shadow"


def test_the_risk_of_a_call_and_what_it_means_for_its_journal() -> None:
    """Each with the policy that says so, else as it follows from the effect and the risk."""
    desk = Desk("policies: [{name: r, match: {tool: x}, risk: high}, {name: e, effect: read}]")
    risky, plain = told(desk, tool="x"), told(desk, tool="y")

    assert (risky.risk.value, risky.risk.policy) == ("high", "r")
    assert risky.risk.at.endswith("p.yaml:3")
    assert risky.on_journal_failure == Source("deny")
    assert (plain.risk, plain.on_journal_failure) == (Source("low"), Source("allow"))
    assert [step.stage for step in steps(risky)] == ["RecordFirst", "Once", "IntentFirst"]


def test_stages_in_the_order_in_which_a_call_meets_them() -> None:
    """Each with its phase, its section and the policy that was the last to say something of it."""
    found = [
        (step.phase, step.stage, step.policy) for step in told(Desk(POLICIES), tool="get_x").stages
    ]

    assert found == [
        ("call", "Switch", ""),
        ("call", "Deadline", "default"),
        ("link", "Repeat", "reads"),
        ("attempt", "AttemptSwitch", ""),
        ("attempt", "CircuitCheck", "default"),
        ("attempt", "CoolDown", "reads"),
        ("attempt", "AttemptTime", "default"),
        ("attempt", "ProbeLease", "default"),
    ]


def test_without_retry_there_is_one_attempt() -> None:
    """No section made that stage; without a breaker there is none of its stages."""
    (step,) = steps(told(Desk("policies: [{name: r, effect: read}]")))

    assert (step.stage, step.section, step.phase) == ("Once", "", "link")


def test_shadows_are_told_apart() -> None:
    """What they would make of the call decides nothing."""
    found = told(Desk(POLICIES), tool="get_x", agent="bob", headers={"holdfast-timeout-ms": "10"})
    shadows = [step.stage for step in found.stages if step.shadow]

    assert shadows == ["ShadowDeadline", "CircuitCheck", "CoolDown", "ShadowTime", "ProbeLease"]
    assert found.shadow["timeout"]["total"].value == "5s"
    assert found.sections["timeout"]["total"].value == "45s"
    assert found.verdict.stage == "AttemptTime"  # the client gives it 10 ms


def test_the_verdict_is_the_first_refusal() -> None:
    """Of the state as it is now."""
    desk = Desk(POLICIES, 500, 500)
    for _ in range(2):
        desk.call(post("pay"))
    verdict = told(desk, tool="pay").verdict

    assert not verdict.allow
    assert verdict.refusal is not None
    assert (verdict.refusal.code, verdict.refusal.policy) == ("circuit_open", "default")
    assert (verdict.stage, verdict.refusal.retry_after is None) == ("CircuitCheck", False)
    assert told(desk, tool="get_x").verdict.allow


def test_a_call_that_cannot_be_read_meets_no_stage() -> None:
    """It is refused before."""
    found = told(Desk(POLICIES), tool="pay", path="/v1/get_x")

    assert (found.verdict.allow, found.stages, found.verdict.stage) == (False, [], "")


def everything(desk: Desk) -> dict[object, object]:
    """What is kept, with all that it holds."""
    seen: dict[object, object] = {}
    for key, entry in desk.keep.items():
        names: Any = getattr(entry, "__slots__", None) or getattr(entry, "__struct_fields__", ())
        seen[key] = {name: repr(getattr(entry, name, None)) for name in names if name[:2] != "__"}
    return seen


def test_asking_changes_nothing() -> None:
    """Neither what is kept nor the table; also where another policy would be brought into force."""
    clock = FakeClock()
    strict = (
        POLICIES
        + "  - {name: strict, match: {agent: eve}, breaker: {consecutive: 9, window: 9s}}\n"
        + "  - {name: limits, rate_limit: {rate: 9/s}, bulkhead: {limit: 9}}\n"
        + "  - {name: fewer, match: {agent: eve}, bulkhead: {adaptive: true}, "
        + "rate_limit: {burst: 1}, retry: {budget: {burst: 1}}}\n"
    )
    desk = Desk(strict, 500, make_reply(429, {b"retry-after": b"9"}), clock=clock)
    for _ in range(2):
        desk.call(post("pay"))
    clock.advance(120.0)
    before, pipelines = everything(desk), dict(desk.table._pipelines)
    for agent in ("ann", "bob", "eve"):
        for tool in ("pay", "never seen", "get_x"):
            told(desk, tool=tool, agent=agent)

    assert everything(desk) == before
    assert desk.table._pipelines == pipelines


def test_values_by_their_paths() -> None:
    """Those inside of others as well, each with the place of what holds it."""
    found = values(told(Desk(POLICIES), tool="get_x"))

    assert (found["retry.backoff.base"].value, found["retry.backoff.base"].policy) == (
        "50ms",
        "reads",
    )
    assert found["breaker.slow.over"].value == "20s"
    assert flat("a", {}) == [("a", {})]
    assert flat("a", {"b": {"c": 1}, "d": [2]}) == [("a.b.c", 1), ("a.d", [2])]


def test_a_table_made_for_the_question() -> None:
    """Nothing has happened at it, and nothing can be sent."""
    table = fresh(
        load("upstreams: {a: {url: 'http://h'}}\npolicies: [{name: p, breaker: {}}]"), FakeClock()
    )

    assert explain(table, Asked(), ANN).verdict.allow
    with pytest.raises(AssertionError):
        run(table.mounts["a"].way.send(make_attempt()))


def test_that_a_stream_is_asked_for_is_a_fact() -> None:
    """That none is goes without saying."""
    assert told(Desk(POLICIES), stream=True).call["stream"] == "true"
    assert "stream" not in told(Desk(POLICIES)).call


def test_warnings_of_the_load_are_told() -> None:
    """They are often the answer."""
    desk = Desk("policies: []")

    assert "no policy matches this upstream" in told(desk).warnings[0]


def test_it_is_told_to_programs_as_files_have_it() -> None:
    """`from` is the word for a place."""
    report = msgspec.to_builtins(told(Desk(POLICIES), tool="get_x"))

    assert report["sections"]["retry"]["attempts"].keys() == {"value", "from", "policy"}
    assert report["policies"][0].keys() == {"name", "mode", "from"}
    assert report["verdict"] == {"allow": True}


def test_no_secret_is_told(tmp_path: Any) -> None:
    """Neither a credential nor any text that a variable holds; durations are no secrets."""
    (tmp_path / "p.yaml").write_text(
        "upstreams: {a: {url: 'http://h', auth: {bearer: '${KEY}'}}}\n"
        "policies: [{name: p, timeout: {total: '${TIME}'}, retry: {'on': ['${WORD}']}}]\n"
    )
    environ = {"KEY": "hunter2", "TIME": "9s", "WORD": "connect"}
    loaded = load_policies(tmp_path, environ=environ)
    found = explain(fresh(loaded, FakeClock()), Asked(), ANN)

    assert found.sections["retry"]["on"].value == ["${WORD}"]
    assert found.sections["timeout"]["total"].value == "9s"
    assert "hunter2" not in repr(found)


# --- conditions, bulkheads ---

CONDITIONS = """
policies:
  - {name: default, timeout: {total: 45s}}
  - name: big
    match: {when: "double(input.amount) > 100.0"}
    timeout: {total: 5s}
    deny: {}
"""


def test_conditions_are_told_with_what_they_came_to() -> None:
    """What holds is in force; what failed still restricts."""
    desk = Desk(CONDITIONS)
    big, small = (
        told(desk, tool="pay", input={"amount": 500}),
        told(desk, tool="pay", input={"amount": 1}),
    )
    failed = told(desk, tool="pay", input={})

    assert [asks.holds for found in (big, small, failed) for asks in found.conditions] == [
        True, False, None,
    ]  # fmt: skip
    assert big.conditions[0].when == "double(input.amount) > 100.0"
    assert big.conditions[0].at.endswith("p.yaml:7")
    assert (big.verdict.allow, small.verdict.allow, failed.verdict.allow) == (False, True, False)
    assert big.sections["timeout"]["total"].value == "5s"
    assert failed.sections["timeout"]["total"].value == "45s"
    assert dict(desk.keep.items()).get(EXPRESSION_ERRORS.key) is None


def test_arguments_that_can_be_read_in_two_ways() -> None:
    """Nobody knows which policies are in force, and the call would be refused."""
    found = told(Desk(CONDITIONS), path="/v1/pay", input={"input": {"amount": 1}, "amount": 500})

    assert found.verdict.refusal is not None
    assert found.verdict.refusal.code == "ambiguous_call"
    assert (found.policies, found.conditions, found.stages) == ([], [], [])


def test_a_bulkhead_is_in_force_for_its_agents() -> None:
    """With the place where it is written."""
    desk = Desk("bulkheads: [{name: core, agents: [bob], limit: 3}]\npolicies: []")
    limit = told(desk, tool="pay", agent="bob").sections["domain"]["limit"]

    assert (limit.value, limit.policy) == (3, "core")
    assert ".yaml:" in limit.at
    assert "domain" not in told(desk, tool="pay", agent="ann").sections


def test_a_stage_that_has_nothing_to_do_is_not_told() -> None:
    """A breaker that is disabled, a hedge on what is no read."""
    desk = Desk("policies: [{name: p, effect: read, breaker: {state: disabled}}]")

    assert [step.stage for step in steps(told(desk, tool="pay"))] == ["Once", "CoolDown"]


def test_backups_are_told_before_what_is_behind_them() -> None:
    """How much goes where; the upstream's own stages follow."""
    mounts = """
upstreams:
  gateway: {url: 'http://h', protocol: tools, backups: [spare]}
  spare: {url: 'http://h', protocol: tools, path: /spare}
"""
    desk = Desk("policies: [{name: p, effect: read, retry: {}}]", mounts=mounts)
    there = steps(told(desk, upstream="gateway", tool="x"))
    found = [(step.phase, step.stage) for step in there]

    assert found[:2] == [("link", "Failover"), ("link", "Repeat")]
    assert there[0].says.startswith("all to gateway")
    alone = steps(told(desk, upstream="spare", tool="x"))
    assert [step.stage for step in alone][:1] == ["Repeat"]
