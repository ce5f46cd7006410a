"""An operator stops an agent in the middle of a stream, and lets it go on."""

from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec

from proxy.lab.demo.play import OPERATOR, Play
from proxy.lab.demo.policies import AGENT

_SCOPE = f"agent:{AGENT}"
_REASON = "wrong recipients, case 12"
_EVENTS = 3
_LONGEST = 1.0  # seconds
_PATH = f"/v1/kills/{quote(_SCOPE)}?reason={quote('recipients are right again')}"


class _Stream:
    """What an agent hears of one."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content
        self.heard = b""
        self.cut = False

    async def read(self, events: int) -> None:
        """Until so many events have come, or it ends."""
        try:
            while self.heard.count(b"\n\n") < events and (part := await self._content.readany()):
                self.heard += part
        except aiohttp.ClientPayloadError:
            self.cut = True

    @property
    def problem(self) -> dict[str, Any]:
        """What its last event says went wrong; {}: nothing."""
        kind, _, line = self.heard.rstrip().rpartition(b"\n\n")[2].partition(b"\n")
        if kind != b"event: error":
            return {}
        told: dict[str, Any] = msgspec.json.decode(line.removeprefix(b"data: "))
        return told


async def kill(play: Play) -> None:
    """Kill and revive."""
    play.tell("agent", "reads a stream, list_escrows")
    play.script({"tool": "list_escrows", "stream": 0.05})
    body = msgspec.json.encode({"tool": "list_escrows", "input": {}})
    async with play.request("POST", play.cast.proxy, body) as response:
        play.calls.add(response.headers.get("holdfast-call", ""))
        await _killed(play, _Stream(response.content))
    await _refused(play)
    await _revived(play)


async def _killed(play: Play, stream: _Stream) -> None:
    await stream.read(_EVENTS)
    play.tell("gateway", f"sends event after event; {_EVENTS} have come")
    # Somebody must be reading when it breaks off: what came just before is lost else.
    rest = play.clock.spawn(stream.read(10**9))
    content = {"scope": _SCOPE, "reason": _REASON}
    status, said = await play.ask(OPERATOR, "POST", "/v1/kills", content)
    counts = play.clock.now()
    play.tell(OPERATOR, f"kills {_SCOPE}, reason: {_REASON}")
    on_disk = "durable" if said.get("durable") else "not durable"
    play.tell("holdfast", f"answers {status}: {said.get('stopped')} call stopped, {on_disk}")
    await rest
    after = play.clock.now() - counts
    code, detail = stream.problem.get("code"), stream.problem.get("detail")
    play.tell("holdfast", f"to the agent, as the last event of the stream: {code}, {detail}")
    ended = stream.cut and code == "killed" and after < _LONGEST
    play.expect(f"the stream was over {after * 1000:.0f} ms after the kill was answered", ended)


async def _refused(play: Play) -> None:
    before = play.gateway.calls.total
    play.tell("agent", "calls get_balance")
    refused = await play.call("get_balance", agent_id=AGENT)
    play.tell("holdfast", refused.told())
    status, said = await play.ask("agent", "DELETE", _PATH)
    why = str(said.get("detail")).partition(";")[0]
    play.tell("agent", f"tries to revive itself: {status}, {why}")
    untouched = refused.said("reason") == "killed" and play.gateway.calls.total == before
    play.expect("new calls are refused, and no agent lifts it", untouched and status == 401)


async def _revived(play: Play) -> None:
    status, said = await play.ask(OPERATOR, "DELETE", _PATH)
    play.tell(OPERATOR, f"revives {_SCOPE}: {status}, revived by {said.get('revived_by')}")
    answer = await play.call("get_balance", agent_id=AGENT)
    play.tell("holdfast", answer.told())
    play.expect("it goes on", answer.went)
