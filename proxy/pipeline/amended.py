"""Calls of which their upstream is asked more than the agent asks: what they used, say.

What comes of it is kept from the agent, and that takes an answer that can be read. So such a call
accepts no coding either.
"""

from collections.abc import Awaitable

from msgspec.structs import replace

from proxy.attempt import Attempt
from proxy.call import Message, RequestHead
from proxy.pipeline.renamed import plain_content
from proxy.protocols.protocol import Protocol
from proxy.reply import Reply
from proxy.stage import Sender
from proxy.wire.compose import REWRITTEN, lines_to_pass_on, with_content

_ACCEPTS = b"accept-encoding"


def amending(protocol: Protocol, send: Sender) -> Sender:
    """What sends attempts, by a protocol that may have more to ask."""

    def sends(attempt: Attempt) -> Awaitable[Reply]:
        before = attempt.sends
        head, content = attempt.call.head, plain_content(attempt.call)
        if before is not None:
            head, content = before.head, before.content
        more = None if content is None else protocol.amends(attempt.call, content)
        if more is not None:
            model = attempt.call.model if before is None else before.model
            attempt.sends = Message(_uncoded(with_content(head, more)), more, model)
        return send(attempt)

    return sends


def _uncoded(head: RequestHead) -> RequestHead:
    headers = [line for line in head.headers if line[0] != _ACCEPTS]
    headers.append((_ACCEPTS, b"Accept-Encoding", b"identity"))
    fields = {**head.fields, _ACCEPTS: b"identity"}
    lines = lines_to_pass_on(headers, fields, REWRITTEN)
    return replace(head, headers=headers, fields=fields, lines=lines, worked_out={})
