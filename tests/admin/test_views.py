"""proxy/admin/views.py."""

from proxy.admin import views
from proxy.admin.rates import Rates
from proxy.keys import PulseKey
from proxy.state.circuit import Circuit
from proxy.state.standing import Pulse
from tests.admin.scene import Scene
from tests.fakes import make_reply
from tests.observe.records import record
from tests.tables import post


def breakers(scene):
    """By their keys; those of shadows apart."""
    return {(item["key"], item["shadow"]): item for item in views.breakers(scene.sight)}


def test_status_of_a_process_that_has_seen_nothing():
    """All is there, and empty."""
    scene = Scene()
    told = views.status(scene.sight, Rates(scene.metrics, scene.clock))

    assert (told["ready"], told["draining"], told["uptime"]) == (True, False, 10.0)
    assert told["started"] == "2023-11-14T22:29:50.000Z"
    assert told["policies"] == {
        "version": "ab12cd",
        "loaded": "2023-11-14T22:29:51.000Z",
        "rejected": None,
    }
    assert (told["tools"], told["refused"]) == ([], {})
    assert told["upstreams"] == [
        {
            "name": "gateway",
            "address": "h",
            "protocol": "tools",
            "path": "/",
            "circuit": None,
            "well": None,
            "in_flight": 0,
            "queued": 0,
            "calls": 0,
            "per_second": 0.0,
            "errors": None,
            "refused": {},
            "cost_per_hour": "0.00",
        }
    ]
    assert told["together"] == {
        "in_flight": 0,
        "queued": 0,
        "calls": 0,
        "per_second": 0.0,
        "errors": None,
        "refused": {},
        "cost_per_hour": "0.00",
        "p95": None,
        "p99": None,
    }


def test_a_reload_that_failed_is_told():
    """With the reason, and when."""
    scene = Scene()
    scene.health.rejected, scene.health.rejected_at = "p.yaml:1: no", 1_700_000_995.0
    told = views.status(scene.sight, Rates(scene.metrics, scene.clock))

    assert told["policies"]["rejected"] == {"at": "2023-11-14T22:29:55.000Z", "why": "p.yaml:1: no"}


def test_calls_show_in_rates_and_in_flight():
    """Of their tool, of its upstream, and of all."""
    scene = Scene(200)
    rates = Rates(scene.metrics, scene.clock)
    scene.metrics.note(record())
    refused = record(outcome="refused", decision="refuse", code="circuit_open", duration_us=100)
    scene.metrics.note(refused)
    scene.desk.pipeline(post("get_balance")).flight.now += 1
    scene.clock.advance(2.0)
    told = views.status(scene.sight, rates)

    tool, upstream = told["tools"][0], told["upstreams"][0]
    assert tool["p95"] is not None
    assert (tool["tool"], tool["in_flight"], tool["circuit"]) == ("get_balance", 1, "closed")
    for seen in (tool, upstream):
        assert (seen["calls"], seen["per_second"], seen["errors"]) == (2, 1.0, 0.0)
        assert seen["refused"] == {"circuit_open": 1}
    assert upstream["in_flight"] == 1
    assert told["together"] == {key: tool[key] for key in told["together"]}
    assert told["together"]["p99"] >= told["together"]["p95"]
    assert told["refused"] == {"circuit_open": 1}


def test_what_an_hour_would_cost_as_of_late():
    """By tool, and of all: what was spent in the last minute, sixty times."""
    scene = Scene()
    rates = Rates(scene.metrics, scene.clock)
    scene.metrics.note(record(cost_micros=2_000))
    scene.metrics.note(record(cost_micros=500, agent="other"))
    scene.metrics.note(record("search", cost_micros=1_000))
    scene.clock.advance(36.0)
    told = views.status(scene.sight, rates)

    costs = {item["tool"]: item["cost_per_hour"] for item in told["tools"]}
    assert costs == {"get_balance": "0.25", "search": "0.10"}
    assert told["together"]["cost_per_hour"] == "0.35"


def test_tools_without_a_name_share_the_worst_circuit():
    """One that is open is not hidden behind those that are well."""
    scene = Scene(500, 500, 200)
    for tool in ("made_up", "made_up", "also"):
        scene.desk.call(post(tool))
        scene.metrics.note(record(tool, outcome="failed"))
    (shared,) = views.tools(scene.sight, Rates(scene.metrics, scene.clock))

    assert (shared["tool"], shared["circuit"]) == ("other", "open")


def test_a_circuit_that_was_always_closed():
    """Since when nobody can say."""
    scene = Scene(200)
    scene.desk.call(post("pay"))
    told = breakers(scene)["gateway/pay", False]

    assert (told["state"], told["since"], told["for"], told["why"]) == ("closed", None, None, None)
    assert told["next_probe_in"] is None
    assert told["window"] == {"seconds": 60.0, "calls": 1, "failures": 0, "slow": 0}
    assert told["opens_at"] == {"in_a_row": 2, "rate": 0.5, "calls": 5}


def test_a_circuit_that_is_open():
    """Since when, why, and when the next call may try."""
    scene = Scene(500, 500)
    for _ in range(2):
        scene.desk.call(post("pay"))
    scene.clock.advance(2.0)
    told = breakers(scene)["gateway/pay", False]

    assert (told["state"], told["why"], told["for"]) == ("open", "consecutive", 2.0)
    assert told["since"] == "2023-11-14T22:30:00.000Z"
    assert told["next_probe_in"] == 3.0
    assert (told["tool"], told["upstream"], told["bulkhead"]) == ("pay", "gateway", None)
    scene.clock.advance(60.0)
    again = breakers(scene)["gateway/pay", False]
    assert (again["state"], again["next_probe_in"]) == ("open", 0.0)  # nobody has called


def test_an_upstreams_own_circuit_and_a_shadows():
    """They are told apart; failures that are held against the upstream are shown."""
    scene = Scene(500)
    scene.desk.call(post("pay"))
    found = breakers(scene)

    assert found["gateway", False]["tool"] is None
    assert found["gateway", False]["window"]["failures"] == 1
    assert found["gateway/pay", True]["state"] == "open"
    assert found["gateway/pay", False]["in_a_row"] == 1


def states(scene):
    """Of each circuit, with how far its time has come."""
    circuits = {key: each for key, each in scene.keep.items() if isinstance(each, Circuit)}
    return {key: (each.state, each.window.tick) for key, each in circuits.items()}


def test_looking_changes_nothing():
    """An open circuit whose time is over is not half-open because somebody looked."""
    scene = Scene(500, 500, make_reply(200))
    for _ in range(2):
        scene.desk.call(post("pay"))
    scene.clock.advance(10.0)
    before = states(scene)
    list(views.breakers(scene.sight))
    views.status(scene.sight, Rates(scene.metrics, scene.clock))

    assert states(scene) == before


def test_policies_in_their_order():
    """What each gives, and where."""
    default, reads, trial = views.policies(Scene().sight)

    assert (default["number"], default["name"], default["match"]) == (0, "default", {})
    assert default["sections"]["timeout"]["fields"] == {"total": "45s"}
    assert default["from"].endswith("p.yaml:5")
    assert reads["match"] == {"tool": ["get_*", "!get_x"]}
    assert (reads["effect"]["value"], default["effect"]) == ("read", None)
    assert (trial["mode"], trial["sections"]["breaker"]["mode"]) == ("shadow", "shadow")
    assert views.number_of(default) < views.number_of(trial)


def test_what_a_policy_says_in_a_word_has_its_place():
    """As its sections have; null where it does not say it."""
    policies = "policies:\n- name: p\n  effect: read\n  risk: high\n  on_journal_failure: allow\n"
    (policy,) = views.policies(Scene(policies=policies).sight)
    told = {name: policy[name] for name in ("effect", "risk", "on_journal_failure")}

    assert [each["value"] for each in told.values()] == ["read", "high", "allow"]
    lines = [int(each["from"].rpartition(":")[2]) for each in [policy, *told.values()]]
    assert lines == list(range(lines[0], lines[0] + 4))
    (silent,) = views.policies(Scene(policies="policies: [{name: p, deny: {}}]").sight)
    assert {silent[name] for name in told} == {None}


def test_whether_probes_find_it_well():
    """Nothing is known of one that nobody probes."""
    scene = Scene()
    pulse = scene.keep.of(PulseKey("gateway"), Pulse)
    rates = Rates(scene.metrics, scene.clock)
    before = views.status(scene.sight, rates)["upstreams"][0]["well"]
    pulse.probed = True

    assert (before, views.status(scene.sight, rates)["upstreams"][0]["well"]) == (None, True)


def test_a_condition_is_part_of_a_match():
    """As it is written."""
    scene = Scene(policies="policies: [{name: p, match: {when: tool == 'x'}, deny: {}}]")
    (policy,) = views.policies(scene.sight)

    assert policy["match"] == {"when": "tool == 'x'"}


def test_keys_of_others_are_no_circuits():
    """What lies in the keep under something else is left alone."""
    scene = Scene()
    scene.keep.of("a text", type("Anything", (), {}))

    assert list(views.breakers(scene.sight)) == []
