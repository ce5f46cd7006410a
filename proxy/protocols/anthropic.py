"""Anthropic's API, and what speaks like it: messages, and what is beside them."""

from collections.abc import Callable
from typing import Any

import msgspec

from proxy.call import Call, RequestHead
from proxy.protocols.anthropic_heard import AnthropicHeard, CountHeard
from proxy.protocols.hearing import Hearing
from proxy.protocols.members import Members
from proxy.protocols.model_bodies import ABSENT, ids_in, may_be_true, number
from proxy.protocols.models import Models, Request, Spoken
from proxy.protocols.sse import event
from proxy.refusal import Refusal

_COUNTS = "messages/count_tokens"
_BATCHES = "messages/batches"  # many messages, each with its own model
_OPERATIONS = (_COUNTS, _BATCHES, "messages", "complete")
_HEARD: dict[str, Callable[[], Hearing]] = {"messages": AnthropicHeard, _COUNTS: CountHeard}
_LIMITS = ("max_tokens", "max_tokens_to_sample")
_TYPES = {
    402: "billing_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
"""What the error is called for each status, where it is not called as its category."""
_OF_CATEGORIES = {"policy": "permission_error", "caller": "invalid_request_error"}


class Anthropic(Models):
    """See the head of this file."""

    name = "anthropic"
    operations = _OPERATIONS
    usual = b"/v1/messages"
    known = ("model", "stream", "max_tokens", "max_tokens_to_sample", "metadata")
    bytes_per_token = 3.5
    changing = frozenset({_BATCHES})
    id_header = b"request-id"

    def request(self, body: Members, operation: str) -> Request:
        """See Models."""
        most = max(number(body.get(name, ABSENT)) for name in _LIMITS)
        workflow, task = ids_in(body.get("metadata", ABSENT))
        return Request(
            stream=may_be_true(body.get("stream", ABSENT)),
            output=0 if operation == _COUNTS else most or -1,
            workflow=workflow,
            task=task,
        )

    def knows(self, head: RequestHead, content: bytes | None) -> bool:
        """See Models. Its clients say which version of it they speak."""
        if b"anthropic-version" in head.fields and head.method == "POST":
            return bool(self.find(head.target).operation)
        return super().knows(head, content)

    def hearing(self, spoken: Spoken) -> Hearing | None:
        """See Models."""
        heard = _HEARD.get(spoken.operation)
        return None if heard is None else heard()

    def shaped(self, refusal: Refusal, call: Call, attempts: int) -> bytes:
        """See Models."""
        return msgspec.json.encode(_error(refusal, call, attempts))

    def breaks_off(self, refusal: Refusal, call: Call, attempts: int) -> bytes:
        """See Protocol."""
        return event(b"error", self.shaped(refusal, call, attempts))


def _error(refusal: Refusal, call: Call, attempts: int) -> dict[str, Any]:
    """The error, with the problem in it."""
    problem = refusal.problem(call.id, attempts)
    kind = _TYPES.get(refusal.kind.status) or _OF_CATEGORIES.get(refusal.kind.category, "api_error")
    error = {"type": kind, "message": problem["message_for_model"], "problem": problem}
    return {"type": "error", "error": error, "request_id": call.id}
