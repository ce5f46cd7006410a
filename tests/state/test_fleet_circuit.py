"""Whatever happens in whatever order: one pod at a time tries what the fleet has open."""

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from proxy.attempt import Attempt
from proxy.reply import Failure
from proxy.state.circuit import State
from tests.fakes import settled
from tests.state.circuit_pods import TOOL, FleetPod, Pods

PODS = st.integers(0, 2)
ENDS = st.sampled_from([200, 404, 429, 500, Failure.CANCELLED])
LEASE = 50.0


class Probes(RuleBasedStateMachine):
    """Pods of which any may die, miss what is published, or be slow to hear."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.fleet = Pods()
        self.lives = 1
        self.trying: list[tuple[FleetPod, Attempt, float]] = []
        self.calls: list[tuple[FleetPod, Attempt]] = []
        self.pods = self._run(self.fleet.pods(3))
        for pod in self.pods:
            self._run(pod.send())

    def _run(self, work):
        async def done():
            result = await work
            await settled()
            return result

        return self.loop.run_until_complete(done())

    def teardown(self) -> None:
        self.loop.close()

    @rule(which=PODS)
    def fails(self, which):
        """A pod has a run of failures."""
        self._run(self.pods[which].send(500, times=5))

    @rule(which=PODS)
    def call(self, which):
        """A call comes to a pod; it may be the one that tries."""
        self._call(which)

    def _call(self, which):
        pod = self.pods[which]
        came = self._run(pod.admit())
        if isinstance(came, Attempt):
            if pod.circuit().owner is came and pod.circuit().fleet:
                self.trying.append((pod, came, self.fleet.clock.now() + LEASE))
            self.calls.append((pod, came))

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), what=ENDS)
    def ends(self, data, what):
        """One of those under way ends."""
        pod, attempt = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        self.trying = [each for each in self.trying if each[1] is not attempt]

        async def end():
            pod.end(attempt, what)

        self._run(end())

    @rule(seconds=st.sampled_from([0.3, 1.0, 6.0, 30.0, 60.0]))
    def time(self, seconds):
        """It passes, and who lives says so."""
        self.fleet.clock.advance(seconds)
        for pod in self.pods:
            self._run(pod.beat())

    @rule(which=PODS)
    def exchange(self, which):
        """A pod asks what is new."""
        self._run(self.pods[which].exchange())

    @rule(which=PODS, back=st.booleans())
    def hears(self, which, back):
        """What was published comes, now or again."""
        kept = self.fleet.memory.seen(f"circuit:{TOOL}")
        if kept is not None:
            generation = kept.generation - back
            said = b'["%s",%d,%d,5000,5000,0,0]' % (TOOL.encode(), generation, kept.open)
            self.pods[which].part.heard(said)

    @rule(which=PODS)
    def dies(self, which):
        """And comes back, as another life, knowing nothing."""
        dead = self.pods[which]
        self.lives += 1
        name = dead.link.pod.id
        self.pods[which] = self._run(self.fleet.pod(name, life=self.lives))
        self._run(self.pods[which].send())
        self.calls = [call for call in self.calls if call[0] is not dead]
        self.trying = [each for each in self.trying if each[0] is not dead]

    @rule(which=PODS)
    def emptied(self, which):
        """The store forgets all, and all tell it what they know within its time for that; a call
        comes before."""
        self.fleet.memory.restarts(empty=True)
        for pod in self.pods:
            self._run(pod.beat())
            pod.part.anew()
        self._call(which)
        for pod in self.pods:
            self._run(pod.exchange())

    @invariant()
    def one_tries(self):
        """Of those whose leases are not over, and that the fleet has open still."""
        now = self.fleet.clock.now()
        alive = [
            attempt
            for pod, attempt, until in self.trying
            if now < until and pod.circuit().owner is attempt
        ]
        assert len(alive) <= 1

    @invariant()
    def nobody_is_stuck(self):
        """What is open ends some time: nobody waits longer than for that, or for a lease."""
        now = self.fleet.clock.now()
        for pod in self.pods:
            circuit = pod.circuit()
            assert circuit.left(now) <= 120.0
            assert circuit.state is not State.HALF_OPEN or circuit.left(now) <= LEASE


TestProbes = Probes.TestCase
TestProbes.settings = settings(max_examples=60, stateful_step_count=40)
