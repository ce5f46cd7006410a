"""The sandbox's ledger behind a Post: a gateway without a network."""

import json
from decimal import Decimal
from typing import Any

from proxy.lab.sandbox.catalogue import OPENING_BALANCES
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.ledger import Ledger
from proxy.lab.sandbox.tools import run
from proxy.mirrors.event import Event, event_of
from proxy.mirrors.gateway_calls import GatewayCalls
from proxy.posts import Answer, Headers
from tests.fakes import EPOCH

AGENT = "local-agent"
SOURCE = "holdfast/shop/pod-1"


class Gateway:
    """Part of Post. What it is told with a key that it knows it does not do again."""

    def __init__(self, *says: Answer) -> None:
        self.ledger = Ledger(0, lambda: EPOCH, OPENING_BALANCES)
        self.says = list(says)
        self.fails: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self._known: dict[str, Answer] = {}

    async def __call__(
        self, url: str, content: bytes, headers: Headers, /, *, private: bool = False, read: int = 0
    ) -> Answer:
        assert private
        assert read > 0
        asked = json.loads(content, parse_float=Decimal)
        lines = {name.lower(): value for name, value in headers}
        self.asked.append((asked["tool"], asked["input"], lines))
        if self.says:
            return self.says.pop(0)
        if self.fails.get(asked["tool"]):
            return self.fails[asked["tool"]].pop(0)
        key = lines.get("idempotency-key", "")
        if key not in self._known:
            answer = self._run(asked)
            if not key:
                return answer
            self._known[key] = answer
        return self._known[key]

    def _run(self, asked: dict[str, Any]) -> Answer:
        try:
            told = {"result": run(self.ledger, asked["tool"], asked["input"])}
        except GatewayError as error:
            body = json.dumps(error.body()).encode()
            return Answer(error.status, f"it answered {error.status}", body=body)
        return Answer(200, body=json.dumps(told).encode())

    @property
    def tools(self) -> list[str]:
        return [tool for tool, *_ in self.asked]

    def calls(self, *credentials: tuple[bytes, bytes]) -> GatewayCalls:
        return GatewayCalls(self, "http://gateway.example/base", credentials, "ledger")


def finished(seq: int = 2, ts: str = "2026-11-28T06:23:32.250000000Z", **more: Any) -> Event:
    """The end of a call that changed something."""
    told = {
        "agent": AGENT, "upstream": "gateway", "protocol": "tools", "layer": "tool",
        "tool": "deposit", "method": "POST", "decision": "allow", "outcome": "ok",
        "executed": "yes", "status": 200, "duration_us": 1000,
    } | more  # fmt: skip
    return record("call.finished", seq, ts, **told)


def record(
    kind: str, seq: int = 2, ts: str = "2026-11-28T06:23:32.250000000Z", **more: Any
) -> Event:
    """Any record."""
    head = {"seq": seq, "id": f"id-{seq}", "ts": ts, "type": kind, "v": 1, "writer": "pod-1"}
    line = json.dumps({**head, **more, "prev": "0" * 64, "hash": f"{seq:064x}"}).encode()
    made = event_of(line, SOURCE)
    assert made is not None
    return made
