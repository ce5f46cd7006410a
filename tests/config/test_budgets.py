"""Budgets and price lists: read, and judged beside each other."""

# ruff: noqa: E501 -- messages stand on one line, as people see them
import pytest

from proxy.config.load import load_policies
from proxy.config.money import Allocation, ModelPrice
from proxy.config.places import ConfigError
from proxy.stages.cost import Assume, Price
from proxy.state.caps import Cap, Limit
from proxy.state.rates import SCALE
from proxy.units import Money, Seconds

DOLLAR = 1_000_000
AGENT = "{name: agent, per: agent, day: 25}"


def test_reads_budgets(folder):
    """Those of the specification, each as the cap that it is."""
    loaded = folder.load("""
budgets:
  - {name: one-call, per: request, limit: 1.00}
  - {name: agent, per: agent, hour: 5, day: 25, month: 500, alert_at: [0.9, 0.75], on_exceed: reject}
  - {name: workflow, per: workflow, total: 10, ttl: 24h, on_exceed: abort}
  - {name: fleet, per: fleet, day: 2000, timezone: Europe/Madrid, require: true}
  - {name: six-hours, per: tool, limit: "${LIMIT}", window: 6h, cut_streams: false}
""", LIMIT="1.1")  # fmt: skip

    assert [each.cap for each in loaded.budgets] == [
        Cap("one-call", "request", (Limit("request", DOLLAR),)),
        Cap(
            "agent",
            "agent",
            (Limit("hour", 5 * DOLLAR), Limit("day", 25 * DOLLAR), Limit("month", 500 * DOLLAR)),
        ),
        Cap("workflow", "workflow", (Limit("total", 10 * DOLLAR),), on_exceed="abort", ttl=86400.0),
        Cap("fleet", "fleet", (Limit("day", 2000 * DOLLAR),), zone="Europe/Madrid", require=True),
        Cap("six-hours", "tool", (Limit("rolling", 1_100_000, 21600),), cut_streams=False),
    ]
    assert {(type(each.micros), each.micros) for each in loaded.budgets[0].cap.limits} == {
        (int, DOLLAR)
    }
    assert loaded.budgets[2].path == "budgets[2]"
    assert loaded.budgets[2].place.line == 5
    assert loaded.warnings == ()


def test_a_budget_is_for_what_it_matches(folder):
    """As a policy is, with its condition, and knows where that stands."""
    loaded = folder.load("""
budgets:
  - name: a
    per: agent
    day: 1
    match:
      tool: "get_*"
      path: /bücher
      when: double(input.amount) > 100.0
    allocation: {baseline: 30d}
""")  # fmt: skip
    (budget,) = loaded.budgets

    assert budget.match.holds({"tool": "get_x", "path": "/b%C3%BCcher"})
    assert not budget.match.holds({"tool": "set_x", "path": "/b%C3%BCcher"})
    assert budget.match.when == "double(input.amount) > 100.0"
    assert (budget.places["match.when"].line, budget.places["day"].line) == (9, 5)
    assert budget.allocation == Allocation(Seconds(30 * 86400.0), 3.0)


def test_a_bulkhead_may_have_a_budget(folder):
    """What its agents may spend together, under a name that no other has."""
    loaded = folder.load("""
bulkheads:
  - {name: core, agents: ["a-*"], budget: {day: 100, on_exceed: shadow}}
  - {name: rest, agents: ["*"]}
""")  # fmt: skip
    (budget,) = loaded.budgets

    assert budget.cap == Cap(
        "bulkhead/core", "bulkhead", (Limit("day", 100 * DOLLAR),), on_exceed="shadow"
    )
    assert (budget.bulkhead, budget.path) == ("core", "bulkheads[0].budget")
    assert (budget.place.line, budget.places["day"].line) == (3, 3)
    assert budget.holds({"agent": "a-1"}, "core")
    assert not budget.holds({"agent": "a-1"}, "rest")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{name: a, per: agent}", "budgets[0]: it has no limit: give hour, day, month, total, or limit and window"),
        ("{name: a, per: request}", "budgets[0]: it has no limit: give limit"),
        ("{name: a, per: agent, limit: 1}", "budgets[0].limit: it needs a window beside it; without an end it is total"),
        ("{name: a, per: agent, window: 6h, day: 1}", "budgets[0].window: it needs a limit beside it"),
        ("{name: a, per: agent, limit: 1, window: 500ms}", "budgets[0].window: expected whole seconds, from 1s to 366d"),
        ("{name: a, per: request, limit: 1, day: 2}", "budgets[0].day: a request is over at once; it has a limit alone"),
        ("{name: a, per: request, limit: 1, window: 6h}", "budgets[0].window: a request is over at once; it has a limit alone"),
        ("{name: a, per: agent, day: 1, ttl: 1h}", "budgets[0].ttl: only workflows and tasks come to an end"),
        ("{name: a, per: task, day: 1, ttl: 0s}", "budgets[0].ttl: expected more than 0s"),
        ("{name: a, per: agents, day: 1}", "budgets[0].per: expected agent, bulkhead, fleet, model, request, task, tool, upstream or workflow, found 'agents'; did you mean agent?"),
        ("{name: a, per: agent, day: 1, dya: 2}", "budgets[0].dya: unknown key; did you mean day?"),
        ("{name: a, per: agent, day: -1}", "budgets[0].day: expected US dollars that are not negative, found '-1'"),
        ("{name: a, per: agent, day: 0.1234567}", "budgets[0].day: expected US dollars with at most 6 decimal places, found '0.1234567'"),
        ("{name: a, per: agent, day: 2e9}", "budgets[0].day: expected US dollars such as 0.05, found '2e9'"),
        ("{name: a, per: agent, day: 2000000000}", "budgets[0].day: expected at most 1,000,000,000 US dollars, found '2000000000'"),
        ("{name: a, per: agent, day: 1, timezone: Europe/Madird}", "budgets[0].timezone: expected a time zone such as Europe/Madrid, found 'Europe/Madird'; did you mean Europe/Madrid?"),
        ("{name: a, per: agent, day: 1, alert_at: [0.5, 1.5]}", "budgets[0].alert_at[1]: expected a number of over 0 to 1, found 1.5"),
        ("{name: a, per: agent, day: 1, alert_at: [0]}", "budgets[0].alert_at[0]: expected a number of over 0 to 1, found 0"),
        ("{name: a, per: agent, day: 1, on_exceed: abrot}", "budgets[0].on_exceed: expected abort, approve, reject or shadow, found 'abrot'; did you mean abort?"),
        ("{name: a, per: agent, day: 1, allocation: {baseline: 1m}}", "budgets[0].allocation.baseline: expected at least 1h"),
        ("{name: 'a:b', per: agent, day: 1}", "budgets[0].name: expected a name of at most 64 letters, digits, '.', '_', '-' and '/', found 'a:b'"),
        ("{name: bulkhead/x, per: agent, day: 1}", "budgets[0].name: names that begin with bulkhead/ are those of bulkheads' budgets"),
        ("{name: a, per: agent, day: 1, match: {tols: x}}", "budgets[0].match.tols: unknown key; did you mean tool?"),
        ("{name: a, per: agent, day: 1, match: {upstream: x}}", "budgets[0].match.upstream: no upstream has this name: x"),
        ("{name: a, per: agent, day: 1, match: {layer: tol}}", "budgets[0].match.layer: no such layer: tol; did you mean tool?"),
    ],
)  # fmt: skip
def test_errors_of_a_budget(folder, written, message):
    """Each with what was found and what is allowed."""
    (error,) = folder.errors(f"budgets: [{written}]")

    place, _, said = error.partition(": ")
    assert (place.rpartition(":")[0], said) == ("p.yaml:1", message)


def test_errors_of_a_bulkheads_budget(folder):
    """At its own keys."""
    text = "bulkheads: [{name: a, agents: [x], budget: {dya: 1}}]"

    assert folder.errors(text) == [
        "p.yaml:1:44: bulkheads[0].budget: it has no limit: give hour, day, month, total, or limit and window",
        "p.yaml:1:45: bulkheads[0].budget.dya: unknown key; did you mean day?",
    ]


def test_a_name_is_given_once(folder):
    """In all files."""
    folder.write(f"budgets: [{AGENT}]", "1.yaml")
    folder.write(f"budgets: [{AGENT}]", "2.yaml")
    with pytest.raises(ConfigError) as caught:
        load_policies(folder.path)

    (problem,) = caught.value.problems
    assert problem.path == "budgets[0].name"
    assert problem.message == f"a budget of this name stands at {folder.path}/1.yaml:1 already"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{name: w, per: workflow, total: 1}", "10: budgets[0].per: agents name their workflows themselves, and each new one has its own budget: give these calls one per agent beneath it"),
        ("{name: w, per: task, total: 1}, {name: a, per: agent, day: 1, match: {tool: x}}", "10: budgets[0].per: agents name their tasks themselves, and each new one has its own budget: give these calls one per agent beneath it"),
        ("{name: w, per: task, total: 1}, {name: a, per: agent, day: 1, on_exceed: shadow}", "10: budgets[0].per: agents name their tasks themselves, and each new one has its own budget: give these calls one per agent beneath it"),
        ("{name: w, per: task, total: 1, match: {tool: 'x*'}}, {name: a, per: agent, day: 1, match: {tool: '*'}}", None),
        ("{name: a, per: agent, hour: 5, day: 4}", "10: budgets[0].hour: never reached: day allows 4 in all, and this is 5"),
        ("{name: a, per: agent, day: 5, total: 0.5}", "10: budgets[0].day: never reached: total allows 0.5 in all, and this is 5"),
        ("{name: a, per: agent, hour: 5, day: 5}", None),
        ("{name: r, per: request, limit: 5}, {name: a, per: agent, hour: 4}", "10: budgets[0].limit: never reached: a (p.yaml:1) allows 4 in all"),
        ("{name: r, per: request, limit: 5}, {name: a, per: agent, hour: 4, match: {tool: x}}", None),
        ("{name: r, per: request, limit: 5}, {name: a, per: agent, hour: 4, on_exceed: shadow}", None),
        ("{name: a, per: tool, day: 5, require: true}", "10: budgets[0].require: it changes nothing: every call has its tool"),
        ("{name: a, per: model, day: 5}", None),
        ("{name: a, per: agent, total: 5, timezone: UTC}", "10: budgets[0].timezone: it changes nothing without hour, day or month"),
        ("{name: a, per: agent, day: 5, match: {tool: ['x', '!x']}}", "10: budgets[0].match.tool: unreachable: everything it asks for is excluded"),
    ],
)  # fmt: skip
def test_what_is_warned_about(folder, written, message):
    """What cannot hold anybody back, and what would be believed to."""
    found = folder.warnings(f"budgets: [{written}]")

    said = [each.removeprefix("p.yaml:1:").partition(" ")[2] for each in found]
    assert said == ([] if message is None else [message.partition(" ")[2]])


def test_reads_prices(folder):
    """Of tools and models, out of all files."""
    folder.write('prices: {tools: {"get_*": 0.001, pay: {fixed: 1, from_reply: /cost}}}', "1.yaml")
    folder.write(
        """
prices:
  tools: {"*": {per_kb: 0.5}}
  models: {gpt-4o-mini: {input_mtok: 0.15, cache_read_mtok: 0.075, output_mtok: 0.60}}
  unknown_price: {assume: 0.01}
""",
        "2.yaml",
    )
    prices = load_policies(folder.path).prices

    assert prices.tools == {
        "get_*": Price(fixed=Money(1000)),
        "pay": Price(fixed=Money(DOLLAR), from_reply="/cost"),
        "*": Price(per_kb=Money(500_000)),
    }
    assert prices.models == {
        "gpt-4o-mini": ModelPrice(
            input_mtok=Money(150_000), cache_read_mtok=Money(75_000), output_mtok=Money(600_000)
        )
    }
    assert prices.unknown_price == Assume(Money(10_000))


def test_without_prices(folder):
    """Nothing has one, and calls without one go."""
    prices = folder.load("prices: {}").prices

    assert (prices.of_tool("x"), prices.unknown_price) == (None, "allow")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[]", "prices: expected a mapping, found a list"),
        ("{tool: {}}", "prices.tool: unknown key; did you mean tools?"),
        ("{tools: {a: {}}}", "prices.tools.a: expected fixed, per_kb or from_reply"),
        ("{tools: {a: free}}", "prices.tools.a: expected US dollars such as 0.05, found 'free'"),
        ("{tools: {a: -1}}", "prices.tools.a: expected US dollars that are not negative, found '-1'"),
        ("{tools: {a: true}}", "prices.tools.a: expected a mapping or US dollars such as 0.05, found true"),
        ("{tools: {a: {from_reply: /~}}}", "prices.tools.a.from_reply: expected a member's name, or a JSON pointer such as /usage/cost, found '/~'"),
        ("{models: {a: {input_mtok: 1}}}", "prices.models.a: the key output_mtok is missing"),
        ("{models: {a: 1}}", "prices.models.a: expected a mapping, found 1"),
        ("{unknown_price: refuse}", "prices.unknown_price: expected allow or deny, found 'refuse'"),
        ("{table: /no/such.json}", "prices.table: cannot be read: No such file or directory"),
        ("{table: ''}", "prices.table: expected text that is not empty, found ''"),
        ("{table: /dev/null}", "prices.table: cannot be read: not a regular file"),
    ],
)  # fmt: skip
def test_errors_of_prices(folder, written, message):
    """Each with what was found and what is allowed."""
    (error,) = folder.errors(f"prices: {written}")

    assert error.partition(": ")[2] == message


TABLE = """
{"source": "ours", "vendors": [{"id": "v", "url": "https://v", "match": ["*m"], "models": [
{"id": "m", "match": ["=m"], "offers": [{"input": "%s"}]}]}]}
"""


def test_a_table_of_prices_is_a_part_of_what_is_in_force(folder, tmp_path):
    """What is in it counts, and a change of it is a change of the policies."""
    table = tmp_path / "table.json"
    table.write_text(TABLE % "1")
    first = folder.load(f"prices: {{table: {table}}}")
    assert first.files == (table,)
    tariff = first.prices.tariff("m", "openai", "")
    assert tariff is not None
    assert tariff.at(0).input == SCALE

    table.write_text(TABLE % "2")
    assert load_policies(folder.path).version != first.version


def test_a_table_that_is_none(folder, tmp_path):
    """What is wrong with it, and what writes one; and it is named once in all files."""
    table = tmp_path / "table.json"
    table.write_text(TABLE % "dear")
    (error,) = folder.errors(f"prices: {{table: {table}}}")
    assert error.endswith(
        "prices.table: no table of prices: v, m: expected US dollars, found 'dear'; "
        "holdfast prices update writes one"
    )
    table.write_text(TABLE % "1")
    folder.write(f"prices: {{table: {table}}}", "q.yaml")
    (error,) = folder.errors(f"prices: {{table: {table}}}")
    assert error.endswith("prices.table: it is given at p.yaml:1 already")


def test_a_name_is_priced_once(folder):
    """In all files, and so it is with what becomes of calls without a price."""
    folder.write("prices: {tools: {a: 1}, models: {}, unknown_price: deny}", "1.yaml")
    folder.write("prices: {tools: {a: 1, b: 2}, unknown_price: deny}", "2.yaml")
    with pytest.raises(ConfigError) as caught:
        load_policies(folder.path)

    first = f"{folder.path}/1.yaml:1"
    assert [(each.path, each.message) for each in caught.value.problems] == [
        ("prices.tools.a", f"its price stands at {first} already"),
        ("prices.unknown_price", f"it is given at {first} already"),
    ]
