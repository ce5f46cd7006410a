"""What acts are played on: an agent, the gateway that it believes to call, people, a story."""

import json
import textwrap
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypedDict
from urllib.parse import quote

import aiohttp
import msgspec

from proxy.clock import Clock
from proxy.lab.demo.policies import AGENT, CAPS, PARTS
from proxy.lab.sandbox.calls import Received
from proxy.lab.sandbox.faults import Script, parse_script
from proxy.lab.sandbox.gateway import Sandbox

APPROVER = "alice"
OPERATOR = "olga"
PEOPLE = {APPROVER: "approver", OPERATOR: "operator"}
"""Who has a token, and its role. Either may look at pages."""
PATIENCE = 10.0
"""Seconds that anything may take."""
_SOON = 0.01  # seconds
_WIDTH = 96
_LEFT = "   "
_STAYS = "\N{NO-BREAK SPACE}"
_JSON = {"content-type": "application/json"}

Load = Callable[[str], bool]
"""Puts the text of a policy file in force; False if it was rejected, and the old one stays."""
Say = Callable[[str], None]
"""Takes one line of the story."""


class Cast(NamedTuple):
    """Who plays, and what they play with."""

    proxy: str  # URL for the agent
    admin: str  # URL for people
    tokens: Mapping[str, str]  # of these people, by name
    gateway: Sandbox
    data_dir: Path  # where the proxy keeps its journal
    load: Load


class Answer(NamedTuple):
    """What the agent saw. Names of headers are in lower case; `body` is {} unless JSON."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes = b""

    def said(self, name: str) -> str:
        """The value of a holdfast-* header, or nothing."""
        return self.headers.get(f"holdfast-{name}", "")

    @property
    def went(self) -> bool:
        """Is it the gateway's own, and a good one?"""
        return (self.status, self.said("origin")) == (200, "upstream")

    def told(self) -> str:
        """What Holdfast decided, and why, in one line."""
        attempts = self.said("attempts")
        told = [
            f"{self.status} {self.said('reason') or self.said('outcome')}",
            _SENT.get(attempts, f"sent {attempts} times"),
            *([f"cost {self.said('cost')}"] if self.said("cost") else []),
            *([f"policy {self.said('policy').partition('@')[0]}"] if self.said("policy") else []),
            f"call {self.said('call')}",
        ]
        why = self.body.get("detail", "")
        return ", ".join(told) + (f": {why}" if why else "")


_SENT = {"0": "not sent", "1": "sent once", "2": "sent twice"}


class Promise(TypedDict):
    """What was said, and whether it was so."""

    promise: str
    held: bool


class Line(TypedDict):
    """What somebody did."""

    who: str
    did: str


class Told(TypedDict):
    """What became of an act."""

    act: str
    story: list[Line]
    promises: list[Promise]


class Play:
    """What acts are played on."""

    def __init__(self, cast: Cast, say: Say) -> None:
        self.cast = cast
        self.gateway = cast.gateway
        self.clock = Clock()
        self.calls: set[str] = set()
        """Ids of those that were answered."""
        self.told: list[Told] = []
        self._say = say
        self._session: aiohttp.ClientSession | None = None

    async def run(self, acts: "tuple[Act, ...]") -> bool:
        """All of them, in order; did everything go as said?"""
        wait = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(timeout=wait) as session:
            self._session = session
            for number, (title, act) in enumerate(acts, 1):
                self._say(f"{number}. {title}")
                self.told.append({"act": title, "story": [], "promises": []})
                try:
                    await act(self)
                except (aiohttp.ClientError, TimeoutError) as error:
                    self.expect(f"an answer came, and no {type(error).__name__}", False)
                finally:
                    await self.clock.stop()
                self._say("")
        return self.as_said

    # --- what is said ---

    def tell(self, who: str, did: str) -> None:
        """Who does what, in plain words."""
        self._put(f"{who:<9} {did}", 10)
        self.told[-1]["story"].append({"who": who, "did": did.replace(_STAYS, " ")})

    def rule(self, name: str) -> None:
        """The part of the policy file that decides in this act."""
        self.yaml("yaml", PARTS.get(name) or CAPS[name])

    def yaml(self, who: str, part: str) -> None:
        """A part of a policy file; keys stay with their values."""
        self.tell(who, part.replace(": ", f":{_STAYS}"))

    def expect(self, promise: str, held: bool) -> None:
        """A promise, and whether it held."""
        self._put(f"{'ok' if held else 'NOT SO':<9} {promise}", 10)
        self.told[-1]["promises"].append({"promise": promise, "held": held})

    @property
    def as_said(self) -> bool:
        """Did every promise hold, so far?"""
        return all(each["held"] for act in self.told for each in act["promises"])

    def _put(self, line: str, indent: int) -> None:
        hanging = _LEFT + " " * indent
        lines = textwrap.wrap(
            line,
            _WIDTH,
            initial_indent=_LEFT,
            subsequent_indent=hanging,
            break_on_hyphens=False,
            break_long_words=False,
        )
        for each in lines:
            self._say(each.replace(_STAYS, " "))

    # --- the gateway ---

    def script(self, *faults: object) -> None:
        """What the gateway's next calls meet (sandbox/faults.py)."""
        self.gateway.script = Script(parse_script(faults))

    def heard(self, since: int) -> list[Received]:
        """What the gateway received behind so many calls."""
        return [each for each in self.gateway.calls.last if each.number > since]

    @property
    def balance_micros(self) -> int:
        """What the gateway's own books say, past the proxy."""
        return self.gateway.state.wallet_of(AGENT).balance_micros

    # --- the agent ---

    async def call(self, tool: str, **given: object) -> Answer:
        """The agent calls a tool."""
        return await self.post(json.dumps({"tool": tool, "input": given}).encode())

    async def post(self, body: bytes) -> Answer:
        """The agent sends these bytes."""
        async with self.request("POST", self.cast.proxy, body) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            is_json = "json" in headers.get("content-type", "")
            raw = await response.read()
        answer = Answer(response.status, headers, msgspec.json.decode(raw) if is_json else {}, raw)
        self.calls.add(answer.said("call"))
        return answer

    # --- people ---

    async def ask(
        self, who: str, method: str, path: str, content: object = None
    ) -> tuple[int, dict[str, Any]]:
        """What the admin side answers to one of them; to `agent` too, who has no token."""
        body = None if content is None else msgspec.json.encode(content)
        token = self.cast.tokens.get(who)
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        url = f"{self.cast.admin}{path}"
        async with self.request(method, url, body, headers) as response:
            return response.status, msgspec.json.decode(await response.read())

    async def until(self, path: str, seen: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The page, as soon as this is on it. Raises TimeoutError."""
        latest = self.clock.now() + PATIENCE
        while self.clock.now() < latest:
            _, page = await self.ask(OPERATOR, "GET", path)
            if seen(page):
                return page
            await self.clock.sleep(_SOON)
        raise TimeoutError

    async def record(self, answer: Answer) -> dict[str, Any]:
        """What the journal has of this call. Raises TimeoutError."""
        path = f"/v1/calls/{quote(answer.said('call') or 'none')}"
        page = await self.until(path, lambda page: bool(page.get("record")))
        record: dict[str, Any] = page["record"]
        return record

    def request(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str] | None = None
    ) -> "aiohttp.client._RequestContextManager":
        """Of anybody."""
        assert self._session is not None
        return self._session.request(method, url, data=body, headers={**_JSON, **(headers or {})})


class Act(NamedTuple):
    """One part of the play."""

    title: str
    play: Callable[[Play], Awaitable[None]]
