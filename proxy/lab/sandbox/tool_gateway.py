"""The tool gateway as one of the protocols that the sandbox plays."""

from functools import partial

from proxy.lab.sandbox import envelope, tools
from proxy.lab.sandbox.desk import Desk, refusal
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.said import Answer, Head, Question

ERRORS = {
    "server": GatewayError(500, "internal_error", "the gateway failed"),
    "overloaded": GatewayError(503, "overloaded", "the gateway is overloaded"),
    "rate_limit": GatewayError(429, "rate_limited", "too many calls", {"Retry-After": "1"}),
    "quota": GatewayError(402, "quota_exhausted", "the quota of this key is used up"),
}


class ToolGateway:
    """`{"tool", "input"}` on any path, or the input on `…/v1/{tool}`."""

    errors = ERRORS

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def read(self, head: Head, body: bytes) -> Question:
        """As the envelope says it."""
        asked = envelope.read(head.path, body, head.headers.get("Idempotency-Key"), tools.TOOLS)
        return Question(
            tool=asked.tool,
            key=asked.key,
            run=partial(self._desk.answer, asked),
            again=partial(self._desk.answer_twice, asked),
            held=partial(self._desk.held, asked),
            refusal=refusal,
        )

    def refusal(self, error: GatewayError) -> Answer:
        """`{"error": {"code", "message"}}`."""
        return refusal(error)
