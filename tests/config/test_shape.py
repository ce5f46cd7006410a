# ruff: noqa: E501 -- messages stand on one line, as people see them
from typing import Any

import msgspec
import pytest

from proxy.config.document import parse
from proxy.config.files import POLICY
from proxy.config.places import Place, Problem
from proxy.config.shape import MISSING, Shape, kind_of
from proxy.config.types import Upstream


def read(text, kind=POLICY, **environ):
    document = parse(text.encode(), "f.yaml", environ)
    shape = Shape(document.problems)
    assert document.root is not None
    return shape.read(kind_of(kind), document.root, ""), [str(found) for found in shape.problems]


def problem(text, kind=POLICY, **environ):
    found = read(
        f"name: a\n{text}" if kind is POLICY else f"url: http://h\n{text}", kind, **environ
    )[1]
    assert len(found) == 1, found
    return found[0]


def test_reads_a_policy_in_its_types():
    """Durations are seconds, what is not given has its default."""
    policy, problems = read(
        "{name: a, timeout: {total: 5s}, retry: {attempts: 4}, breaker: {slow: null}}"
    )

    assert problems == []
    assert (policy.timeout.total, policy.retry.attempts, policy.retry.safe) == (5.0, 4, "auto")
    assert policy.breaker.slow is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("retry: {atempts: 1}", "f.yaml:2:9: retry.atempts: unknown key; did you mean attempts?"),
        ("zzz: 1", "f.yaml:2:1: zzz: unknown key"),
        ("chaos: {}", "f.yaml:2:1: chaos: unknown key; this version does not have it yet"),
        ("match: {when: x}", "f.yaml:2:15: match.when: expected a condition, found at its column 1: undeclared reference to 'x'"),
        ("match: {when: true}", "f.yaml:2:15: match.when: expected a condition, found True"),
        ("match: {when: [x]}", "f.yaml:2:15: match.when: expected a condition such as double(input.amount) > 100.0, found a list"),
        ("deny: {when: tokens}", "f.yaml:2:14: deny.when: expected a condition, found one whose value is int"),
        ("route: []", "f.yaml:2:8: route: expected at least 1, found none"),
        ("route: [{model: m}, {when: 'true'}]", "f.yaml:2:21: route[1]: a choice needs a model or an upstream"),
        ("route: {choices: [{model: m, wen: x}]}", "f.yaml:2:30: route.choices[0].wen: unknown key; did you mean when?"),
        ("route: x", "f.yaml:2:8: route: expected a mapping, true or false or a list, found 'x'"),
        ("retry: {attempts: 21}", "f.yaml:2:19: retry.attempts: expected a whole number of 1 to 20, found 21"),
        ("retry: {attempts: 1.5}", "f.yaml:2:19: retry.attempts: expected a whole number of 1 to 20, found 1.5"),
        ("retry: {attempts: '3'}", "f.yaml:2:19: retry.attempts: expected a whole number of 1 to 20, found '3'"),
        ("retry: {attempts: true}", "f.yaml:2:19: retry.attempts: expected a whole number of 1 to 20, found true"),
        ("retry: {attempts: ~}", "f.yaml:2:19: retry.attempts: expected a whole number of 1 to 20, found null"),
        ("retry: {attempts: [1]}", "f.yaml:2:19: retry.attempts: expected a whole number of 1 to 20, found a list"),
        ("breaker: {rate: 0}", "f.yaml:2:17: breaker.rate: expected a number of over 0 to 1, found 0"),
        ("timeout: {total: 10}", "f.yaml:2:18: timeout.total: expected a duration such as 250ms, 10s, 5m, 1h or 30d, found 10"),
        ("timeout: {total: 0s}", "f.yaml:2:18: timeout.total: must be longer than 0"),
        ("timeout: {on_disconnect: finsh}", "f.yaml:2:26: timeout.on_disconnect: expected cancel or finish, found 'finsh'; did you mean finish?"),
        ("retry: {safe: alwys}", "f.yaml:2:15: retry.safe: expected always, auto or never_executed, found 'alwys'; did you mean always?"),
        ("effect: reed", "f.yaml:2:9: effect: expected read, idempotent or write, found 'reed'; did you mean read?"),
        ("retry: {on: [timeuot]}", "f.yaml:2:14: retry.on[0]: expected a whole number of 400 to 599 or connect, disconnect, timeout, truncated or a status, found 'timeuot'; did you mean timeout?"),
        ("retry: {on: timeout}", "f.yaml:2:13: retry.on: expected a list, found 'timeout'"),
        ("retry: {limits: [500]}", "f.yaml:2:17: retry.limits: expected a mapping, found a list"),
        ("retry: {limits: {200: 1}}", "f.yaml:2:18: retry.limits.200: expected a whole number of 400 to 599 or connect, disconnect, timeout, truncated or a status, found 200"),
        ("retry: {limits: {timeuot: 1}}", "f.yaml:2:18: retry.limits.timeuot: expected a whole number of 400 to 599 or connect, disconnect, timeout, truncated or a status, found 'timeuot'; did you mean timeout?"),
        ("retry: {limits: {500: 21}}", "f.yaml:2:23: retry.limits.500: expected a whole number of 0 to 20, found 21"),
        ("retry: {limits: {500: 1, '500': 2}}", "f.yaml:2:26: retry.limits.500: duplicate key; it stands on line 2 already"),
        ("retry: {limits: {500: 1, 0x1f4: 2}}", "f.yaml:2:26: retry.limits.0x1f4: duplicate key; it stands on line 2 already"),
        ("retry: {backoff: {base: 2s, max: 1s}}", "f.yaml:2:25: retry.backoff.base: must not be longer than max (1s), found 2s"),
        ("retry: {backoff: {max: 50ms}}", "f.yaml:2:18: retry.backoff: base: must not be longer than max (0.05s), found 0.1s"),
        ("retry: {on_403: escalte}", "f.yaml:2:17: retry.on_403: expected escalate or pass, found 'escalte'; did you mean escalate?"),
        ("breaker: {quorum: 0}", "f.yaml:2:19: breaker.quorum: expected a whole number of 1 to 1,000 or auto, found 0"),
        ("idempotency: {from: [body]}", "f.yaml:2:22: idempotency.from[0]: expected header, messageId or a path such as input.idempotency_key, found 'body'"),
        ("idempotency: {sources: [header]}", "f.yaml:2:15: idempotency.sources: unknown key"),
        ("breaker: {keys: []}", "f.yaml:2:17: breaker.keys: expected at least 1, found none"),
        ("retry:", "f.yaml:2:7: retry: expected a mapping or true or false, found nothing; an empty one is written {}"),
        ("retry: on", "f.yaml:2:8: retry: expected a mapping or true or false, found 'on'; did you mean true?"),
        ("match: {tool: 404}", "f.yaml:2:15: match.tool: expected text of 1 to 256 characters, found 404; put it in quotes"),
        ("retry: no", "f.yaml:2:8: retry: expected a mapping or true or false, found 'no'; did you mean false?"),
        ("match: {tool: ~}", "f.yaml:2:15: match.tool: expected text of 1 to 256 characters or a list, found null"),
        ("match: {tool: {}}", "f.yaml:2:15: match.tool: expected text of 1 to 256 characters or a list, found a mapping"),
        ("match: {tool: ['']}", "f.yaml:2:16: match.tool[0]: expected text of 1 to 256 characters, found ''"),
        ("mode: " + "x" * 70, f"f.yaml:2:7: mode: expected enforce, shadow or off, found '{'x' * 57}…'"),
    ],
)  # fmt: skip
def test_each_error_says_where_what_was_found_and_what_is_allowed(text, message):
    """With the nearest known name where there is one."""
    assert problem(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("preserve_host: yes", "f.yaml:2:16: preserve_host: expected true or false, found 'yes'; did you mean true?"),
        ("pool: {idle: ~}", "f.yaml:2:14: pool.idle: expected a duration such as 250ms, 10s, 5m, 1h or 30d, found null"),
        ("path: /a//b", "f.yaml:2:7: path: expected a path such as / or /billing without //, dot segments, % or query, found '/a//b'"),
        ("tls: {ca: /nowhere}", "f.yaml:2:11: tls.ca: cannot be read: No such file or directory"),
        ("pool: {max:5}", "f.yaml:2:8: pool.max:5: unknown key; a space must follow the colon of a key"),
        ("auth: []", "f.yaml:2:7: auth: expected at least 1, found none"),
        ("auth: [{header: x}]", "f.yaml:2:8: auth[0]: expected either bearer, or header and value"),
        ("auth: {header: x}", "f.yaml:2:7: auth: expected either bearer, or header and value"),
    ],
)  # fmt: skip
def test_errors_of_an_upstream(text, message):
    """The same ones, and those that types find by themselves."""
    assert problem(text, Upstream) == message


@pytest.mark.parametrize(
    "text",
    [
        "auth: hunter2",
        "auth: [hunter2]",
        "auth: [{bearer: a}, hunter2]",
        "auth: [{bearer: a}, {bearer: [hunter2]}]",
        "auth: {bearer: [hunter2]}",
        "auth: {bearer: 'hunter2\n\n'}",
        "auth: {bearer: '${S}é'}",
        "auth: '${S}'",
        "protocol: '${S}'",
        "pool: {idle: '${S}'}",
        "pool: {max: '${S}'}",
        "path: '${S}'",
        "preserve_host: '${S}'",
        "forward: ['${S}']",
    ],
)
def test_no_secret_is_shown(text):
    """Neither what stands under `auth` nor what came from elsewhere."""
    found = problem(text, Upstream, S="hunter2")

    assert "hunter2" not in found


def test_what_came_from_elsewhere_is_shown_as_it_is_written():
    """So that the one who reads the error knows which variable it is."""
    found = problem("pool: {idle: '${IDLE}'}", Upstream, IDLE="10")

    assert found == (
        "f.yaml:2:14: pool.idle: expected a duration such as 250ms, 10s, 5m, 1h or 30d, "
        "found what '${IDLE}' stands for"
    )


@pytest.mark.parametrize(("key", "shown"), [("", b""), ("123", b"123"), ("null", b"null")])
def test_a_secret_from_the_environment_is_text(key, shown):
    """Also one of digits alone, and an empty one."""
    upstream, problems = read('{url: http://h, auth: {bearer: "${KEY:-}"}}', Upstream, KEY=key)

    assert problems == []
    assert upstream.auth.bearer.encode() == shown


def test_a_number_from_the_environment_may_be_a_name():
    """Where text is expected it is text."""
    policy, problems = read('{name: a, match: {tool: "${T}"}}', T="404")

    assert (policy.match.tool, problems) == ("404", [])


def test_a_text_from_the_environment_is_held_to_the_rules():
    """As any other."""
    assert "expected text" in read('{name: a, match: {tool: ["${T}"]}}', T="")[1][0]


def test_all_errors_are_found_at_once():
    """In whatever depth."""
    text = "retry: {attempts: 0, backoff: {base: 1, factor: x}}\nmode: x\nfoo: 1\ntimeout: 3"

    assert len(read(text)[1]) == 7


def test_what_is_missing_is_said():
    """At the mapping that lacks it."""
    assert read("mode: off")[1] == ["f.yaml:1:1: the key name is missing"]


def test_what_could_not_be_read_is_missing():
    """Its errors say why."""
    assert read("[]")[0] is MISSING
    assert read("{name: 7}")[0] is MISSING


def test_one_error_a_place():
    """What could not be replaced is not also of the wrong type."""
    assert read("{name: a, timeout: {total: '${NO}'}}")[1] == [
        "f.yaml:1:28: timeout.total: the environment has no NO; set it, or give a default: ${NO:-…}"
    ]


def test_places_without_lines_may_have_several():
    """Flags and the environment."""
    shape = Shape()
    for message in ("a", "b"):
        shape.add(Problem(Place("--listen"), "", message))

    assert len(shape.problems) == 2


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        ("{bearer:sk-secret}", "auth: unknown key; a space must follow the colon of a key"),
        ("{sk-secret}", "auth: unknown key"),
        ("{bearer: *sk-secret}", "an alias without its anchor before it"),
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(folder, auth, said):
    """One character is easily forgotten, and errors are read by many."""
    told = "\n".join(folder.errors(f"upstreams: {{a: {{url: http://h, auth: {auth}}}}}"))

    assert said in told
    assert "sk-secret" not in told


def test_limits_are_read_by_what_they_limit():
    """Numbers and words; a number in quotes is one all the same."""
    policy, problems = read("{name: a, retry: {limits: {500: 2, '504': 1, timeout: 0}}}")

    assert (policy.retry.limits, problems) == ({500: 2, 504: 1, "timeout": 0}, [])


def test_all_that_is_wrong_with_a_mapping_is_said():
    """Of each key once."""
    _, problems = read("{name: a, retry: {limits: {x: 1, y: 99, 500: x}}}")

    assert len(problems) == 4


def test_anything_may_stand_where_anything_may():
    """A tool's input is as it is written."""
    written = msgspec.defstruct("Holder", [("held", Any)])
    shape = Shape()
    root = parse(b"held: {a: [1, x, null]}", "f.yaml", {}).root
    assert root is not None
    found = shape.read(kind_of(written), root, "")

    assert found.held == {"a": [1, "x", None]}
