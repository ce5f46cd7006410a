import os

# ruff: noqa: E501 -- messages stand on one line, as people see them
import pytest

from proxy.call import Effect
from proxy.config.load import load_policies
from proxy.config.places import ConfigError
from proxy.config.types import Mode
from proxy.stages.route import Choice

UPSTREAMS = """
upstreams:
  gateway: {url: "http://h:1/base", protocol: tools}
  web: {url: "https://w", protocol: http, path: /web}
"""


def test_reads_upstreams_and_policies(folder):
    """Each part as it is written, with its places."""
    loaded = folder.load(
        UPSTREAMS
        + """
policies:
  - name: reads
    match: {upstream: gateway, tool: ["get_*", "!get_x"]}
    effect: read
    mode: shadow
    timeout: {total: 5s}
    retry: {mode: enforce, attempts: 2}
    breaker: false
"""
    )
    (policy,) = loaded.policies

    assert list(loaded.upstreams) == ["gateway", "web"]
    assert (policy.name, policy.path, policy.mode) == ("reads", "policies[0]", Mode.SHADOW)
    assert policy.effect is Effect.READ
    assert policy.match.holds({"upstream": "gateway", "tool": "get_y"})
    assert not policy.match.holds({"upstream": "gateway", "tool": "get_x"})
    assert policy.sections["timeout"].fields == {"total": 5.0}
    assert policy.sections["timeout"].mode is Mode.SHADOW
    assert policy.sections["retry"].fields == {"attempts": 2}
    assert policy.sections["retry"].mode is Mode.ENFORCE
    assert not policy.sections["breaker"].on
    assert policy.sections["timeout"].places["total"].line == 11
    assert policy.places["match.tool"].line == 8


def test_a_policy_may_be_for_streams_or_for_the_rest(folder):
    """A yes or no, not a text; a budget too."""
    loaded = folder.load(
        UPSTREAMS
        + """
policies:
  - {name: streams, match: {stream: true}, timeout: {stream_idle: 5s}}
  - {name: rest, match: {stream: false}, timeout: {total: 5s}}
budgets: [{name: b, per: agent, match: {stream: true}, day: 5}]
"""
    )
    streams, rest = (policy.match for policy in loaded.policies)

    assert streams.holds({"stream": "true"})
    assert not streams.holds({"stream": "false"})
    assert rest.holds({"stream": "false"})
    assert not streams.covers(rest)
    assert loaded.budgets[0].match == streams
    with pytest.raises(ConfigError, match=r"match\.stream: expected true or false"):
        folder.load("policies: [{name: a, match: {stream: sometimes}, breaker: {}}]")


def test_conditions_are_read_with_their_places(folder):
    """Of a match, and of a section's."""
    loaded = folder.load(
        UPSTREAMS
        + """
policies:
  - name: big
    match:
      tool: pay
      when: double(input.amount) > 100.0
    deny: {when: "tokens < 3", reason: too big}
"""
    )
    (policy,) = loaded.policies

    assert policy.match.when == "double(input.amount) > 100.0"
    assert policy.match.when.uses == {"input"}
    assert policy.places["match.when"].line == 10
    assert policy.sections["deny"].fields["when"].uses == {"tokens"}


@pytest.mark.parametrize(
    ("written", "micros"),
    [("0.05", 50_000), ("1", 10**6), ("0", 0), ("'0.10'", 100_000), ('"${PRICE}"', 2)],
)
def test_a_price_may_be_a_number(folder, written, micros):
    """Exactly as it is written. It takes the place of all that policies before said of it."""
    text = f"policies: [{{name: a, cost: {written}}}]"
    (policy,) = folder.load(text, PRICE="0.000002").policies

    part = policy.sections["cost"]
    assert part.fields == {"fixed": micros, "per_kb": None, "from_reply": "", "when": None}
    assert part.places == dict.fromkeys(part.fields, part.place)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("0.0000001", "cost: expected US dollars with at most 6 decimal places, found '0.0000001'"),
        ("-1", "cost: expected US dollars that are not negative, found '-1'"),
        (".inf", "cost: expected US dollars such as 0.05, found '.inf'"),
        ("", "cost: expected a mapping or US dollars such as 0.05 or true or false, found nothing; an empty one is written {}"),
        ("[1]", "cost: expected a mapping or US dollars such as 0.05 or true or false, found a list"),
        ("true", "cost: it has no price: give fixed, per_kb, from_reply, unknown_price or reserve_cap"),
        ("{fixed: yes}", "cost.fixed: expected US dollars such as 0.05, found 'yes'"),
        ("{fixd: 1}", "cost.fixd: unknown key; did you mean fixed?"),
        ("{from_reply: /~}", "cost.from_reply: expected a member's name, or a JSON pointer such as /usage/cost, found '/~'"),
        ("{unknown_price: dany}", "cost.unknown_price: expected allow or deny, found 'dany'; did you mean deny?"),
        ("{unknown_price: {assume: x}}", "cost.unknown_price.assume: expected US dollars such as 0.05, found 'x'"),
    ],
)  # fmt: skip
def test_errors_of_a_price(folder, written, message):
    """Each with what was found and what is allowed."""
    errors = folder.errors(f"policies: [{{name: a, cost: {written}}}]")

    assert message in [error.partition("policies[0].")[2] for error in errors]


def test_a_condition_may_hold_a_variable(folder):
    """It is replaced before it is read, and what it stands for is not told."""
    text = "policies: [{name: a, match: {when: '${WHEN}'}}]"

    (policy,) = folder.load(text, WHEN="tokens < 5").policies
    assert policy.match.when == "tokens < 5"
    (error,) = folder.errors(text, WHEN="sk_secret")
    assert error.endswith("match.when: expected a condition, found what '${WHEN}' stands for")


def test_a_section_that_is_a_list(folder):
    """It is the field that its type names; what is in it has places too."""
    loaded = folder.load(
        UPSTREAMS
        + """
policies:
  - name: list
    mode: shadow
    match: {upstream: gateway}
    route:
      - {when: tokens < 100, model: small}
      - model: mid
        upstream: gateway
  - name: mapping
    match: {upstream: gateway}
    route: {mode: enforce, choices: [{model: mid}]}
"""
    )
    (listed, mapping) = (policy.sections["route"] for policy in loaded.policies)

    small, mid = listed.fields["choices"]
    assert (small.when, small.model, mid.model, mid.upstream) == (
        "tokens < 100",
        "small",
        "mid",
        "gateway",
    )
    assert (listed.mode, mapping.mode) == (Mode.SHADOW, Mode.ENFORCE)
    assert mapping.fields == {"choices": (Choice(model="mid"),)}
    lines = {path: place.line for path, place in listed.places.items()}
    assert lines == {
        "choices": 11,
        "choices[0].when": 11,
        "choices[0].model": 11,
        "choices[1].model": 12,
        "choices[1].upstream": 13,
    }
    assert mapping.places["choices[0].model"].line == 16


def test_true_is_the_same_as_an_empty_section(folder):
    """It is on."""
    loaded = folder.load("policies: [{name: a, retry: true, breaker: {}}]")

    assert all(part.on and not part.fields for part in loaded.policies[0].sections.values())


def test_files_are_read_in_the_order_of_their_names(folder):
    """As one list; other files are not read."""
    folder.write("policies: [{name: second}]", "20.yaml")
    folder.write("policies: [{name: first}]", "10.yaml")
    folder.write("not: read", ".hidden.yaml")
    folder.write("not: read", "notes.txt")
    (folder.path / "folder.yaml").mkdir()

    assert [policy.name for policy in load_policies(folder.path).policies] == ["first", "second"]


def test_files_may_be_read_beside_the_folder(folder, tmp_path):
    """After it, and what is wrong with them is told the same way."""
    more = tmp_path / "more.yml"  # the folder is the same: by this name it is not of it
    more.write_text('upstreams: {more: {url: "http://m", path: /more}}')
    folder.load(UPSTREAMS)

    assert list(load_policies(folder.path, also=(more,)).upstreams) == ["gateway", "web", "more"]
    more.write_text("upstreams: {web: {url: 'http://m', path: /more}}")
    with pytest.raises(ConfigError, match=r"more\.yml:1"):
        load_policies(folder.path, also=(more,))


def test_a_file_of_the_wrong_name_is_warned_about(folder):
    """It would be missed in silence."""
    folder.write("policies: [{name: a}]", "20.yml")

    assert [str(problem) for problem in load_policies(folder.path).warnings] == [
        f"{folder.path}/20.yml: not read: names of policy files end in .yaml"
    ]


def test_errors_of_all_files_are_shown_at_once(folder):
    """In the order of files and lines."""
    folder.write("policies: [{name: a, retri: {}}, {name: b, moed: x}]", "10.yaml")
    folder.write("a: [", "20.yaml")
    with pytest.raises(ConfigError) as caught:
        load_policies(folder.path)

    assert [problem.place.file.rpartition("/")[2] for problem in caught.value.problems] == [
        *("10.yaml", "10.yaml", "20.yaml")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "p.yaml:1:1: expected upstreams and policies, found no keys"),
        ("policy: []", "p.yaml:1:1: policy: unknown key; did you mean policies?"),
        ("upstreams: []", "p.yaml:1:12: upstreams: expected upstreams by name"),
        ("policies: {}", "p.yaml:1:11: policies: expected a list of policies"),
        ("policies: [x]", "p.yaml:1:12: policies[0]: expected a mapping, found 'x'"),
        ("policies: [{mode: off}]", "p.yaml:1:12: policies[0]: the key name is missing"),
        ("policies: [{name: a}, {name: a}]", "p.yaml:1:30: policies[1].name: a policy of this name stands at p.yaml:1 already"),
        ("policies: [&a {name: a}, *a]", "p.yaml:1:22: policies[1].name: a policy of this name stands at p.yaml:1 already"),
        ("bulkheads: {}", "p.yaml:1:12: bulkheads: expected a list of bulkheads"),
        ("bulkheads: [{name: a}]", "p.yaml:1:13: bulkheads[0]: the key agents is missing"),
        ("bulkheads: [{name: a, agents: []}]", "p.yaml:1:31: bulkheads[0].agents: expected at least 1, found none"),
        ("bulkheads: [{name: a, agents: ['']}]", "p.yaml:1:32: bulkheads[0].agents[0]: expected text of 1 to 256 characters, found ''"),
        ("bulkheads: [{name: a, agents: [x]}, {name: a, agents: [y]}]", "p.yaml:1:44: bulkheads[1].name: a bulkhead of this name stands at p.yaml:1 already"),
        ("upstreams: {a b: {url: http://h}}", "p.yaml:1:13: upstreams.a b: expected a name of at most 64 letters, digits, '.', '_', '-' and '/', found 'a b'"),
        ("upstreams: {a: {path: /}}", "p.yaml:1:16: upstreams.a: the key url is missing"),
        ("upstreams: {a: {url: http://h, path: /x}}", "p.yaml:1:13: upstreams.a.path: no upstream is mounted at /; say path: / where agents come in"),
        ("upstreams: {a: {url: http://h}, b: {url: http://h}}", "p.yaml:1:33: upstreams.b.path: / is the mount of a already (p.yaml:1)"),
    ],
)  # fmt: skip
def test_errors_of_a_set(folder, text, message):
    """Those that no single value shows."""
    assert folder.errors(text) == [message]


def test_reads_bulkheads(folder):
    """From all files, as one list; what is not given has a default."""
    folder.write(
        "bulkheads: [{name: core, agents: ['a-*', '!a-1'], limit: 8, max_wait: 2s}]", "1.yaml"
    )
    folder.write("bulkheads: [{name: rest, agents: ['*']}]", "2.yaml")
    core, rest = load_policies(folder.path).bulkheads

    assert (core.name, core.limit, core.queue, core.max_wait) == ("core", 8, 32, 2.0)
    assert (rest.limit, rest.queue, rest.max_wait) == (64, 32, 1.0)
    assert [core.agents.hold(name) for name in ("a-2", "a-1", "b")] == [True, False, False]
    assert (rest.place.short, rest.path) == (f"{folder.path}/2.yaml:1", "bulkheads[0]")


def test_an_upstream_stands_in_one_file(folder):
    """The second one is the error, and says where the first is."""
    folder.write("upstreams: {a: {url: http://h}}", "10.yaml")
    folder.write("upstreams: {a: {url: http://h}}", "20.yaml")
    with pytest.raises(ConfigError) as caught:
        load_policies(folder.path)

    (problem,) = caught.value.problems
    assert (problem.place.file, problem.message) == (
        f"{folder.path}/20.yaml",
        f"an upstream of this name stands at {folder.path}/10.yaml:1 already",
    )


def test_an_upstream_that_is_wrong_is_still_named(folder):
    """Policies that match it are not wrong too."""
    found = folder.errors("upstreams: {a: {url: x}}\npolicies: [{name: p, match: {upstream: a}}]")

    assert found == [
        "p.yaml:1:22: upstreams.a.url: expected a URL that begins with http:// or https://"
    ]


def test_one_file_that_cannot_be_read_hides_no_error_of_another(folder):
    """All are said, and nothing that would be said of another set; it counts as unreadable."""
    (folder.path / "10.yaml").symlink_to("nowhere")
    folder.write("policies: [{name: p, match: {upstream: a}, effct: read}]", "20.yaml")
    with pytest.raises(ConfigError) as caught:
        load_policies(folder.path)

    assert not caught.value.readable
    assert [problem.message for problem in caught.value.problems] == [
        "cannot be read: No such file or directory",
        "unknown key; did you mean effect?",
    ]


def test_one_file_that_is_no_yaml_makes_no_errors_of_others(folder):
    """Nobody knows what it would have defined."""
    folder.write("upstreams: {a: {url: http://h}", "10.yaml")
    folder.write("policies: [{name: p, match: {upstream: a}}]", "20.yaml")
    with pytest.raises(ConfigError) as caught:
        load_policies(folder.path)

    (problem,) = caught.value.problems
    assert problem.message.startswith("not YAML")


def test_a_pipe_is_no_policy_file(folder):
    """It is an error: waiting for somebody to write into it would stop all."""
    os.mkfifo(folder.path / "p.yaml")
    with pytest.raises(ConfigError, match="cannot be read: not a regular file"):
        load_policies(folder.path)


def test_no_folder_and_an_empty_one_are_no_policies(folder):
    """Calls pass."""
    assert load_policies(folder.path).policies == load_policies().policies == ()


def test_a_folder_that_is_not_there_cannot_be_read(tmp_path):
    """Not the same as none: it was meant to be there."""
    with pytest.raises(ConfigError) as caught:
        load_policies(tmp_path / "no")

    assert not caught.value.readable


def test_the_upstream_of_the_command_line_takes_the_root(folder):
    """What a file mounts there is replaced, and may still be named."""
    folder.write(UPSTREAMS + "policies: [{name: a, match: {upstream: [gateway, default]}}]")

    loaded = load_policies(folder.path, ("http://other", "tools"))

    assert {name: str(one.url) for name, one in loaded.upstreams.items()} == {
        "web": "https://w",
        "default": "http://other",
    }


def test_the_upstream_of_the_command_line_needs_no_file():
    """`holdfast run --upstream URL` is enough."""
    assert list(load_policies(upstream=("http://h", "auto")).upstreams) == ["default"]


def test_an_upstream_of_the_command_line_may_be_wrong():
    """The error names the flag."""
    with pytest.raises(ConfigError) as caught:
        load_policies(upstream=("h:80", "htp"))

    assert [str(problem) for problem in caught.value.problems] == [
        "--protocol: protocol: expected a2a, anthropic, auto, http, mcp, openai or tools, found 'htp'; did you mean http?",
        "--upstream: url: expected a URL that begins with http:// or https://",
    ]


def test_the_version_is_that_of_what_is_in_force(folder):
    """Comments and layout change nothing; values, secrets and the order of files do."""
    text = (
        "upstreams: {a: {url: http://h, auth: {bearer: '${K}'}}}\npolicies: [{name: p, retry: {}}]"
    )
    first = folder.load(text, K="1").version

    assert len(first) == 12
    assert folder.load(f"# more\n{text}", K="1").version == first
    assert folder.load(text, K="2").version != first
    assert folder.load(text.replace("retry", "breaker"), K="1").version != first
    assert load_policies(folder.path, ("http://x", "http"), {"K": "1"}).version != first


def test_files_that_are_named_are_told(folder, tmp_path):
    """Whoever watches for changes watches them too."""
    (tmp_path / "key").write_text("k")

    loaded = folder.load(
        f"upstreams: {{a: {{url: http://h, auth: {{bearer: '${{file:{tmp_path}/key}}'}}}}}}"
    )

    assert loaded.files == (tmp_path / "key",)
    assert loaded.upstreams["a"].auth.field == (b"authorization", b"Bearer k")


def test_paths_may_be_written_as_people_read_them(folder):
    """They match what a client makes of them."""
    loaded = folder.load("policies: [{name: p, match: {path: ['/bücher/*', '!/b%c3%bccher/neu']}}]")

    (policy,) = loaded.policies
    assert policy.match.holds({"path": "/b%C3%BCcher/alt"})
    assert not policy.match.holds({"path": "/b%C3%BCcher/neu"})


def test_a_key_that_is_a_word_of_python_is_kept(folder):
    """`from` has another name in the code, and its own in files."""
    (policy,) = folder.load(
        "policies:\n- {name: p, idempotency: {from: [header], inject: false, mode: shadow}}"
    ).policies
    part = policy.sections["idempotency"]

    assert part.fields == {"sources": ("header",), "inject": False}
    assert part.places["sources"].column == 33
    assert part.mode is Mode.SHADOW


def test_texts_from_elsewhere_are_known_as_such(folder):
    """Each with how it is written, however deep it stands; durations and numbers are no secrets."""
    loaded = folder.load(
        UPSTREAMS
        + """
policies:
  - name: p
    timeout: {total: "${TOTAL}"}
    retry: {on: ["${WORD}", 503], attempts: "${COUNT}"}
    fallback: [{static: {body: {key: "${KEY}"}}}]
""",
        TOTAL="9s",
        WORD="connect",
        COUNT="2",
        KEY="hunter2",
    )
    sections = loaded.policies[0].sections

    assert sections["retry"].hidden == {"connect": "${WORD}"}
    assert sections["timeout"].hidden == {}
    assert sections["fallback"].hidden == {"hunter2": "${KEY}"}


def test_a_section_may_have_ways_beside_its_mode(folder):
    """Both are said by one word; a way goes to the section, a mode to what is in force."""
    loaded = folder.load(
        UPSTREAMS
        + """
policies:
  - {name: a, approval: {mode: async}}
  - {name: b, mode: shadow, approval: {mode: hold}}
  - {name: c, approval: {mode: shadow, approvers: 1}}
  - {name: d, approval: {approvers: 1}}
"""
    )
    parts = [policy.sections["approval"] for policy in loaded.policies]

    assert [(part.mode, part.fields) for part in parts] == [
        (Mode.ENFORCE, {"way": "async"}),
        (Mode.SHADOW, {"way": "hold"}),
        (Mode.SHADOW, {"approvers": 1}),
        (Mode.ENFORCE, {"approvers": 1}),
    ]


def test_a_way_that_there_is_not_is_told_with_those_that_there_are(folder):
    """And with the modes."""
    (found,) = folder.errors("policies: [{name: a, approval: {mode: hodl}}]")

    assert "expected async, enforce, hold, off or shadow, found 'hodl'" in found
