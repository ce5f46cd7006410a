import json

import pytest

from tests.cli.admin import serving

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
    told = explain("--upstream", "gateway", "--tool", "get_x")
    lines = [" ".join(line.split()) for line in told.splitlines()]

    assert "effect read policies/p.yaml:10 (reads)" in lines
    assert "total 45s policies/p.yaml:6 (default)" in lines
    assert "attempt 15s policies/p.yaml:11 (reads)" in lines
    assert "attempts 2 policies/p.yaml:7 (default)" in lines
    assert "min_attempt 100ms built in" in lines
    assert "consecutive 5 built in" in lines


def test_what_each_stage_says(explain):
    """In their order, up to the sending."""
    told = explain("--upstream", "gateway", "--tool", "get_x")
    stages = [line.split()[1] for line in told.splitlines() if line.startswith("·")]

    assert stages == [
        *("Switch", "Deadline", "Repeat", "AttemptSwitch", "CircuitCheck", "CoolDown"),
        *("AttemptTime", "ProbeLease"),
    ]
    assert "\n→ send\n" in told
    assert "The call would go." in told


def test_json(explain):
    """The same, for programs."""
    told = json.loads(explain("--upstream", "gateway", "--tool", "get_x", "--json"))

    assert [policy["name"] for policy in told["policies"]] == ["default", "reads"]
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
    assert told["verdict"] == {"allow": True}
    assert told["stages"][0]["stage"] == "Switch"


def test_no_secret_is_shown(explain):
    """What stands under `auth` is nobody's business."""
    assert "hunter2" not in explain("--upstream", "gateway") + explain(
        "--upstream", "web", "--json"
    )


def test_a_call_may_be_given_whole(explain, here):
    """As JSON, or in a file; flags beat what it says."""
    call = {"upstream": "gateway", "tool": "pay", "agent": "a7", "headers": {"x-task-id": "t"}}
    (here / "call.json").write_text(json.dumps(call))
    for whole in ("@call.json", json.dumps(call)):
        told = json.loads(explain("--call", whole, "--tool", "get_y", "--json"))
        assert (told["call"]["tool"], told["call"]["agent"]) == ("get_y", "a7")
        assert told["shadow"]["timeout"]["total"]["value"] == "5s"


def test_input_is_the_tools(explain, here):
    """It is read as that of a real call."""
    (here / "input.json").write_text('{"workflow_id": "w1"}')
    given = ("--upstream", "gateway", "--tool", "pay", "--json", "--input")

    assert json.loads(explain(*given, "@input.json"))["call"]["workflow"] == "w1"
    assert json.loads(explain(*given, '{"workflow_id": "w2"}'))["call"]["workflow"] == "w2"


@pytest.mark.parametrize(
    ("arguments", "tool", "effect"),
    [
        (["--method", "GET", "--path", "/orders/7?x=1"], "GET /orders/{id}", "read"),
        (["--method", "PUT", "--path", "/a"], "PUT /a", "idempotent"),
        (["--tool", "POST /x"], "POST /x", "write"),
    ],
)
def test_plain_http(explain, arguments, tool, effect):
    """Its tool is its method and path, its effect hangs on the method."""
    told = json.loads(explain("--upstream", "web", "--json", *arguments))

    assert (told["call"]["tool"], told["call"]["layer"]) == (tool, "http")
    assert told["effect"] == {"value": effect, "from": "built in", "policy": None}


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


def test_errors_of_the_files_come_first(holdfast, policies):
    """Nothing is explained that would not load."""
    policies("policies: [{nam: a}]")
    ran = holdfast("explain", "--tool", "x")

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1] == "holdfast: 2 errors; nothing was loaded"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--path", "orders"], "--path must begin with /"),
        (["--method", "get"], "--method must be written in capitals, such as GET"),
        (["--tool", "x"], "--tool a tool of plain HTTP is a method and a path"),
        (["--input", "{"], "--input is not JSON"),
        (["--input", "@nothing"], "--input: nothing cannot be read: No such file"),
        (["--call", '{"tol": 1}'], "--call is not such a call"),
        (["--call", "["], "--call is not such a call"),
        (["--call", '{"input": ' + "[" * 20_000], "--call is nested too deep"),
        (["--input", "[" * 20_000], "--input is nested too deep"),
        (["--admin", "127.0.0.1:1", "--policies", "p"], "exclude each other"),
    ],
)
def test_what_cannot_be_asked(holdfast, policies, arguments, said):
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

    assert ["from", "header", "policies/p.yaml:2", "(a)"] in told
    assert ["limits.504", "1", "policies/p.yaml:2", "(a)"] in told


def test_a_running_proxy_is_asked(holdfast, explain):
    """With the same question, and shown the same way."""
    report = json.loads(explain("--upstream", "gateway", "--tool", "get_x", "--json"))
    with serving() as pages:
        pages.put("/v1/policies/explain", report)
        ran = holdfast("explain", "--tool", "get_x", "--input", "[1]", "--admin", pages.url)

    assert pages.asked == [("/v1/policies/explain", {"tool": "get_x", "input": "[1]"})]
    assert ran.out == explain("--upstream", "gateway", "--tool", "get_x")


def test_nobody_runs(holdfast, here):
    """Exit 1, and what to do."""
    ran = holdfast("explain", "--admin", f"unix:{here}/nothing")

    assert ran.code == 1
    assert "no proxy answers at unix:" in ran.err
