# ruff: noqa: E501 -- messages stand on one line, as people see them
import pytest

from proxy.config.judge import judge
from proxy.config.places import Place
from proxy.config.types import Part, Policy

NO_METHOD = "matches nothing; methods are written in capitals, operations of A2A as SendMessage"
NO_PATH = "matches nothing; a path begins with /, and has no query, no empty and no dot segments"
TWO = "upstreams: {a: {url: http://h, protocol: tools}, b: {url: http://h, path: /b, protocol: http}}\n"


def policies(*lines):
    return TWO + "policies:\n" + "".join(f"  - {line}\n" for line in lines)


def test_an_attempt_must_end_before_the_total(folder):
    """In one policy."""
    assert folder.errors(policies("{name: p, timeout: {attempt: 5s, total: 5s}}")) == [
        "p.yaml:3:34: policies[0].timeout.attempt: attempt (5s) must be shorter than total (5s)"
    ]


@pytest.mark.parametrize(
    ("timeout", "said"),
    [
        ("{total: 100ms}", "total (0.1s) must be longer than min_attempt (0.1s)"),
        ("{total: 5s, min_attempt: 10s}", "total (5s) must be longer than min_attempt (10s)"),
    ],
)
def test_an_attempt_must_be_able_to_begin(folder, timeout, said):
    """Or every call would be refused; min_attempt counts as well where nobody gives it."""
    found = folder.errors(policies(f"{{name: p, timeout: {timeout}}}"))
    assert found == [f"p.yaml:3:32: policies[0].timeout.total: {said}"]


def test_contradictions_are_judged_on_what_is_in_force(folder):
    """Fields of two policies, one of which covers the other; said once, at the one that is there."""
    found = folder.errors(
        policies(
            "{name: base, timeout: {attempt: 15s, total: 45s}}",
            "{name: p, match: {tool: 'get_*'}, timeout: {total: 10s}}",
            "{name: q, match: {tool: 'get_a'}, retry: {attempts: 2}}",
        )
    )

    assert found == [
        "p.yaml:3:37: timeout.attempt: attempt (15s) must be shorter than total (10s) (p.yaml:4)"
    ]


def test_a_later_policy_can_mend_what_would_contradict(folder):
    """What is in force is what counts."""
    folder.load(
        policies(
            "{name: p, match: {tool: get_a}, timeout: {attempt: 15s, total: 10s}}",
            "{name: all, timeout: {total: 45s}}",
        )
    )


def test_an_overlap_is_no_error(folder):
    """Neither covers the other: it is clamped when it is compiled."""
    folder.load(
        policies(
            "{name: p, match: {tool: 'get_*'}, timeout: {attempt: 15s}}",
            "{name: q, match: {tool: '*_x'}, timeout: {total: 10s}}",
        )
    )


def test_shadow_is_judged_too(folder):
    """It would be wrong on the day it is enforced."""
    found = folder.errors(
        policies(
            "{name: base, timeout: {attempt: 15s, total: 45s}}",
            "{name: p, mode: shadow, timeout: {total: 10s}}",
        )
    )

    assert len(found) == 1


@pytest.mark.parametrize(
    "policy",
    [
        "{name: p, effect: write, retry: {safe: always}}",
        "{name: p, match: {upstream: a}, retry: {safe: always}}",
    ],
)
def test_writes_are_not_always_repeated(folder, policy):
    """Where the effect is write, said or by default."""
    (found,) = folder.errors(policies(policy))

    assert "policies[0].retry.safe: always would run writes twice" in found


def test_writes_with_a_key_may_be(folder):
    """Their upstream knows them again; without an agent's key and `inject` it counts as auto."""
    text = "{name: p, effect: write, retry: {safe: always}, idempotency: {}}"
    assert folder.warnings(policies(text)) == []
    assert folder.warnings(policies("{name: p, retry: {safe: always}, idempotency: {}}")) == []
    shadow = "{name: p, effect: write, retry: {safe: always}, idempotency: {mode: shadow}}"
    assert len(folder.errors(policies(shadow))) == 1


@pytest.mark.parametrize(
    ("auth", "warned"),
    [
        ("{bearer: a}", True),
        ("[{bearer: a}]", True),
        ("[{bearer: a}, {bearer: ''}]", True),
        ("[{bearer: a}, {header: X-B, value: b}]", False),
    ],
)
def test_refreshing_needs_another_credential(folder, auth, warned):
    """A key in a file is read again anyhow when the file changes."""
    text = f"upstreams: {{a: {{url: http://h, auth: {auth}}}, b: {{url: http://h, path: /b}}}}\n"
    found = folder.warnings(text + "policies: [{name: p, retry: {on_401: refresh}}]")

    assert (
        found
        == [
            "p.yaml:2:38: policies[0].retry.on_401: there is nothing to refresh to:"
            " no upstream of this policy has two credentials"
        ]
        * warned
    )


def test_limits_of_what_is_not_repeated_are_warned_about(folder):
    """In force for the policy's own match, whoever says what is repeated."""
    found = folder.warnings(
        policies(
            "{name: p, retry: {on: [500, connect]}}",
            "{name: q, match: {tool: x}, retry: {limits: {'500': 1, 504: 1, 421: 1}}}",
        )
    )

    assert found == [
        "p.yaml:4:49: policies[1].retry.limits: 504 is not tried again at all:"
        " it is not among those of on"
    ]


def test_always_is_warned_about_where_there_may_be_writes(folder):
    """The default of plain HTTP hangs on the method."""
    (found,) = folder.warnings(policies("{name: p, retry: {safe: always}}"))

    assert "always counts as auto on writes" in found


@pytest.mark.parametrize(
    "policy",
    [
        "{name: p, effect: read, retry: {safe: always}}",
        "{name: p, effect: write, retry: {safe: always, mode: off}}",
    ],
)
def test_reads_may_always_be_repeated(folder, policy):
    """No word about it."""
    assert folder.warnings(policies(policy)) == []


@pytest.mark.parametrize(
    ("match", "message"),
    [
        ("{upstream: aa}", "match.upstream: no upstream has this name: aa; did you mean a?"),
        ("{upstream: ['*', '!zz']}", "match.upstream: no upstream has this name: zz"),
        ("{layer: tools}", "match.layer: no such layer: tools; did you mean tool?"),
        ("{protocol: tool}", "match.protocol: no such protocol: tool; did you mean tools?"),
    ],
)
def test_names_that_nothing_has_are_errors(folder, match, message):
    """With the nearest that something has; a rule that is in force for nobody would be worse."""
    (found,) = folder.errors(policies(f"{{name: p, match: {match}}}"))

    assert found.partition("policies[0].")[2] == message


@pytest.mark.parametrize(
    "policy", ["mode: shadow, retry: {}", "retry: {attempts: 2, mode: shadow}"]
)
def test_a_shadow_of_retry_is_warned_about(folder, policy):
    """Nobody can know what a repetition would have brought."""
    (found,) = folder.warnings(policies(f"{{name: p, {policy}}}"))

    assert "policies[0].retry: a shadow of retry computes nothing but its cool-down" in found


def test_only_reads_are_answered_from_what_was_kept(folder):
    """As hedges; where neither policy covers the other, the section is left out for the rest."""
    message = "cache is for reads, and the effect is {}; expected effect: read"
    said = policies("{name: p, match: {tool: a}, effect: idempotent, cache: {max_age: 1s}}")
    usual = policies("{name: q, match: {upstream: a}, cache: {stale_if_error: 1s}}")

    assert folder.errors(said) == [
        f"p.yaml:3:60: policies[0].cache: {message.format('idempotent')}"
    ]
    assert folder.errors(usual) == [f"p.yaml:3:44: policies[0].cache: {message.format('write')}"]
    folder.load(
        policies(
            "{name: p, match: {tool: a}, effect: read, cache: {max_age: 1s}}",
            "{name: q, match: {upstream: b}, cache: {max_age: 1s}}",
            "{name: r, match: {upstream: b, path: /put}, effect: write, cache: false}",
        )
    )


@pytest.mark.parametrize(
    "policy",
    [
        "effect: read, cache: {max_age: 1s}",
        "effect: read, cache: {stale_if_error: 1s}",
        "effect: write, cache: false",
        "effect: write, cache: {mode: off}",
        "mode: shadow, cache: {}",
    ],
)
def test_a_cache_that_keeps_something_or_is_off_is_not_warned_about(folder, policy):
    """Nor one that is a shadow: that is another warning."""
    found = folder.warnings(policies("{name: all, breaker: {}}", f"{{name: p, {policy}}}"))

    assert not any("keeps nothing" in one for one in found)


def test_a_cache_that_keeps_nothing_is_warned_about(folder):
    """Neither when it is fresh nor when something fails would it give an answer."""
    (found,) = folder.warnings(policies("{name: p, effect: read, cache: {vary: [x-a]}}"))

    assert "policies[0].cache: it keeps nothing: give max_age or stale_if_error" in found


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("vary: ['a b']", "cache.vary: expected the name of a header, found 'a b'"),
        ("volatile: [nonce]", "cache.volatile: expected a path such as input.nonce, found 'nonce'"),
        ("key: [tool]", "cache.key[0]: expected input, found 'tool'"),
    ],
)
def test_what_a_cache_hangs_on_must_be_there(folder, field, message):
    """With its place."""
    (found,) = folder.errors(
        policies(f"{{name: p, effect: read, cache: {{max_age: 1s, {field}}}}}")
    )

    assert found.endswith(message)


@pytest.mark.parametrize(
    "policy",
    ["mode: shadow, retry: false", "mode: off, retry: {mode: shadow}", "mode: shadow, breaker: {}"],
)
def test_other_shadows_are_not(folder, policy):
    """They compute a verdict, or are not there."""
    found = folder.warnings(policies("{name: all, breaker: {}}", f"{{name: p, {policy}}}"))

    assert not any("a shadow of retry" in one for one in found)


def test_what_comes_later_may_be_excluded(folder):
    """Nobody has it, so nobody is held wrongly."""
    assert folder.warnings(policies("{name: p, match: {layer: '!llm'}, breaker: {}}")) == []


@pytest.mark.parametrize(
    ("match", "message"),
    [
        ("{upstream: 'x*'}", "unreachable: it matches no upstream"),
        ("{tool: [get_a, '!get_*']}", "unreachable: everything it asks for is excluded"),
        ("{layer: 'x*'}", "unreachable: it matches no layer"),
        ("{protocol: 'x*'}", "unreachable: it matches no protocol"),
        ("{method: get}", f"unreachable: 'get' {NO_METHOD}"),
        ("{method: ['*', '!post']}", f"unreachable: 'post' {NO_METHOD}"),
        ("{method: message/send}", f"unreachable: 'message/send' {NO_METHOD}"),
        ("{path: orders}", f"unreachable: 'orders' {NO_PATH}"),
        ("{path: '/a?b=*'}", f"unreachable: '/a?b=*' {NO_PATH}"),
        ("{path: '/a//b'}", f"unreachable: '/a//b' {NO_PATH}"),
        ("{path: '/a/../b'}", f"unreachable: '/a/../b' {NO_PATH}"),
    ],
)
def test_a_match_that_no_call_meets_is_warned_about(folder, match, message):
    """The policy is there and does nothing."""
    found = folder.warnings(policies("{name: all, breaker: {}}", f"{{name: p, match: {match}}}"))

    assert [problem.partition(": ")[2].partition(": ")[2] for problem in found] == [message]


@pytest.mark.parametrize(
    "match",
    [
        "{path: '/.well-known/*'}", "{path: '*/admin'}", "{path: '/a/.*'}", "{method: 'P*'}",
        "{method: SendMessage}", "{method: ['*Task', '!Get*']}",
    ],
)  # fmt: skip
def test_a_match_that_some_call_meets_is_not(folder, match):
    """Dots and stars are no mistake by themselves."""
    assert folder.warnings(policies(f"{{name: p, match: {match}, breaker: {{}}}}")) == []


@pytest.mark.parametrize(
    ("early", "late", "unreachable"),
    [
        ("timeout: {total: 5s}", "timeout: {total: 6s}", True),
        ("timeout: {total: 5s}", "timeout: false", True),
        ("effect: read", "effect: write", True),
        ("retry: {}", "retry: false", True),
        ("retry: {}", "retry: {attempts: 2}", False),
        ("retry: {attempts: 2}", "retry: {}", False),
        ("timeout: {total: 5s}", "timeout: {connect: 6s}", False),
        ("timeout: {total: 5s}", "mode: shadow, timeout: {total: 6s}", False),
        ("timeout: {total: 5s}", "mode: off, timeout: {total: 6s}", False),
        ("mode: off, timeout: {total: 5s}", "timeout: {total: 6s}", False),
        ("timeout: {total: 5s, mode: off}", "timeout: {total: 6s}", False),
    ],
)
def test_a_policy_that_is_replaced_wherever_it_holds_is_warned_about(
    folder, early, late, unreachable
):
    """By later ones that give the same fields, in the same mode, for at least the same calls."""
    found = folder.warnings(
        policies(
            f"{{name: p, match: {{tool: get_a}}, {early}}}", f"{{name: q, {late}}}", "{name: z}"
        )
    )

    assert bool(found) is unreachable
    assert all(
        "policies[0].name: unreachable: everything it says is replaced by q" in one for one in found
    )


def test_a_warning_stays_short(folder):
    """However many replace a policy."""
    lines = [f"{{name: p{number}, effect: read}}" for number in range(6)]

    assert folder.warnings(policies(*lines))[0] == (
        "p.yaml:3:12: policies[0].name: unreachable: everything it says is replaced by"
        " p1 (p.yaml:4), p2 (p.yaml:5), p3 (p.yaml:6) and 2 more"
    )


def test_an_upstream_without_policies_is_warned_about(folder):
    """Its calls pass unguarded."""
    found = folder.warnings(
        policies(
            "{name: p, match: {upstream: a}}",
            "{name: q, match: {protocol: tools}}",
            "{name: r, mode: off}",
        )
    )

    assert found == ["p.yaml:1:50: upstreams.b: no policy matches this upstream"]


def test_an_upstream_of_any_protocol_may_meet_a_policy_for_one(folder):
    """`auto` is not known before the call."""
    text = "upstreams: {a: {url: http://h}}\npolicies: [{name: p, match: {protocol: tools}}]"

    assert folder.warnings(text) == []


@pytest.mark.parametrize(
    ("agents", "message"),
    [
        ("[a-1, 'a-2*']", "no agent is in it: core (p.yaml:1) has them all"),
        ("['b*', '!b*']", "no agent is in it: everything it asks for is excluded"),
        ("['a-*', b]", None),
    ],
)
def test_a_bulkhead_that_nobody_is_in_is_warned_about(folder, agents, message):
    """The first one that has an agent counts."""
    text = f"bulkheads: [{{name: core, agents: ['a-*']}}, {{name: other, agents: {agents}}}]"

    found = folder.warnings(text)
    assert found == ([f"p.yaml:1:51: bulkheads[1].agents: {message}"] if message else [])


def test_fields_that_a_section_cannot_hold_together_are_an_error():
    """The section says so when it is made of what is in force; the place is that of the field."""
    part = Part(Place("p.yaml", 3), fields={"attempt": 0.0}, places={"attempt": Place("p.yaml", 4)})
    policy = Policy("p", Place("p.yaml", 1), "policies[0]", sections={"timeout": part})

    (error,) = judge([policy], {}, {}).errors

    assert str(error) == "p.yaml:4:0: policies[0].timeout.attempt: must be longer than 0"


def test_hedges_are_for_reads(folder):
    """A write that is sent twice runs twice. By default a tool's call is a write."""
    message = "hedge is for reads, and the effect is {}; expected effect: read"
    said = policies("{name: p, match: {tool: a}, effect: idempotent, hedge: {}}")
    usual = policies("{name: q, match: {upstream: a}, hedge: {after: 1s}}")
    assert folder.errors(said) == [
        f"p.yaml:3:60: policies[0].hedge: {message.format('idempotent')}"
    ]
    assert folder.errors(usual) == [f"p.yaml:3:44: policies[0].hedge: {message.format('write')}"]
    folder.load(
        policies(
            "{name: p, match: {tool: a}, effect: read, hedge: {}}",
            "{name: q, match: {upstream: b}, hedge: {}}",
        )
    )


def test_an_overlap_may_say_that_it_reads(folder):
    """Neither policy covers the other, but some calls are for both; the rest has no hedge."""
    folder.load(
        policies(
            "{name: r, match: {layer: tool, tool: 'get_*'}, effect: read}",
            "{name: p, match: {tool: get_a}, hedge: {}}",
        )
    )
    apart = policies(
        "{name: r, match: {layer: tool, tool: 'get_*'}, effect: read}",
        "{name: p, match: {upstream: a, tool: put_a}, hedge: {}}",
    )
    assert len(folder.errors(apart)) == 1


LACKS = "rate_limit: a rate, or tokens, must be given"


def test_a_limit_must_have_a_number(folder):
    """At the policy that lacks it, also where it is in shadow."""
    found = folder.errors(
        policies(
            "{name: p, rate_limit: {}}",
            "{name: q, match: {tool: x}, rate_limit: {queue: 3, mode: shadow}}",
        )
    )

    assert found == [
        f"p.yaml:3:27: policies[0].{LACKS}",
        f"p.yaml:4:45: policies[1].{LACKS}",
    ]


def test_a_limit_may_have_its_number_from_another_policy(folder):
    """What is in force is what counts, unless it is taken away again."""
    folder.load(
        policies(
            "{name: p, rate_limit: {tokens: 90000/m}}",
            "{name: q, match: {tool: x}, rate_limit: {queue: 3}}",
        )
    )

    assert folder.errors(
        policies(
            "{name: p, rate_limit: {rate: 10/s}}",
            "{name: q, match: {tool: x}, rate_limit: {rate: ~}}",
        )
    ) == [f"p.yaml:4:52: policies[1].{LACKS}"]


def test_a_rate_is_spelled_with_its_unit(folder):
    """What is allowed is said."""
    assert folder.errors(policies("{name: p, rate_limit: {rate: 10, tokens: fast}}")) == [
        "p.yaml:3:34: policies[0].rate_limit.rate: "
        "expected a rate such as 10/s, 600/m, 100/h or 1000/d, found 10",
        "p.yaml:3:46: policies[0].rate_limit.tokens: "
        "expected a rate such as 10/s, 600/m, 100/h or 1000/d, found 'fast'",
    ]


ROUTED = TWO.replace("{a:", "{c: {url: http://h, path: /c}, a:")


@pytest.mark.parametrize(
    ("match", "route", "errors"),
    [
        ("upstream: a", "[{upstream: c}]", []),  # auto may be anything
        ("upstream: a", "[{upstream: a}, {model: m}]", []),
        ("upstream: a", "[{model: m}, {upstream: aa}]", ["p.yaml:3:68: policies[0].route[1].upstream: no upstream has this name: aa; did you mean a?"]),
        ("upstream: a", "{choices: [{upstream: x}]}", ["p.yaml:3:66: policies[0].route.choices[0].upstream: no upstream has this name: x"]),
        ("upstream: a", "[{upstream: b}]", ["p.yaml:3:56: policies[0].route[0].upstream: b speaks http, and a, which this policy matches, tools"]),
        ("tool: x", "[{upstream: c}]", []),
        ("protocol: tools", "[{upstream: c}]", []),
    ],
)  # fmt: skip
def test_a_route_leads_to_who_understands_the_call(folder, match, route, errors):
    """An upstream that is there, and speaks what those speak that its policy matches."""
    line = f"{{name: p, match: {{{match}}}, route: {route}}}"
    text = ROUTED + f"policies:\n  - {line}\n"
    if errors:
        assert folder.errors(text) == errors
    else:
        folder.load(text)


def test_a_shadow_of_route_is_warned_about(folder):
    """It would send the call elsewhere, and a shadow never acts."""
    route = "{name: p, match: {upstream: a}, mode: MODE, route: [{model: m}]}"

    found = folder.warnings(policies(route.replace("MODE", "shadow"), "{name: q}"))
    assert found == [
        "p.yaml:3:58: policies[0].route: a shadow of route computes nothing: it never acts"
    ]
    assert folder.warnings(policies(route.replace("MODE", "'off'"), "{name: q}")) == []


def test_a_condition_is_judged_as_if_it_held(folder):
    """For its own policy."""
    found = folder.errors(
        policies(
            "{name: base, timeout: {total: 5s}}",
            "{name: p, match: {when: tokens < 5}, timeout: {attempt: 15s}}",
        )
    )

    assert len(found) == 1


def test_a_condition_of_another_policy_is_not_certain(folder):
    """It neither mends, nor contradicts, nor replaces."""
    when = "match: {when: tokens < 5}"
    found = folder.warnings(
        policies(
            "{name: base, timeout: {total: 15s}}",
            f"{{name: p, {when}, timeout: {{total: 10s}}}}",
            "{name: q, match: {tool: x}, timeout: {attempt: 12s}}",
        )
    )

    assert found == []


def test_a_policy_with_a_condition_may_be_replaced(folder):
    """By what holds wherever it holds; and it may be the one that matches an upstream."""
    found = folder.warnings(
        policies(
            "{name: p, match: {when: tokens < 5}, timeout: {total: 10s}}",
            "{name: q, timeout: {total: 12s}}",
        )
    )

    assert found == [
        "p.yaml:3:12: policies[0].name: unreachable: everything it says is replaced by q (p.yaml:4)"
    ]
    assert folder.warnings(policies("{name: p, match: {when: tokens < 5}, deny: true}")) == []


def test_a_refusal_that_takes_a_condition_is_warned_about(folder):
    """Who wrote it may have meant all calls; `true` says so, and `when` says which."""
    wide = '{name: wide, deny: {when: "tokens < 5"}}'
    found = folder.warnings(policies(wide, "{name: q, match: {tool: x}, deny: {reason: no}}"))
    assert found == [
        "p.yaml:4:39: policies[1].deny: it has the condition of wide (p.yaml:3): "
        "not all are denied; deny: true has none"
    ]
    for deny in ("true", "false", '{when: "tokens < 9"}', "{mode: off}"):
        line = f"{{name: q, match: {{tool: x}}, deny: {deny}}}"
        assert folder.warnings(policies(wide, line, "{name: all, retry: {}}")) == [], deny


def test_a_refusal_of_all_that_is_given_a_condition_is_warned_about(folder):
    """Field by field, the later one opens what the first one shut."""
    shut = "{name: shut, match: {tool: drop_x}, deny: true}"

    found = folder.warnings(policies(shut, '{name: q, deny: {when: "tokens < 5"}}'))
    assert found == [
        "p.yaml:3:12: policies[0].name: unreachable: everything it says is replaced by q (p.yaml:4)",
        "p.yaml:3:47: policies[0].deny: q (p.yaml:4) gives it a condition: not all are denied",
    ]
    for line in (
        "{name: q, deny: {reason: no}}",
        '{name: q, deny: {mode: shadow, when: "tokens < 5"}}',
        '{name: q, match: {tool: other}, deny: {when: "tokens < 5"}}',
        '{name: q, match: {when: "tokens < 9"}, deny: {when: "tokens < 5"}}',
    ):
        assert folder.warnings(policies(shut, line, "{name: all}")) == [], line
    assert (
        folder.warnings(policies("{name: a, deny: false}", '{name: q, deny: {when: "tokens < 5"}}'))
        == []
    )


@pytest.mark.parametrize(
    ("approval", "said"),
    [
        ("{hold: 15m}", "approval.hold: hold (900s) must be shorter than expires (900s)"),
        ("{expires: 50s}", "approval.expires: hold (50s) must be shorter than expires (50s)"),
        ("{hold: 2m, expires: 1m}", "approval.hold: hold (120s) must be shorter than expires (60s)"),
    ],
)  # fmt: skip
def test_nobody_is_held_for_longer_than_people_may_decide(folder, approval, said):
    """What is not given has its default."""
    (found,) = folder.errors(policies(f"{{name: p, approval: {approval}}}"))
    assert found.endswith(said)


def test_a_shadow_of_an_approval_is_not_idle(folder):
    """Whom it would hold is known without holding anybody."""
    assert folder.warnings(policies("{name: p, approval: {mode: shadow, approvers: 1}}")) == []
