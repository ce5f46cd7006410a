"""OpenAI's API, and what speaks like it: chat completions, responses, embeddings and the rest."""

from typing import Any

import msgspec

from proxy.call import Call
from proxy.protocols.hearing import Hearing
from proxy.protocols.members import Members
from proxy.protocols.model_bodies import ABSENT, ids_in, is_true, may_be_true, number, prompts
from proxy.protocols.models import Models, Request, Spoken, spoken_of
from proxy.protocols.openai_heard import ChatHeard, OpenAIHeard, ResponseHeard
from proxy.protocols.sse import event
from proxy.protocols.usage_asked import asking_usage
from proxy.refusal import Refusal

CHATS = frozenset({"chat/completions", "completions"})
"""Operations whose streams say what they use only if asked to."""
_RESPONSES = frozenset({"responses"})
_WRITE_NOTHING = frozenset({"embeddings", "moderations", "rerank", "responses/input_tokens"})
"""Operations that no model answers with text."""
_OPERATIONS = (
    "audio/speech",
    "audio/transcriptions",
    "audio/translations",
    "chat/completions",
    "images/edits",
    "images/generations",
    "images/variations",
    "responses/compact",
    "responses/input_tokens",
    "completions",
    "embeddings",
    "moderations",
    "rerank",
    "responses",
)
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_MOST = 1_000_000_000_000  # tokens: more cannot be paid, and the product may be any number
_TYPES = {
    "budget": "insufficient_quota",
    "caller": "invalid_request_error",
    "policy": "permission_error",
    "throttle": "rate_limit_error",
    "timeout": "timeout",
}
"""What the error is called for each category; the others are the server's."""


class _Options(msgspec.Struct):
    include_usage: msgspec.Raw = ABSENT


_options = msgspec.json.Decoder(_Options)


class OpenAI(Models):
    """See the head of this file."""

    name = "openai"
    operations = _OPERATIONS
    usual = b"/v1/chat/completions"
    known = (
        "model",
        "stream",
        "stream_options",
        "background",
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "n",
        "best_of",
        "prompt",
        "metadata",
    )
    bytes_per_token = 4.0
    id_header = b"x-request-id"

    def request(self, body: Members, operation: str) -> Request:
        """See Models."""
        chat = operation in CHATS
        answers, best_of = number(body.get("n", ABSENT)) or 1, number(body.get("best_of", ABSENT))
        asked_for = prompts(body.get("prompt", ABSENT)) if chat else 1
        most = max(number(body.get(name, ABSENT)) for name in _LIMITS)
        paid = min(asked_for * max(answers, best_of), _MOST)  # of the best of several, all
        written = min(most * paid, _MOST)
        workflow, task = ids_in(body.get("metadata", ABSENT))
        return Request(
            stream=may_be_true(body.get("stream", ABSENT)),
            lasts=operation in _RESPONSES and may_be_true(body.get("background", ABSENT)),
            output=0 if operation in _WRITE_NOTHING else written or -paid,
            choices=answers * asked_for,
            says_usage=not chat or _includes_usage(body.get("stream_options", ABSENT)),
            workflow=workflow,
            task=task,
        )

    def amends(self, call: Call, content: bytes) -> bytes | None:
        """See Protocol. Whether it could be changed is noted: the answer is then sifted."""
        spoken = spoken_of(call)
        more = asking_usage(content) if spoken.injects else None
        spoken.injected = spoken.injected or more is not None
        return more

    def hearing(self, spoken: Spoken) -> Hearing:
        """See Models."""
        if spoken.operation in CHATS:
            return ChatHeard(spoken.choices, sifts=spoken.injected)
        return ResponseHeard() if spoken.operation in _RESPONSES else OpenAIHeard()

    def shaped(self, refusal: Refusal, call: Call, attempts: int) -> bytes:
        """See Models."""
        return msgspec.json.encode(_error(refusal, call, attempts))

    def breaks_off(self, refusal: Refusal, call: Call, attempts: int) -> bytes:
        """See Protocol: an error, and no `[DONE]`. In a stream of responses events have types."""
        told = _error(refusal, call, attempts)
        if spoken_of(call).operation not in _RESPONSES:
            return b"data: %b\n\n" % msgspec.json.encode(told)
        error = told["error"]
        told |= {"type": "error", "message": error["message"], "param": None}
        return event(b"error", msgspec.json.encode(told))


def _error(refusal: Refusal, call: Call, attempts: int) -> dict[str, Any]:
    """The error, beside the members of the problem. SDKs keep nothing but the error (`e.body`), so
    they stand in there as well."""
    problem = refusal.problem(call.id, attempts)
    error = {
        "message": problem["message_for_model"],
        "type": _TYPES.get(refusal.kind.category, "server_error"),
        "code": refusal.code,
        "param": None,
        "problem": problem,
    }
    return {"error": error, **problem}


def _includes_usage(options: msgspec.Raw) -> bool:
    try:
        return is_true(_options.decode(options).include_usage)
    except (msgspec.DecodeError, UnicodeError):
        return False
