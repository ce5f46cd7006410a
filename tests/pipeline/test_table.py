"""Which upstream is mounted where, and which calls share a pipeline."""

import gc
import weakref
from typing import Any

import pytest

from proxy.call import Call, Whole
from proxy.config.cascade import cascade
from proxy.keys import NEWS, AllowanceKey, CellsKey, CircuitKey, Key, PermitsKey
from proxy.news import News, UpstreamTrouble
from proxy.pipeline import table
from proxy.pipeline.mount import Mount
from proxy.pipeline.table import backed, facts
from proxy.protocols.recognise import HTTP
from proxy.reply import Failure, Reply
from proxy.stage import no_links
from proxy.stages import BACKUPS
from proxy.stages.failover import Backups
from proxy.state.standing import Return
from tests.fakes import FakeBody, FakeClock, Step, run
from tests.tables import GATEWAY, Desk, give, load, post, request

MOUNTS = """
upstreams:
  root: {url: 'http://h', protocol: http, path: /}
  shop: {url: 'http://h', protocol: tools, path: /shop}
  deep: {url: 'http://h', path: /shop/deep, unrecognised: pass, holdfast: {headers: minimal}}
"""


def mounted(target: bytes, mounts: str = MOUNTS) -> Mount | None:
    """What is mounted there."""
    return Desk(mounts=mounts).table.mount(target)


@pytest.mark.parametrize(
    ("target", "name", "stripped"),
    [
        (b"/", "root", b"/"),
        (b"/x", "root", b"/x"),
        (b"*", "root", b"/*"),
        (b"/shop", "shop", b"/"),
        (b"/shop?a=/b", "shop", b"/?a=/b"),
        (b"/shop/", "shop", b"/"),
        (b"/shop/x?y", "shop", b"/x?y"),
        (b"/shopping", "root", b"/shopping"),
        (b"/shop%2Fx", "root", b"/shop%2Fx"),
        (b"/shop/deep", "deep", b"/"),
        (b"/shop/deep//x", "deep", b"//x"),
        (b"/shop/deeper", "shop", b"/deeper"),
    ],
)
def test_the_longest_prefix_wins_and_is_cut_off(target: bytes, name: str, stripped: bytes) -> None:
    """Whole segments only; what is left begins with a slash, and its bytes are as they came."""
    mount = mounted(target)
    assert mount is not None
    assert (mount.name, mount.stripped(target)) == (name, stripped)


def test_where_nothing_is_mounted_there_is_nothing() -> None:
    """A folder may hold no upstream at all."""
    assert mounted(b"/other", "policies: []") is None


# --- one pipeline for each tool ---


def test_a_tool_is_compiled_once() -> None:
    """Its next call gets the same pipeline, another tool another."""
    desk = Desk()
    first = desk.pipeline(post("search"))
    assert desk.pipeline(post("search")) is first
    assert desk.pipeline(post("other")) is not first


def test_an_upstream_may_have_streams_asked_for_what_they_used() -> None:
    """Each is sent with one more wish than its agent has; elsewhere as it came."""
    mounts = "upstreams:\n  gateway: {{url: 'http://h', protocol: openai, inject_usage: {}}}\n"
    content = b'{"model":"m","stream":true,"messages":[]}'
    for injects in (True, False):
        desk = Desk("policies: []", 200, mounts=mounts.format(str(injects).lower()))
        call = give("chat/completions", content)
        mount = desk.table.mount(call.target)
        assert mount is not None
        mount.enter(call)
        assert mount.protocol.recognise(call, content, mount.rules) is None
        run(desk.table.pipeline(call, mount)(call)).close()
        (attempt,) = desk.upstream.attempts
        assert (attempt.sends is not None) is injects


def by(**changes: Any) -> Call:
    """A call of one tool that differs in these facts."""
    call = post("search")
    for name, value in changes.items():
        setattr(call, name, value)
    return call


def test_calls_that_ask_for_a_stream_have_a_pipeline_of_their_own() -> None:
    """Where a policy asks for it."""
    asks = Desk("policies: [{name: p, match: {stream: true}, timeout: {total: 1s}}]")
    does_not = Desk("policies: [{name: p, match: {tool: s*}, timeout: {total: 1s}}]")
    streams, plain = by(stream=True), by(stream=False)
    assert (asks.pipeline(streams).policies, asks.pipeline(plain).policies) == (("p",), ())
    assert does_not.pipeline(streams) is does_not.pipeline(plain)
    assert (facts(streams)["stream"], facts(plain)["stream"]) == ("true", "false")


@pytest.mark.parametrize("fact", ["agent", "workflow"])
def test_calls_are_told_apart_by_what_policies_ask_for(fact: str) -> None:
    """And by nothing else, or every agent would have pipelines of its own."""
    asks = Desk(f"policies: [{{name: p, match: {{{fact}: a*}}, timeout: {{total: 1s}}}}]")
    does_not = Desk("policies: [{name: p, match: {tool: s*}, timeout: {total: 1s}}]")
    ours, theirs = asks.pipeline(by(**{fact: "ann"})), asks.pipeline(by(**{fact: "bob"}))
    assert (ours.policies, theirs.policies) == (("p",), ())
    assert does_not.pipeline(by(**{fact: "ann"})) is does_not.pipeline(by(**{fact: "bob"}))


@pytest.mark.parametrize(
    ("match", "ours", "theirs"),
    [
        ("method: PUT", request("PUT", "/a"), request("POST", "/a")),
        ("path: /a/1", request("GET", "/a/1"), request("GET", "/a/2")),
        ("tool: 'GET /a'", request("GET", "/a"), request("GET", "/b")),
        ("protocol: tools", post("x"), request("GET", "/x")),
        ("layer: http", request("GET", "/x"), post("x")),
        ("upstream: gateway", post("x"), None),
    ],
)
def test_every_fact_can_be_matched(match: str, ours: Call, theirs: Call | None) -> None:
    """Two calls that differ in it never share a pipeline."""
    desk = Desk(f"policies: [{{name: p, match: {{{match}}}, timeout: {{total: 1s}}}}]")
    if theirs is not None:
        assert desk.pipeline(theirs).policies == ()
    assert desk.pipeline(ours).policies == ("p",)


PEER = "upstreams:\n  peer: {url: 'http://peer:9000/a', protocol: a2a}\n"


def rpc(method: str) -> Call:
    """A request to an agent."""
    call = request("POST", "/", {b"content-type": b"application/json"})
    call.body = Whole(b'{"jsonrpc":"2.0","id":1,"method":"%b"}' % method.encode())
    return call


def test_the_method_of_a_call_to_an_agent_is_its_operation() -> None:
    """By its name of 1.0. What its card is asked for goes on, whatever its tool is refused."""
    policies = (
        "policies: [{name: p, match: {method: SendMessage}, timeout: {total: 1s}}, "
        "{name: q, deny: {}}]"
    )
    desk = Desk(policies, 200, mounts=PEER)
    assert desk.pipeline(rpc("message/send")).policies == ("p", "q")
    assert desk.pipeline(rpc("GetTask")).policies == ("q",)
    asked = rpc("GetTask")
    desk.pipeline(asked)
    assert facts(asked)["method"] == "GetTask"
    assert desk.call(rpc("SendMessage")).refusal is not None
    assert desk.call(rpc("agent/getAuthenticatedExtendedCard")).refusal is None


def test_what_leads_agents_past_an_upstream_is_told_once() -> None:
    """With its name."""
    desk = Desk(mounts=PEER)
    heard: list[Any] = []
    desk.keep.of(NEWS, News).listeners.append(heard.append)
    mount = desk.table.mount(b"/")
    assert mount is not None
    for _ in range(2):
        mount.rules.warn("its card is signed")
    assert heard == [UpstreamTrouble("peer", "its card is signed")]


def test_facts_are_those_a_policy_may_match() -> None:
    """By the names they have in a file."""
    call = post("search")
    Desk().pipeline(call)
    assert facts(call) == {
        "upstream": "gateway", "protocol": "tools", "layer": "tool", "tool": "search", "agent": "",
        "fleet": "", "workflow": "", "model": "", "method": "POST", "path": "/v1/search",
        "stream": "false",
    }  # fmt: skip


def test_names_that_are_made_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """They push each other out, and never what is called between them."""
    monkeypatch.setattr(table, "_MOST", 4)
    desk = Desk()
    first, hot = desk.pipeline(post("first")), desk.pipeline(post("hot"))
    for number in range(20):
        desk.pipeline(post(f"made_up_{number}"))
        assert desk.pipeline(post("hot")) is hot
        assert desk.table._pipelines.kept <= 4
    assert desk.pipeline(post("first")) is not first


def test_what_its_protocol_does_not_know_is_judged_as_http() -> None:
    """A GET to a gateway of tools is an http call, and its pipeline says so."""
    desk = Desk("", 404)
    reply = desk.call(request("GET", "/health"))
    assert reply.status == 404
    assert desk.upstream.attempts[0].call.protocol == "http"
    assert mounted(b"/x").protocol is HTTP  # type: ignore[union-attr]  # something is mounted at /


HOLDING = """
upstreams:
  gateway: {url: 'http://h', protocol: tools, backups: [spare]}
  spare: {url: 'http://s', protocol: tools, path: /spare}
policies:
  - name: all
    effect: read
    timeout: {total: 9s}
    cache: {max_age: 5m}
    fallback: [{model: small}, {cache: {}}]
    route: [{when: 'input.amount > 100', upstream: spare}]
    hedge: {after: 1s}
    retry: {}
    breaker: {}
    rate_limit: {rate: 9/s, tokens: 9/s, per: [agent]}
    bulkhead: {per: [workflow]}
    idempotency: {}
  - {name: asks, match: {tool: pay, when: 'input.amount > 100'}, deny: {when: 'input.amount > 500'}}
  - {name: s, mode: shadow, breaker: {}, timeout: {total: 1s}}
"""


@pytest.mark.parametrize("tool", ["search", "pay"])
def test_nothing_that_is_kept_holds_the_call_that_it_was_made_for(tool: str) -> None:
    """Nor its body: with a condition or without, for pipelines as for links."""
    desk = Desk(HOLDING, mounts="")
    call = give(tool, b'{"amount": 150}')
    body: Any = FakeBody(call.body.whole)
    call.body, gone = body, weakref.ref(body)
    found = [desk.pipeline(call)]
    links = [desk.table.link(call, *to) for to in (("", ""), ("", "small"), ("spare", ""))]
    del call, body
    gc.collect()
    assert gone() is None
    assert len(found) + len(links) == 4


TWO = """
upstreams:
  gateway: {url: 'http://h', protocol: tools}
  spare: {url: 'http://s', protocol: tools, path: /spare}
policies:
  - {name: all, retry: {attempts: 2, backoff: {base: 1ms}}}
  - {name: spare, match: {upstream: spare}, effect: read, retry: {attempts: 1}}
"""


def sent_by(desk: Desk, call: Call, upstream: str) -> Reply:
    """The reply of a link."""
    return run(desk.table.link(call, upstream, "")(call))


def test_a_link_obeys_the_policies_of_its_own_upstream() -> None:
    """Its attempts are its own; the call and what it has already sent are shared."""
    desk = Desk(TWO, Failure.CONNECT, Failure.CONNECT, Failure.CONNECT, mounts="")
    call = post("search")
    desk.pipeline(call)
    sent_by(desk, call, "").drop()
    sent_by(desk, call, "spare").drop()
    attempts = [(a.upstream, a.number) for a in call.attempts]
    assert attempts == [("gateway", 1), ("gateway", 2), ("spare", 3)]
    assert call.upstream == "gateway"


def test_a_link_is_made_once() -> None:
    """The second call finds it; one for another tool is another one."""
    desk = Desk(TWO, mounts="")
    call, other = post("search"), post("deposit")
    for each in (call, other):
        desk.pipeline(each)
    link = desk.table.link(call, "spare", "")
    assert desk.table.link(call, "spare", "") == link
    assert desk.table.link(other, "spare", "") != link
    small = desk.table.link(call, "spare", "small")
    assert small == desk.table.link(call, "spare", "small") != link


def test_links_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent may make up as many names of tools as it likes."""
    monkeypatch.setattr(table, "_MOST", 4)
    desk = Desk(TWO, mounts="")
    for number in range(20):
        call = post(f"made_up_{number}")
        desk.pipeline(call)
        desk.table.link(call, "spare", "")
    assert desk.table._links.kept <= 4


def test_a_link_to_nowhere_is_a_bug() -> None:
    """Policies that name such an upstream are not loaded."""
    desk = Desk(TWO, mounts="")
    call = post("search")
    desk.pipeline(call)
    with pytest.raises(LookupError):
        desk.table.link(call, "gone", "")
    with pytest.raises(LookupError):
        no_links(call, "gone", "")


def test_what_an_overlap_made_safe_is_told_once() -> None:
    """Whatever tools are called: it is the policies' matter."""
    desk = Desk(
        """
policies:
  - {name: p, match: {tool: 'get_*'}, timeout: {attempt: 9s}}
  - {name: q, match: {tool: '*_x'}, timeout: {total: 5s}}
"""
    )
    heard: list[Any] = []
    desk.keep.of(NEWS, News).listeners.append(heard.append)
    for tool in ("get_x", "get_y_x", "get_y"):
        desk.pipeline(post(tool))
    (told,) = heard
    assert told.message.startswith("timeout.attempt (9s, p, ")


SHARED = """
upstreams:
  a: {url: 'http://a', protocol: tools}
  b: {url: 'http://b', protocol: tools, path: /b}
  c: {url: 'http://c', protocol: tools, path: /c}
policies:
  - {name: all, retry: {attempts: 3, backoff: {base: 1ms}}}
  - {name: read_a, match: {upstream: a}, effect: read}
"""


def test_what_one_upstream_says_of_a_call_is_not_true_for_another() -> None:
    """A link that two upstreams share is compiled by its own policies: what only reads at the
    first may write at the second."""
    desk = Desk(SHARED, 500, 500, mounts="")
    for path in ("/v1/search", "/b/v1/search"):
        call = request("POST", path)
        pipeline = desk.pipeline(call)
        call.effect = pipeline.effect  # as a pipeline does before anything is sent
        sent_by(desk, call, "c").drop()
        assert [attempt.upstream for attempt in call.attempts] == ["c"]


def test_the_answer_of_a_link_is_held_for_who_may_ask_another() -> None:
    """Its own policies need not have a section that wants to know how it ends."""
    desk = Desk(TWO.replace("retry: {attempts: 1}", "retry: false"), mounts="")
    call = post("search")
    desk.pipeline(call)
    link: Any = desk.table.link(call, "spare", "")
    assert link.__self__._inner._decide._hold


def late(text: str, *script: Step) -> tuple[Desk, Desk]:
    """A table, and the one after it, which has called; then the old one has, for the first time:
    a call that began before the reload was still being read. For each 9 the new one says 4."""
    clock = FakeClock()
    old = Desk(text, *script, clock=clock)
    new = Desk(text.replace("9", "4"), *script, clock=clock, keep=old.keep)
    new.call()
    old.call()
    return old, new


def entry(desk: Desk, kind: type[Key]) -> Any:
    """What is kept of a kind, of the tool if there are several."""
    (*_, (_, found)) = desk.keep.each(kind)
    return found


def test_the_newest_tables_permits_are_in_force() -> None:
    """Also after one of before has compiled a tool."""
    _, new = late("policies: [{name: p, bulkhead: {limit: 9}}]", 200)
    assert entry(new, PermitsKey).limit == 4


def test_the_newest_tables_circuits_are_in_force() -> None:
    """Likewise."""
    _, new = late("policies: [{name: p, breaker: {consecutive: 9}}]", 200)
    assert entry(new, CircuitKey).rules.consecutive == 4


def test_the_newest_tables_budget_is_in_force() -> None:
    """Likewise."""
    _, new = late("policies: [{name: p, retry: {budget: {burst: 9}}}]", 200)
    assert entry(new, AllowanceKey).burst == 4


def test_the_newest_tables_rate_is_in_force() -> None:
    """Also for calls of the old one."""
    old, new = late("policies: [{name: p, rate_limit: {rate: 9/h}}]", *[200] * 3)
    assert entry(new, CellsKey).pace.burst == 4
    assert [old.codes(1), new.codes(1), old.codes(1)] == [["200"], ["200"], ["rate_limited"]]


@pytest.mark.parametrize("section", ["cache: {max_age: 1m}", "fallback: [{cache: {}}]"])
@pytest.mark.parametrize(
    ("after", "status"),
    [
        ("{url: 'http://h', protocol: tools, pool: {max: 9}}", 200),
        ("{url: 'http://other', protocol: tools}", 500),
        ("{url: 'http://h', protocol: tools, auth: {bearer: another}}", 500),
    ],
)
def test_what_another_upstream_of_that_name_said_is_forgotten(
    section: str, after: str, status: int
) -> None:
    """Or shown another account's credential. What changes nothing of that keeps the answers."""
    rules = f"policies: [{{name: all, effect: read, {section}}}]"
    before = Desk(rules, 200)
    assert before.call().status == 200
    desk = Desk(rules, 500, keep=before.keep, mounts=f"upstreams:\n  gateway: {after}\n")
    assert desk.call().status == status


def test_what_is_sent_as_a_model_is_limited_as_that_model() -> None:
    """Whatever the call asked for; what is not sent as another one is limited as its own."""
    text = "policies: [{name: p, effect: read, rate_limit: {rate: 1/h, per: [model]}}]"
    desk = Desk(text, 200, 200)
    calls = [give("search", b'{"model": "large"}') for _ in range(3)]
    for call in calls:
        assert desk.found(call) is not None
        call.model = "large"
    links = [
        desk.table.link(call, "", model)
        for call, model in zip(calls, ("", "small", "small"), strict=True)
    ]
    replies = [run(link(call)) for link, call in zip(links, calls, strict=True)]
    assert [reply.refusal is None for reply in replies] == [True, True, False]


@pytest.mark.parametrize(
    ("breaker", "state"),
    [("", "disabled"), (", breaker: {}", "auto"), (", breaker: {state: observe}", "observe")],
)
def test_backups_are_in_force_with_the_state_of_the_breaker(breaker: str, state: str) -> None:
    """Beside what the policies say, which is as it was."""
    policies = load(f"{GATEWAY}policies: [{{name: p, effect: read{breaker}}}]").policies
    call = post("search")
    Desk().pipeline(call)
    without = cascade(policies, facts(call))
    effective = backed(without, Backups(names=("b",), back=Return(9.0, 0.5)))
    section = effective.sections[BACKUPS]
    assert section.fields == {"names": ("b",), "back": Return(9.0, 0.5), "breaker": state}
    assert (section.policy, section.giver("names")) == ("", "")
    assert {name: effective.sections[name] for name in without.sections} == without.sections
