"""The demo's play: an agent calls a gateway that fails on cue, and each promise is checked.

It knows the proxy only as its agent does, by its address, and the gateway as the sandbox that it
scripts. Who wires the two together (`proxy/cli/demo.py`) hands in how policies are loaded.
"""

import asyncio
import shutil
import tempfile
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import aiohttp
import msgspec

from proxy.clock import Clock
from proxy.journal.chain import claims
from proxy.journal.folder import Folder
from proxy.journal.records import Records
from proxy.journal.verify import Verdict, verify
from proxy.lab.sandbox.faults import Script, parse_script
from proxy.lab.sandbox.gateway import Sandbox

Load = Callable[[str], bool]
"""Puts the text of a policy file in force; False if it was rejected, and the old one stays."""
Say = Callable[[str], None]
"""Takes one line of the story."""

_PATIENCE = aiohttp.ClientTimeout(total=10)
_WIDTH = 96
_LONGEST_WAIT = 5.0  # seconds

_POLICIES = """\
upstreams:
  gateway: {{url: "{url}", protocol: tools, path: /}}
policies:
  - name: default
    timeout: {{connect: 1s, total: 8s}}
    retry: {{attempts: 2}}
    breaker: {{consecutive: 3, rate: 1, open: {{base: 1s, jitter: 0}}, probes: 1}}
  - name: reads
    match: {{layer: tool, tool: "get_*"}}
    effect: read
    retry: {{attempts: {attempts}}}
"""


def policies(gateway_url: str, attempts: int = 3) -> str:
    """The policy file that the demo is played with; reads are sent up to `attempts` times."""
    return _POLICIES.format(url=gateway_url, attempts=attempts)


class Answer(NamedTuple):
    """What the agent saw. Names of headers are in lower case; `body` is {} unless JSON."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]

    def said(self, name: str) -> str:
        """The value of a holdfast-* header, or nothing."""
        return self.headers.get(f"holdfast-{name}", "")

    def shown(self) -> str:
        """The status and what Holdfast said about it, in one line."""
        told = [
            f"{name}={value}"
            for name, value in self.headers.items()
            if name.startswith("holdfast-") or name == "retry-after"
        ]
        return " ".join([str(self.status), *told])


class Promise(TypedDict):
    """What was said, and whether it was so."""

    promise: str
    held: bool


class Told(TypedDict):
    """What became of a scene."""

    scene: str
    promises: list[Promise]


class Play:
    """The stage: an agent, the gateway that it believes to call, and what is said of both."""

    def __init__(
        self, proxy_url: str, gateway: Sandbox, load: Load, say: Say, data_dir: Path
    ) -> None:
        """`data_dir` is where the proxy keeps its journal."""
        self.gateway = gateway
        self.data_dir = data_dir
        self.calls: set[str] = set()
        """Ids of those that were answered."""
        self.clock = Clock()
        self.load = load
        self.told: list[Told] = []
        self._url = proxy_url
        self._say = say
        self._session: aiohttp.ClientSession | None = None

    async def run(self) -> bool:
        """All scenes, in order; did everything go as said?"""
        async with aiohttp.ClientSession(timeout=_PATIENCE) as session:
            self._session = session
            for number, (title, scene) in enumerate(SCENES, 1):
                self._say(f"{number}. {title}")
                self.told.append({"scene": title, "promises": []})
                try:
                    await scene(self)
                except (aiohttp.ClientError, TimeoutError) as error:
                    self.expect(f"an answer came, and no {type(error).__name__}", False)
                self._say("")
        return self.as_said

    def tell(self, story: str) -> None:
        """What happens, in plain words."""
        for line in textwrap.wrap(story, _WIDTH - 3):
            self._say(f"   {line}")

    def expect(self, promise: str, held: bool) -> None:
        """A promise, and whether it held."""
        self._say(f"   {'ok ' if held else 'NOT SO'} {promise}")
        self.told[-1]["promises"].append({"promise": promise, "held": held})

    @property
    def as_said(self) -> bool:
        """Did every promise hold, so far?"""
        return all(each["held"] for scene in self.told for each in scene["promises"])

    def script(self, *faults: object) -> None:
        """What the gateway's next calls meet (sandbox/faults.py)."""
        self.gateway.script = Script(parse_script(faults))

    async def call(self, tool: str, **given: object) -> Answer:
        """The agent calls a tool."""
        return await self.post(msgspec.json.encode({"tool": tool, "input": given}))

    async def post(self, body: bytes) -> Answer:
        """The agent sends these bytes; what it gets is shown."""
        assert self._session is not None
        kind = {"content-type": "application/json"}
        async with self._session.post(self._url, data=body, headers=kind) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            json = "json" in headers.get("content-type", "")
            content = msgspec.json.decode(await response.read()) if json else {}
        answer = Answer(response.status, headers, content)
        self.calls.add(answer.said("call"))
        seen = f"   the agent sees {answer.shown()}"
        for line in textwrap.wrap(seen, _WIDTH, subsequent_indent="      ", break_on_hyphens=False):
            self._say(line)
        return answer

    @property
    def balance_micros(self) -> int:
        """What the gateway's own books say, past the proxy."""
        return self.gateway.state.wallet_of(AGENT).balance_micros


AGENT = "local-agent"
_DEPOSIT = {"agent_id": AGENT, "amount": "5.00"}
_EVENT = {"agent_id": AGENT, "event_type": "price.changed"}


async def plain_read(play: Play) -> None:
    """Nothing goes wrong."""
    play.tell("The agent asks for its balance; the gateway answers.")
    answer = await play.call("get_balance", agent_id=AGENT)
    play.expect("the gateway's answer came through", _is_ok(answer, attempts=1))


async def breaker(play: Play) -> None:
    """A tool that keeps failing is left alone, and asked again later."""
    play.tell("publish_event fails three times in a row.")
    play.script({"tool": "publish_event", "status": 500, "times": 3})
    for _ in range(3):
        await play.call("publish_event", **_EVENT)
    play.tell("Its circuit is open now: the next call is answered by Holdfast.")
    before = play.gateway.calls.total
    refused = await play.call("publish_event", **_EVENT)
    play.expect("refused with circuit_open", refused.said("reason") == "circuit_open")
    play.expect("the gateway heard nothing of it", play.gateway.calls.total == before)
    other = await play.call("get_balance", agent_id=AGENT)
    play.expect("another tool of the same gateway still answers", _is_ok(other, attempts=1))
    await _recovers(play, refused)


async def _recovers(play: Play, refused: Answer) -> None:
    wait = min(_LONGEST_WAIT, int(refused.headers.get("retry-after-ms", "0")) / 1000)
    play.tell(f"The agent waits as long as it was told, {wait:.1f} s, and tries again.")
    await play.clock.sleep(wait)
    probe = await play.call("publish_event", **_EVENT)
    after = await play.call("publish_event", **_EVENT)
    play.expect("the first call proved the tool well", _is_ok(probe, attempts=1))
    play.expect("and the circuit is closed", _is_ok(after, attempts=1))


async def repeated_read(play: Play) -> None:
    """A failure that the agent never sees."""
    play.tell("The gateway answers 503 once. A read does no harm twice, so it is sent again.")
    play.script(503)
    before = play.gateway.calls.total
    answer = await play.call("get_balance", agent_id=AGENT)
    play.expect("the agent got its balance", _is_ok(answer, attempts=2))
    play.expect("the gateway was asked twice", play.gateway.calls.total == before + 2)


async def unknown_outcome(play: Play) -> None:
    """A write that ran, though no answer came."""
    play.tell(
        "A deposit of 5.00: the gateway books it, then resets the connection. Nobody on this side"
        " can know that it ran, so it is not sent again: that would book it twice."
    )
    play.script({"tool": "deposit", "reset": True, "executed": True})
    before = play.balance_micros
    answer = await play.call("deposit", **_DEPOSIT)
    paid = play.balance_micros - before
    play.tell(f"The model is told: {answer.body.get('message_for_model', 'nothing')}")
    play.expect("the outcome is called unknown", answer.body.get("executed") == "unknown")
    play.expect("it was sent once", answer.said("attempts") == "1")
    play.expect("it is booked once in the gateway's ledger", paid == 5_000_000)


async def pushback(play: Play) -> None:
    """An upstream that asks for time gets it."""
    play.tell("The gateway answers 429 with Retry-After: 1. The next attempt waits that long.")
    play.script({"status": 429, "headers": {"Retry-After": "1"}})
    began = play.clock.now()
    answer = await play.call("get_balance", agent_id=AGENT)
    took = play.clock.now() - began
    play.expect("the second attempt was answered", _is_ok(answer, attempts=2))
    # Timers may go off a little early, by the grain of the loop's clock.
    play.expect(f"it took over a second ({took:.2f} s)", took > 0.99)


async def ambiguous(play: Play) -> None:
    """A body that says two things."""
    play.tell("A body with two tools in it: a policy could see the one, the gateway run the other.")
    before = play.gateway.calls.total
    answer = await play.post(
        b'{"tool": "get_balance", "tool": "deposit", "input": {"agent_id": "local-agent"}}'
    )
    play.expect("refused as ambiguous", answer.said("reason") == "ambiguous_call")
    play.expect("the gateway heard nothing of it", play.gateway.calls.total == before)


async def reload(play: Play) -> None:
    """Policies change while it runs; a bad file changes nothing."""
    play.tell("The policy file changes: reads are sent once only. Then the gateway answers 503.")
    before = await play.call("get_balance", agent_id=AGENT)
    once = policies(play.gateway.url, attempts=1)
    play.expect("the new file is in force", play.load(once))
    play.script(503)
    single = await play.call("get_balance", agent_id=AGENT)
    play.expect("one attempt, and its 503", (single.status, single.said("attempts")) == (503, "1"))
    play.expect("by another version", single.said("policy") != before.said("policy"))
    play.tell("Somebody saves a file with a mistake in it.")
    play.expect("it is rejected", not play.load(once.replace("attempts", "atempts")))
    after = await play.call("get_balance", agent_id=AGENT)
    play.expect("the version before it rules", after.said("policy") == single.said("policy"))


async def record(play: Play) -> None:
    """What happened is on the disk, and cannot be changed without being seen."""
    play.tell(
        "Every call left a record in the journal. A write is answered when its own is on the disk,"
        " and all before it are. The agent makes one more deposit; then the journal is verified."
    )
    await play.call("deposit", **_DEPOSIT)
    verdict = await asyncio.to_thread(verify, play.data_dir)
    told = _finished(play.data_dir)
    play.expect(f"it holds: {verdict.why}", verdict.exit == 0)
    play.expect(f"all {len(play.calls)} calls of the agent are in it", play.calls <= told)
    play.tell("In a copy of it, somebody makes a refused call one that was let through.")
    forged = _forged(play.data_dir)
    play.tell(f"verify says: {forged.why}")
    play.expect("the record is named", bool(forged.integrity.bad))


def _finished(data_dir: Path) -> set[str]:
    """The ids of calls that have ended."""
    lines = [line for lines in Records(data_dir).oldest_first() for line in lines]
    return {found.id for found in map(claims, lines) if found and found.type == "call.finished"}


def _forged(data_dir: Path) -> Verdict:
    """What is said of a copy in which one word is another."""
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(data_dir, copy, ignore=shutil.ignore_patterns("*.sock"))
        for file in Folder(copy).segments():
            content = file.path.read_bytes()
            file.path.write_bytes(
                content.replace(b'"decision":"refuse"', b'"decision":"allow" ', 1)
            )
        return verify(copy)


def _is_ok(answer: Answer, attempts: int) -> bool:
    return (answer.status, answer.said("attempts")) == (200, str(attempts))


SCENES: tuple[tuple[str, Callable[[Play], Awaitable[None]]], ...] = (
    ("A read", plain_read),
    # First of the failures: once two tools have failed, those of all count against the upstream.
    ("A circuit opens, and recovers", breaker),
    ("A read that fails once", repeated_read),
    ("A write whose outcome nobody knows", unknown_outcome),
    ("An upstream that asks for time", pushback),
    ("A call that can be read in two ways", ambiguous),
    ("Other policies, without a restart", reload),
    ("The record of all this", record),
)
