import json

import pytest

POLICIES = """\
upstreams:
  gateway: {url: http://h, protocol: tools, auth: {bearer: "${KEY:-hunter2}"}}
  web: {url: http://h, protocol: http, path: /web}
policies:
  - name: default
    timeout: {total: 45s, connect: 3s}
    retry: {attempts: 2}
  - name: reads
    match: {tool: "get_*"}
    effect: read
    timeout: {attempt: 15s}
    breaker: {}
  - name: soon
    match: {agent: a7}
    mode: shadow
    timeout: {total: 5s}
"""


@pytest.fixture
def explain(holdfast, policies):
    policies(POLICIES)

    def call(*arguments):
        ran = holdfast("explain", *arguments)
        assert (ran.code, ran.err) == (0, "")
        return ran.out

    return call


def test_every_value_with_its_place(explain):
    """File and line, and the policy; what nobody gave is built in."""
    lines = [
        line.split() for line in explain("--upstream", "gateway", "--tool", "get_x").splitlines()
    ]

    assert ["effect", "read", "(policies/p.yaml:10)"] in lines
    assert ["total", "45s", "policies/p.yaml:6", "(default)"] in lines
    assert ["attempt", "15s", "policies/p.yaml:11", "(reads)"] in lines
    assert ["attempts", "2", "policies/p.yaml:7", "(default)"] in lines
    assert ["min_attempt", "100ms", "built", "in"] in lines
    assert ["consecutive", "5", "built", "in"] in lines


def test_sections_that_are_off_are_said_to_be(explain):
    """And the stages stand in their order."""
    told = explain("--upstream", "gateway", "--tool", "create_escrow")

    assert "breaker: off" in told
    assert "effect    write  (built in)" in told
    assert told.splitlines()[-1].startswith("order     call: Deadline → attempts: Repeat → ")


def test_what_is_in_shadow_stands_apart(explain):
    """It shows what would be, under its own head."""
    told = explain("--upstream", "gateway", "--tool", "get_x", "--agent", "a7")

    enforced, shadow = told.split("timeout (shadow: computed, never acted upon):")
    assert "45s" in enforced
    assert "5s     policies/p.yaml:16 (soon)" in shadow


def test_a_shadow_of_retry_is_told_apart(holdfast, policies):
    """It repeats no call, so there is no verdict of it."""
    policies("upstreams: {only: {url: http://h}}\npolicies: [{name: a, mode: shadow, retry: {}}]")

    told = holdfast("explain", "--tool", "x").out

    assert "retry (shadow: nothing is computed of it but its cool-down):" in told
    assert "a shadow of retry computes nothing" in told  # the load's warning


@pytest.mark.parametrize(
    ("arguments", "tool", "effect"),
    [
        (["--method", "GET", "--path", "/orders/7?x=1"], "GET /orders/{id}", "read"),
        (["--method", "PUT", "--path", "/a"], "PUT /a", "idempotent"),
        (["--tool", "POST /x", "--path", "/x"], "POST /x", "write"),
        (["--method", "GET", "--path", "/bücher/7"], "GET /b%C3%BCcher/{id}", "read"),
    ],
)
def test_plain_http(explain, arguments, tool, effect):
    """Its tool is its method and path, its effect hangs on the method."""
    told = json.loads(explain("--upstream", "web", "--json", *arguments))

    assert (told["call"]["tool"], told["call"]["layer"]) == (tool, "http")
    assert told["effect"] == {"value": effect, "from": "built in"}


def test_json(explain):
    """The same, for programs."""
    told = json.loads(explain("--upstream", "gateway", "--tool", "get_x", "--json"))

    assert told["policies"] == ["default", "reads"]
    assert told["call"]["protocol"] == "tools"
    assert told["sections"]["timeout"]["attempt"] == {
        "value": "15s",
        "from": "policies/p.yaml:11",
        "policy": "reads",
    }
    assert told["sections"]["retry"]["safe"] == {
        "value": "auto",
        "from": "built in",
        "policy": None,
    }
    assert told["shadow"] == {}
    assert told["gates"][0] == "call: Deadline"


def test_no_secret_is_shown(explain):
    """What stands under `auth` is nobody's business."""
    assert "hunter2" not in explain("--upstream", "gateway") + explain(
        "--upstream", "web", "--json"
    )


def test_the_upstream_may_be_left_out_where_there_is_one(holdfast, policies):
    """Else it must be one of those that are there."""
    policies("upstreams: {only: {url: http://h}}\npolicies: [{name: a, breaker: {}}]")

    assert "upstream=only" in holdfast("explain", "--tool", "x").out
    assert "warning" not in holdfast("explain", "--tool", "x").out

    ran = holdfast("explain", "--upstream", "onyl")
    assert ran.code == 64
    assert "--upstream must be one of the policies' upstreams: only" in ran.err


def test_there_may_be_no_upstream_at_all(holdfast, here):
    """Then nothing can be explained."""
    ran = holdfast("explain", "--tool", "x")

    assert ran.code == 64
    assert "there is no upstream; name a folder of policies with --policies" in ran.err


def test_warnings_are_shown(holdfast, policies):
    """They are often the answer."""
    policies("upstreams: {only: {url: http://h}}")
    told = holdfast("explain").out

    assert "policies  none" in told
    assert "warning   policies/p.yaml:1:13: upstreams.only: no policy matches this upstream" in told


def test_errors_of_the_files_come_first(holdfast, policies):
    """Nothing is explained that would not load."""
    policies("policies: [{nam: a}]")
    ran = holdfast("explain", "--tool", "x")

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1] == "holdfast: 2 errors; nothing was loaded"


def test_names_cannot_speak_to_the_terminal(explain):
    """They are what somebody sent: neither colours nor lines of their own."""
    told = explain("--upstream", "gateway", "--tool", "a\x1b[31m\neffect    read")

    assert "tool=a\\x1b[31m\\neffect    read" in told
    assert told.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--path", "orders"], "--path must begin with /"),
        (["--method", "get"], "--method must be written in capitals, such as GET"),
    ],
)
def test_what_no_request_can_be_is_not_explained(holdfast, policies, arguments, said):
    """The answer would be true of nothing."""
    policies(POLICIES)
    ran = holdfast("explain", "--upstream", "web", *arguments)

    assert (ran.code, ran.out) == (64, "")
    assert said in ran.err


def test_fields_have_the_names_that_files_have(holdfast, policies):
    """Also where the code has another one."""
    policies(
        "upstreams: {only: {url: http://h}}\n"
        "policies: [{name: a, idempotency: {from: [header]}, retry: {limits: {504: 1}}}]"
    )

    told = [line.split() for line in holdfast("explain", "--tool", "x").out.splitlines()]

    assert ["from", "[header]", "policies/p.yaml:2", "(a)"] in told
    assert ["limits", "{504:", "1}", "policies/p.yaml:2", "(a)"] in told
