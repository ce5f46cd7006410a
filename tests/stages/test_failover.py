"""Where the calls of an upstream go that has backups."""

from typing import Any

import pytest

from proxy.attempt import Attempt
from proxy.call import Call, Whole
from proxy.clock import Clock
from proxy.keep import Keep
from proxy.keys import NEWS, CircuitKey, StandingKey
from proxy.news import Event, News, TrafficChange
from proxy.pipeline.table import Table
from proxy.pipeline.walk import Grounds
from proxy.protocols.protocol import Rules
from proxy.refusal import Refusal
from proxy.reply import NEVER_SENT, Failure, Reply
from proxy.stage import Ground, Sender
from proxy.stages.failover import Failover, circuit_of, pulse_of, went_nowhere
from proxy.state.circuit import State
from tests.fakes import FakeBody, FakeClock, make_attempt, make_call, make_reply, run
from tests.tables import load, post

UPSTREAMS = """
upstreams:
  gateway: {url: 'http://g', protocol: tools, backups: [b, c], path: /}
  b: {url: 'http://b', protocol: tools}
  c: {url: 'http://c', protocol: tools}
"""
BREAKER = """
policies: [{name: p, breaker: {consecutive: 2, probes: 1, open: {base: 5s, jitter: 0}}}]
"""


class Host:
    """An upstream that answers as it is told to, until it is told otherwise."""

    def __init__(self, clock: Clock) -> None:
        self.now: int | Failure = 200
        self.attempts: list[Attempt] = []
        self._clock = clock

    async def __call__(self, attempt: Attempt) -> Reply:
        """Part of Sender."""
        self.attempts.append(attempt)
        attempt.sent = self.now not in NEVER_SENT
        attempt.ended = self._clock.now()
        return make_reply(self.now)


class Chance(FakeClock):
    """A clock whose chance is told as well."""

    def __init__(self) -> None:
        super().__init__()
        self.next = 0.0
        self.chance.random = lambda: self.next  # type: ignore[method-assign]  # as said


class Scene:
    """Three upstreams: the first one has the others for backups."""

    def __init__(self, policies: str = BREAKER, upstreams: str = UPSTREAMS) -> None:
        self.clock, self.keep = Chance(), Keep()
        self.heard: list[Event] = []
        self.keep.of(NEWS, News).listeners.append(self.heard.append)
        self.ground = Ground(self.clock, self.keep)
        self.hosts = {name: Host(self.clock) for name in ("gateway", "b", "c")}
        self.read(policies, upstreams)

    def read(self, policies: str, upstreams: str = UPSTREAMS) -> None:
        """Put other policies in force."""
        loaded = load(upstreams + policies)
        senders: dict[str, Sender] = {name: self.hosts[name] for name in loaded.upstreams}
        grounds = Grounds(self.ground, Ground(self.clock, self.keep, shadow=True))
        self.table = Table(loaded, senders, grounds, 1 << 20)

    def recognised(self, tool: str = "search", **changes: Any) -> Call:
        """A call, just before its pipeline is asked for."""
        call = post(tool)
        mount = self.table.mount(call.target)
        assert mount is not None
        call.upstream = mount.name
        assert mount.protocol.recognise(call, b"", Rules()) is None
        call.started = self.clock.now()
        for name, value in changes.items():
            setattr(call, name, value)
        return call

    def call(self, tool: str = "search", **changes: Any) -> Reply:
        """A whole call, finished and closed."""
        call = self.recognised(tool, **changes)
        mount = self.table.mount(call.target)
        assert mount is not None
        reply = run(self.table.pipeline(call, mount)(call))
        reply.drop()
        return reply

    def went_to(self, times: int = 1, **changes: Any) -> list[str]:
        """By whom so many calls were answered; `-` for who was refused."""
        replies = [self.call(**changes) for _ in range(times)]
        return ["-" if reply.refused else reply.served_by or "gateway" for reply in replies]

    def fails(self, name: str, what: int | Failure = 503) -> None:
        """From now on it answers so."""
        self.hosts[name].now = what

    def opened(self) -> None:
        """The circuit of the gateway opens: two tools have failed."""
        self.fails("gateway", Failure.CONNECT)
        assert self.went_to(2) == ["gateway"] * 2

    def probes(self, name: str, *passed: bool) -> None:
        """Probes of an upstream have come out so."""
        pulse = pulse_of(name, self.ground)
        for each in passed:
            if each:
                pulse.passed(self.clock.now())
            else:
                pulse.failed(3)

    def told(self) -> list[tuple[int, str]]:
        """What the news said of the traffic."""
        changes = [change for change in self.heard if isinstance(change, TrafficChange)]
        return [(change.percent, change.why) for change in changes]


def failover_of(link: Any) -> Failover | None:
    """The outermost stage of a link, if it is one."""
    stage = link.__self__
    return stage if isinstance(stage, Failover) else None


# --- away ---


def test_all_goes_to_an_upstream_that_is_well() -> None:
    """Nothing of an answer says that there are backups."""
    scene = Scene()
    reply = scene.call()
    assert (reply.served_by, reply.tier, reply.outcome) == ("", 0, "")
    assert scene.hosts["b"].attempts == []


def test_an_upstream_without_backups_has_the_link_itself() -> None:
    """Failover that is not asked for costs nothing."""
    scene = Scene(upstreams="upstreams: {gateway: {url: 'http://g', protocol: tools}}")
    call = scene.recognised()
    assert failover_of(scene.table.link(call, "", "")) is None


def test_behind_an_open_circuit_calls_go_to_the_first_backup() -> None:
    """They are answered, and it is said by whom."""
    scene = Scene()
    scene.opened()
    reply = scene.call()
    assert (reply.status, reply.served_by, reply.tier, reply.outcome) == (200, "b", 1, "")
    assert [attempt.upstream for attempt in scene.hosts["b"].attempts] == ["b"]
    assert scene.told() == [(0, "circuit")]


def test_an_upstream_whose_probes_fail_loses_its_calls() -> None:
    """Though its circuit is closed: there may be no breaker at all."""
    scene = Scene(policies="")
    scene.probes("gateway", False, False)
    assert scene.went_to() == ["gateway"]
    scene.probes("gateway", False)
    assert scene.went_to(2) == ["b", "b"]
    assert scene.told() == [(0, "probes")]


@pytest.mark.parametrize("why", ["probes", "circuit"])
def test_a_backup_that_is_not_well_is_passed_over(why: str) -> None:
    """By its own probes, or its own circuit."""
    scene = Scene()
    scene.opened()
    if why == "probes":
        scene.probes("b", False, False, False)
    else:
        scene.fails("b", Failure.DISCONNECT)
        assert [*scene.went_to(2, tool="x"), *scene.went_to(tool="y")] == ["b", "b", "b"]
        assert not circuit_of("b", "", scene.ground).closed  # type: ignore[union-attr]
    assert scene.went_to(tool="z") == ["c"]


def test_a_backup_is_tried_again_when_its_open_time_is_over() -> None:
    """One call tries it; nobody else would."""
    scene = Scene()
    scene.probes("gateway", False, False, False)
    scene.fails("b", Failure.CONNECT)
    assert scene.went_to(3) == ["c", "c", "c"]
    scene.fails("b", 200)
    scene.clock.advance(5.1)
    assert scene.went_to(2) == ["b", "b"]


def test_where_nobody_is_well_the_upstream_itself_says_no() -> None:
    """Its own gates do it."""
    scene = Scene()
    scene.opened()
    for name in ("b", "c"):
        scene.probes(name, False, False, False)
    reply = scene.call()
    assert reply.refusal is not None
    assert (reply.refusal.code, reply.served_by, reply.tier) == ("circuit_open", "", 0)


def test_where_nobody_is_well_and_nothing_forbids_it_the_upstream_is_called() -> None:
    """Probes may be wrong, and there is nothing to lose."""
    scene = Scene(policies="")
    for name in ("gateway", "b", "c"):
        scene.probes(name, False, False, False)
    assert scene.went_to() == ["gateway"]
    assert len(scene.hosts["gateway"].attempts) == 1


def test_a_call_that_reached_nobody_goes_on_to_the_next_backup() -> None:
    """No connection: nothing was sent. What was sent, and failed, stays with who was asked."""
    scene = Scene()
    scene.probes("gateway", False, False, False)
    scene.fails("b", Failure.CONNECT)
    assert scene.went_to() == ["c"]
    scene.fails("b", 500)
    reply = scene.call("deposit")
    assert (reply.status, reply.served_by) == (500, "b")


def test_a_failure_at_a_backup_is_that_backups() -> None:
    """So that nobody looks for it elsewhere."""
    scene = Scene()
    scene.probes("gateway", False, False, False)
    scene.fails("b", Failure.DISCONNECT)
    reply = scene.call()
    assert (reply.failure, reply.served_by, reply.tier) == (Failure.DISCONNECT, "b", 1)


def test_a_backup_has_policies_of_its_own() -> None:
    """Its retries, its gates."""
    scene = Scene(
        "policies: [{name: b, match: {upstream: b}, effect: read,"
        " retry: {attempts: 3, backoff: {base: 1ms}}}]"
    )
    scene.probes("gateway", False, False, False)
    scene.fails("b")
    assert scene.call().served_by == "b"
    assert [attempt.number for attempt in scene.hosts["b"].attempts] == [1, 2, 3]


# --- trying an open circuit ---


def test_one_call_tries_the_circuit_when_its_open_time_is_over() -> None:
    """It is answered by the upstream itself; the others go on to the backup until it has come back
    in its steps."""
    scene = Scene()
    scene.opened()
    scene.clock.advance(5.1)
    scene.fails("gateway", 200)
    assert scene.went_to(3) == ["gateway", "b", "b"]


def test_a_call_that_tries_a_dead_upstream_is_answered_by_the_backup() -> None:
    """Also a write: there was no connection, so nothing was sent."""
    scene = Scene()
    scene.opened()
    scene.clock.advance(5.1)
    sent = len(scene.hosts["gateway"].attempts)
    assert scene.went_to(2) == ["b", "b"]
    assert len(scene.hosts["gateway"].attempts) == sent + 1


def test_who_tried_and_finds_no_backup_well_is_told_how_it_went() -> None:
    """The upstream is not asked twice."""
    scene = Scene()
    scene.opened()
    scene.clock.advance(5.1)
    for name in ("b", "c"):
        scene.probes(name, False, False, False)
    sent = len(scene.hosts["gateway"].attempts)
    reply = scene.call()
    assert (reply.failure, reply.served_by, reply.tier) == (Failure.CONNECT, "", 0)
    assert len(scene.hosts["gateway"].attempts) == sent + 1


def test_a_call_that_tried_and_may_have_run_stays() -> None:
    """What the upstream did of it, nobody knows."""
    scene = Scene()
    scene.opened()
    scene.clock.advance(5.1)
    scene.fails("gateway", Failure.DISCONNECT)
    reply = scene.call()
    assert (reply.failure, reply.served_by) == (Failure.DISCONNECT, "")


def test_while_one_call_tries_the_others_do_not_wait() -> None:
    """The lease is taken: they are not even asked to."""
    scene = Scene()
    scene.opened()
    scene.clock.advance(5.1)
    circuit = circuit_of("gateway", "", scene.ground)
    assert circuit is not None
    assert circuit.wait(scene.clock.now()) == 0
    circuit.lease(make_attempt(), scene.clock.now() + 60.0)
    assert scene.went_to() == ["b"]


def test_who_was_refused_at_the_gate_goes_on() -> None:
    """The circuit of the tool is open as well, for longer."""
    scene = Scene()
    scene.fails("gateway", 500)
    assert scene.went_to(2) == ["gateway"] * 2  # the tool's
    scene.fails("gateway", Failure.CONNECT)
    assert scene.went_to(tool="other") == ["gateway"]  # the upstream's: a second tool failed
    scene.clock.advance(5.1)
    tool = scene.keep.seen(CircuitKey("", "gateway", "search"))
    tool.until += 60.0
    assert tool.state is State.OPEN
    assert scene.went_to() == ["b"]


def test_an_upstream_that_is_unwell_is_not_tried_with_calls() -> None:
    """Its probes do that, and cost no agent anything."""
    scene = Scene()
    scene.opened()
    scene.probes("gateway", False, False, False)
    scene.clock.advance(60.0)
    sent = len(scene.hosts["gateway"].attempts)
    assert scene.went_to(3) == ["b"] * 3
    assert len(scene.hosts["gateway"].attempts) == sent


# --- back ---


def test_it_comes_back_in_steps() -> None:
    """Each call is decided by chance; in the end all is as it was."""
    scene = Scene()
    scene.opened()
    scene.fails("gateway", 200)
    scene.clock.advance(5.1)
    assert scene.went_to(2) == ["gateway", "b"]  # it closes, and its time begins
    shares = []
    for age in (59.0, 1.1, 15.0, 15.0, 15.0):
        scene.clock.advance(age)
        found = 0
        for number in range(100):
            scene.clock.next = number / 100
            found += scene.went_to() == ["gateway"]
        shares.append(found)
    assert shares == [0, 5, 25, 50, 100]
    told = [(0, "circuit"), (5, "well"), (25, "well"), (50, "well"), (100, "well")]
    assert scene.told() == told


def test_a_call_of_a_small_share_that_finds_nobody_goes_to_the_backup() -> None:
    """Steps are no risk for whoever is chosen for them."""
    scene = Scene(policies="")
    scene.probes("gateway", False, False, False, True)
    scene.call()
    scene.clock.advance(61.0)
    assert scene.went_to() == ["gateway"]
    scene.fails("gateway", Failure.CONNECT)
    assert scene.went_to() == ["b"]


def test_how_it_comes_back_is_said_by_its_health() -> None:
    """`well_for` and `step`; after a reload by the new one."""
    health = "health: {path: /, well_for: 1s, step: 1s}, backups"
    scene = Scene("", UPSTREAMS.replace("backups", health))
    scene.probes("gateway", False, False, False, True)
    scene.call()
    scene.clock.advance(4.0)
    assert scene.went_to() == ["gateway"]
    assert scene.told()[-1] == (100, "well")


def test_a_reload_forgets_nothing() -> None:
    """Another table has the same standing."""
    scene = Scene()
    scene.opened()
    assert scene.went_to() == ["b"]
    scene.read(BREAKER.replace("consecutive: 2", "consecutive: 3"))
    assert scene.went_to() == ["b"]
    assert scene.told() == [(0, "circuit")]


def test_a_table_of_before_does_not_say_how_it_comes_back() -> None:
    """Though it may be the last that compiled a pipeline."""
    scene = Scene()
    old = scene.table
    healthy = "health: {path: /h, well_for: 5s}, backups"
    scene.read(BREAKER, UPSTREAMS.replace("backups", healthy, 1))
    scene.opened()
    scene.table = old
    scene.call("another")
    standing = dict(scene.keep.items())[StandingKey("", "gateway", "breaks")]
    assert standing._orders.back.well_for == 5.0


# --- whose calls ---


def test_another_bulkheads_circuit_moves_nobody() -> None:
    """Circuits are kept apart, and so is what follows from them."""
    scene = Scene()
    scene.opened()
    assert scene.went_to(domain="") == ["b"]
    call = scene.recognised(domain="core")
    there = scene.table.mount(call.target)
    assert there is not None
    scene.table._pipelines.clear()  # this one's key does not hold bulkheads
    scene.fails("gateway", 200)
    assert run(scene.table.pipeline(call, there)(call)).served_by == ""


def test_calls_without_a_breaker_follow_the_probes_alone() -> None:
    """They would else never hear that a circuit which is not theirs has closed."""
    scene = Scene(BREAKER.replace("{name: p,", "{name: p, match: {tool: search},"))
    scene.opened()
    assert scene.went_to() == ["b"]
    scene.fails("gateway", 200)
    assert scene.went_to(tool="other") == ["gateway"]
    scene.probes("gateway", False, False, False)
    assert scene.went_to(tool="other") == ["b"]


def test_a_circuit_that_a_policy_keeps_open_moves_the_calls_it_is_for() -> None:
    """Those alone; that is how an owner empties an upstream by hand. Nobody tries it."""
    match = "match: {upstream: gateway, tool: search}"
    scene = Scene(f"policies: [{{name: p, {match}, breaker: {{state: forced_open}}}}]")
    assert scene.went_to(3) == ["b"] * 3
    assert scene.went_to(tool="other") == ["gateway"]
    for name in ("b", "c"):
        scene.probes(name, False, False, False)
    reply = scene.call()
    assert reply.refusal is not None
    assert (reply.refusal.policy, scene.told()) == ("p", [])


@pytest.mark.parametrize("state", ["observe", "disabled"])
def test_a_circuit_that_refuses_nothing_moves_nothing(state: str) -> None:
    """It opens for those who look on."""
    scene = Scene(BREAKER.replace("{consecutive", f"{{state: {state}, consecutive"))
    scene.fails("gateway", Failure.CONNECT)
    assert scene.went_to(9) == ["gateway"] * 9


def test_a_link_to_another_upstream_has_no_backups() -> None:
    """Who named that one meant it; its own upstream has them."""
    scene = Scene("", UPSTREAMS.replace("b: {", "b: {path: /b, backups: [gateway], "))
    call = scene.recognised()
    assert failover_of(scene.table.link(call, "gateway", "")) is not None
    assert failover_of(scene.table.link(call, "b", "")) is None
    call.upstream = "b"
    assert failover_of(scene.table.link(call, "b", "")) is not None
    assert failover_of(scene.table.link(call, "gateway", "")) is None


def test_what_is_sent_as_another_model_is_so_at_the_backup() -> None:
    """A route chose it before."""
    scene = Scene("")
    scene.probes("gateway", False, False, False)
    call = scene.recognised(body=Whole(b'{"model": "large"}'))
    reply = run(scene.table.link(call, "", "small")(call))
    (attempt,) = scene.hosts["b"].attempts
    assert attempt.sends is not None
    assert (reply.served_by, attempt.sends.model) == ("b", "small")


def test_backups_of_each_other_are_no_circle() -> None:
    """A backup's own backups are not asked."""
    scene = Scene("", UPSTREAMS.replace("b: {", "b: {path: /b, backups: [gateway], "))
    for name in ("gateway", "b", "c"):
        scene.probes(name, False, False, False)
    assert scene.went_to() == ["gateway"]


# --- the rule ---


@pytest.mark.parametrize(
    ("reply", "sent", "replayable", "nowhere"),
    [
        (make_reply(Refusal("circuit_open", "")), False, True, True),
        (make_reply(Refusal("circuit_open", "")), False, False, False),
        (make_reply(Refusal("rate_limited", "")), False, True, False),
        (make_reply(Refusal("circuit_open", ""), result="failure"), False, True, False),
        (make_reply(Failure.CONNECT), False, True, True),
        (make_reply(Failure.CERTIFICATE), False, True, True),
        (make_reply(Failure.CONNECT), False, False, False),
        (make_reply(Failure.CONNECT), True, True, False),
        (make_reply(Failure.DISCONNECT), True, True, False),
        (make_reply(Failure.TIMEOUT), True, True, False),
        (make_reply(503), True, True, False),
        (make_reply(200), True, True, False),
    ],
)
def test_what_went_nowhere(reply: Reply, sent: bool, replayable: bool, nowhere: bool) -> None:
    """Only what certainly reached nobody; an earlier attempt of the call may have."""
    call = make_call(body=FakeBody(replayable=replayable))
    call.attempts = [make_attempt(call, sent=sent)]
    assert went_nowhere(call, reply) is nowhere


def test_a_bug_of_a_settler_is_not_lost_on_the_way() -> None:
    """It was of a link that was left."""

    async def refuses(call: Call) -> Reply:
        reply = make_reply(Refusal("circuit_open", ""))
        reply.finishers.append((raises, call))
        return reply

    def raises(subject: Any, reply: Reply) -> None:
        raise RuntimeError

    scene = Scene()
    call = scene.recognised()
    link = scene.table.link(call, "", "")
    failover = failover_of(link)
    assert failover is not None
    failover._primary = refuses
    scene.opened()
    scene.clock.advance(5.1)
    reply = run(link(call))
    assert (reply.served_by, type(reply.bug)) == ("b", RuntimeError)


# --- what is said ---


def test_it_says_where_calls_go() -> None:
    """For `explain`; nothing changes by it."""
    scene = Scene()
    call = scene.recognised()
    link = failover_of(scene.table.link(call, "", ""))
    assert link is not None
    assert link.says(call).note == "all to gateway; backups: b, c"
    scene.opened()
    assert link.says(call).note == "0% to gateway, the others to the first that is well of b, c"
    assert scene.told() == []
