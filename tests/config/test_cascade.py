from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Effect, Risk, Unrecorded
from proxy.config.cascade import (
    Effective,
    candidates,
    cascade,
    convert,
    inside,
    merge,
    of_control,
    settled,
)
from proxy.config.match import Globs, Match
from proxy.config.places import Place
from proxy.config.types import Bulkhead, Mode, Part, Policy
from proxy.expression import Expression
from proxy.stages.timeout import Timeout
from proxy.units import Seconds

GETS = Match({"tool": Globs(("get_*",))})
HERE = Place("p.yaml", 1, 1)
TOLD = Expression.parse("input.amount > 100")


def part(on=True, mode=Mode.ENFORCE, line=1, **fields):
    places = dict.fromkeys(fields, Place("p.yaml", line, 1))
    return Part(Place("p.yaml", line, 1), on, mode, fields, places)


def policy(name, match=None, effect=None, mode=Mode.ENFORCE, **sections):
    places = {"effect": HERE} if effect else {}
    return Policy(name, HERE, "policies[0]", match or Match(), mode, effect, sections, places)


def test_later_fields_replace_the_same_earlier_ones():
    """Field by field; each knows where it came from."""
    base = policy("base", timeout=part(total=45, connect=3, line=3))
    reads = policy("reads", GETS, timeout=part(total=10, attempt=5, line=7))

    merged = cascade([base, reads], {"tool": "get_x"}).sections["timeout"]

    assert merged.fields == {"total": 10, "connect": 3, "attempt": 5}
    assert {field: place.line for field, place in merged.places.items()} == {
        "total": 7,
        "connect": 3,
        "attempt": 7,
    }
    assert merged.policies == {"total": "reads", "connect": "base", "attempt": "reads"}
    assert merged.policy == "reads"


def test_the_last_policy_that_says_a_risk_counts():
    """As of an effect; likewise what becomes of calls while the journal cannot be written. What
    nobody says follows from the effect, and from the risk."""
    there = Place("p.yaml", 9, 1)
    base = Policy("base", HERE, "", risk=Risk.HIGH, unrecorded=Unrecorded.ALLOW)
    reads = Policy("reads", HERE, "", GETS, risk=Risk.LOW, places={"risk": there})
    shadow = Policy("shadow", HERE, "", mode=Mode.SHADOW, risk=Risk.CRITICAL)

    effective = cascade([base, reads, shadow], {"tool": "get_x"})
    assert (effective.risk, effective.risk_place) == (Risk.LOW, there)
    assert effective.unrecorded_of(Risk.CRITICAL) is Unrecorded.ALLOW
    assert cascade([base, reads], {"tool": "pay"}).risk_of(Effect.READ) is Risk.HIGH
    nothing = merge([])
    assert [nothing.risk_of(effect) for effect in Effect] == [Risk.LOW, Risk.MEDIUM, Risk.MEDIUM]
    assert [nothing.unrecorded_of(risk) for risk in Risk] == [
        *(Unrecorded.ALLOW, Unrecorded.ALLOW, Unrecorded.DENY, Unrecorded.DENY)
    ]


@pytest.mark.parametrize(
    ("risk", "unrecorded", "left"),
    [
        (Risk.CRITICAL, Unrecorded.ALLOW, (Risk.CRITICAL, None)),
        (Risk.LOW, Unrecorded.DENY, (None, Unrecorded.DENY)),
        (Risk.MEDIUM, None, None),
    ],
)
def test_a_condition_that_failed_leaves_what_is_more_careful(risk, unrecorded, left):
    """A high risk, and a refusal while the journal cannot be written; nothing that relaxes."""
    asked = Policy("p", HERE, "", Match(when=TOLD), risk=risk, unrecorded=unrecorded)
    found = [(policy.risk, policy.unrecorded) for policy in settled([asked], [None])]
    assert found == ([] if left is None else [left])


def test_policies_that_do_not_match_say_nothing():
    """Nor are they named."""
    effective = cascade([policy("reads", GETS, timeout=part(total=1))], {"tool": "put_x"})

    assert (effective.policies, effective.sections) == ((), {})


ASKED = Match(when=TOLD)


def held(*outcomes, policies):
    return [
        (policy.name, policy.effect, [*policy.sections]) for policy in settled(policies, outcomes)
    ]


def test_conditions_settle_which_policies_hold():
    """One outcome for each policy that has a condition, in their order."""
    some = [policy("a", ASKED), policy("b"), policy("c", ASKED), policy("d", ASKED)]

    names = [name for name, *_ in held(False, True, True, policies=some)]
    assert names == ["b", "c", "d"]


def test_a_condition_that_failed_leaves_what_its_policy_restricts():
    """Nothing that it permits: no effect, no retry, no refusal that it switches off."""
    some = [
        policy("keeps", ASKED, Effect.READ, deny=part(), retry=part(), rate_limit=part()),
        policy("frees", ASKED, deny=part(on=False), timeout=part(total=5)),
    ]

    assert held(None, None, policies=some) == [("keeps", None, ["deny", "rate_limit"])]
    assert len(held(True, True, policies=some)) == 2


def test_until_a_call_is_there_all_conditions_hold():
    """What is judged and shown without one."""
    some = [policy("a", ASKED, retry=part(attempts=2)), policy("b", GETS)]

    assert candidates(some, {"tool": "x"}) == some[:1]
    assert cascade(some, {"tool": "x"}).sections["retry"].fields == {"attempts": 2}


def test_a_section_set_to_false_is_off_and_forgets():
    """Given again later, it begins anew."""
    on, off = policy("on", retry=part(attempts=3)), policy("off", retry=part(on=False))
    again = policy("again", retry=part(safe="always"))

    assert "retry" not in merge([on, off]).sections
    assert merge([on, off, again]).sections["retry"].fields == {"safe": "always"}


def test_a_section_that_is_there_is_on():
    """Even empty."""
    assert merge([policy("p", breaker=part())]).sections["breaker"].fields == {}


def test_the_last_effect_counts():
    """With its place; none where nobody says."""
    read, write = policy("r", effect=Effect.READ), policy("w", effect=Effect.WRITE)

    assert merge([read, write, policy("none")]).effect is Effect.WRITE
    assert merge([read]).effect_place == HERE
    assert merge([policy("none")]).effect is None


def test_shadow_changes_nothing_that_is_enforced():
    """It is laid over a copy of all, and only what it touches is in it."""
    base = policy("base", retry=part(attempts=3), breaker=part())
    shadow = policy(
        "s", mode=Mode.SHADOW, effect=Effect.READ, retry=part(mode=Mode.SHADOW, attempts=5)
    )

    effective = merge([base, shadow])

    assert effective.sections["retry"].fields == {"attempts": 3}
    assert effective.effect is None
    assert effective.shadow_effect is Effect.READ
    assert {name: merged.fields for name, merged in effective.shadow.items()} == {
        "retry": {"attempts": 5}
    }


def test_a_section_that_shadow_turns_off_has_no_shadow():
    """There is nothing to compute."""
    effective = merge(
        [policy("b", retry=part()), policy("s", retry=part(on=False, mode=Mode.SHADOW))]
    )

    assert "retry" in effective.sections
    assert effective.shadow == {}


def test_what_is_off_is_not_there():
    """A policy, or one section of it."""
    off = policy("off", mode=Mode.OFF, effect=Effect.READ, retry=part(attempts=9))
    half = policy("half", retry=part(mode=Mode.OFF, attempts=9), breaker=part())

    effective = merge([off, half])

    assert effective.policies == ("half",)
    assert effective.effect is None
    assert set(effective.sections) == {"breaker"}


def test_who_gave_a_field_is_known():
    """Where nobody gave it, it is the one that switched the section on: who speaks later of another
    field does not make it his."""
    base, least = policy("base", bulkhead=part()), policy("least", bulkhead=part(queue=0))
    off = policy("off", bulkhead=part(on=False))

    merged = merge([base, least]).sections["bulkhead"]
    anew = merge([base, off, least, base]).sections["bulkhead"]

    assert [merged.giver(field) for field in ("limit", "queue")] == ["base", "least"]
    assert [anew.giver(field) for field in ("limit", "queue")] == ["least", "least"]
    assert (merged.giver(""), anew.giver("")) == ("least", "base")


CORE = Bulkhead("core", HERE, "bulkheads[0]", Globs(("a",)), 8, 4, Seconds(2.0))


@pytest.mark.parametrize(("given", "priority"), [({}, None), ({"priority": "agent"}, "agent")])
def test_inside_a_bulkhead_its_permits_are_in_force(given, priority):
    """Beside all that the policies say, by their priority."""
    own = merge([policy("p", bulkhead=part(limit=2, **given))])
    effective = inside(own, CORE)

    assert effective.sections["bulkhead"] == own.sections["bulkhead"]
    assert effective.sections["domain"].policy == "core"
    assert effective.sections["domain"].fields == {
        "limit": 8, "queue": 4, "max_wait": 2.0, "per": ("rule",), "priority": priority,
    }  # fmt: skip
    assert inside(Effective((), {}), CORE).sections["domain"].fields["priority"] is None


def test_converts_to_the_sections_type():
    """Fields that are not given have their defaults."""
    assert convert(Timeout, {"total": Seconds(5.0)}) == Timeout(total=Seconds(5.0))


def test_fields_that_contradict_each_other_cannot_be_converted():
    """The section says why."""
    with pytest.raises(ValueError, match="total: must be longer than 0"):
        convert(Timeout, {"total": 0.0})


PARTS = st.builds(
    Part,
    st.just(HERE),
    st.booleans(),
    st.sampled_from(Mode),
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 3)),
)
POLICIES = st.lists(
    st.builds(
        Policy,
        st.text("xyz", min_size=1, max_size=2),
        st.just(HERE),
        st.just(""),
        mode=st.sampled_from(Mode),
        effect=st.sampled_from([None, *Effect]),
        sections=st.dictionaries(st.sampled_from(["retry", "breaker"]), PARTS),
    ),
    max_size=6,
)


def is_shadow(one):
    return one.mode is not Mode.ENFORCE


@given(POLICIES)
def test_without_shadow_and_off_the_enforced_is_the_same(policies):
    """Whatever stands in another mode, and wherever."""
    enforced = [
        Policy(
            one.name, one.place, "", one.match, Mode.ENFORCE,
            one.effect if one.mode is Mode.ENFORCE else None,
            {name: held for name, held in one.sections.items() if not is_shadow(held)},
        )
        for one in policies
        if one.mode is not Mode.OFF
    ]  # fmt: skip

    effective = merge(policies)

    assert effective.sections == merge(enforced).sections
    assert effective.effect == merge(enforced).effect


@given(POLICIES)
def test_without_anything_in_shadow_there_is_no_shadow(policies):
    """Only what somebody put in shadow mode is computed there."""
    bright = [one for one in policies if not any(map(is_shadow, one.sections.values()))]

    assert merge(bright).shadow == {}


@given(POLICIES)
def test_laying_over_goes_step_by_step(policies):
    """A field's value is the last one given since the section was last set to false."""
    expected: dict[str, Any] = {}
    for one in policies:
        for name, held in one.sections.items():
            if one.mode is Mode.OFF or held.mode is not Mode.ENFORCE:
                continue
            expected[name] = {**expected.get(name, {}), **held.fields} if held.on else None
            expected = {key: fields for key, fields in expected.items() if fields is not None}

    assert {name: merged.fields for name, merged in merge(policies).sections.items()} == expected


def test_what_came_from_elsewhere_stays_known():
    """Of all policies that gave something."""
    one = Part(HERE, fields={"a": "x"}, hidden={"x": "${X}"})
    other = Part(HERE, fields={"b": "y"}, hidden={"y": "${Y}"})
    merged = merge([policy("a", timeout=one), policy("b", timeout=other)]).sections["timeout"]

    assert merged.hidden == {"x": "${X}", "y": "${Y}"}


def test_what_sets_calls_up_is_not_refused_for_a_tools_reasons():
    """How it goes is as the policies say; whether, and what it does, is not."""
    everything = merge(
        [policy("a", effect=Effect.WRITE, timeout=part(), retry=part(), deny=part(), loop=part())]
    )
    left = of_control(everything)
    assert left.sections.keys() == {"timeout", "retry"}
    assert (left.policies, left.effect) == (("a",), None)
