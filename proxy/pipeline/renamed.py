"""Calls that are sent as another model: what goes upstream is not quite what the agent sent."""

from collections.abc import Awaitable

from proxy.attempt import Attempt
from proxy.call import Call, Message
from proxy.protocols.rewriting import with_model
from proxy.refusal import Refusal
from proxy.reply import Reply, refusing
from proxy.stage import Handler, Sender
from proxy.wire.compose import with_content

_DIGESTS = frozenset(
    {b"content-md5", b"digest", b"content-digest", b"repr-digest", b"x-amz-content-sha256"}
)
"""Headers that vouch for the bytes of a body (RFC 9530 and what was before it)."""
_PLAIN = frozenset({b"", b"identity"})


def called_as(model: str, link: Handler) -> Handler:
    """A link for calls that are sent as this model. It refuses what cannot be rewritten."""

    def handle(call: Call) -> Awaitable[Reply]:
        if rewritten(call, model) is not None:
            return link(call)
        return refusing(
            Refusal("no_route", f"The body cannot be sent as the model {model}: {_WHY}")
        )

    return handle


_WHY = "it is not here as a whole, or no plain JSON object that has a model, or its path names one"


def sends_as(model: str, send: Sender) -> Sender:
    """What sends the attempts of such a link."""

    def sends(attempt: Attempt) -> Awaitable[Reply]:
        attempt.sends = rewritten(attempt.call, model)
        assert attempt.sends is not None  # it was there when the link was entered, and is kept
        return send(attempt)

    return sends


def rewritten(call: Call, model: str) -> Message | None:
    """The call's message for this model. None where its body cannot be rewritten."""
    message = call.rewritten
    if message is None or message.model != model:
        message = call.rewritten = _message(call, model)
    return message


def _message(call: Call, model: str) -> Message | None:
    # Who is asked by a path that names a model does not look for another one in the body.
    content = None if call.tool_in_path and call.layer == "llm" else plain_content(call)
    changed = None if content is None else with_model(content, model)
    return None if changed is None else Message(with_content(call.head, changed), changed, model)


def plain_content(call: Call) -> bytes | None:
    """Its body, where another one may be sent in its place: it is all here, and nothing vouches for
    its bytes."""
    fields = call.head.fields
    coded = fields.get(b"content-encoding", b"").strip().lower() not in _PLAIN
    vouched = getattr(call.body, "trailers", None) or not _DIGESTS.isdisjoint(fields)
    return None if coded or vouched else call.body.whole
