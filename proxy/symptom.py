"""A symptom: what went wrong with a sending, in the one word a policy uses for it.

`retry.on` and `breaker.count` take the same words: how the network failed, or a status.
"""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from proxy.reply import Failure, Reply

Symptom = (
    Annotated[int, Meta(ge=400, le=599)]
    | Annotated[
        str,
        Meta(
            pattern="^(connect|disconnect|timeout|truncated|[45][0-9][0-9])$",
            examples=["connect", "disconnect", "timeout", "truncated"],
        ),
    ]
)
"""As a file has it: `connect`, `disconnect`, `timeout`, `truncated`, or a status of 400 to 599."""

# An answer that is not HTTP tells as little of what ran as one that never came. A full pool of our
# own is, to who would repeat, a connection that was not made.
_OF_FAILURE = {
    Failure.CONNECT: "connect",
    Failure.OVERLOADED: "connect",
    Failure.CERTIFICATE: "certificate",  # no policy can name it: repeating does not mend it
    Failure.DISCONNECT: "disconnect",
    Failure.BAD_RESPONSE: "disconnect",
    Failure.TIMEOUT: "timeout",
    Failure.EXPIRED: "timeout",
    Failure.TRUNCATED: "truncated",
    Failure.CANCELLED: "cancelled",  # nor this one
    Failure.BAD_REQUEST: "bad_request",  # nor this one
}


def symptom_of(reply: Reply) -> str:
    """The word for it: of its failure where there is one, else its status, or the one that its
    content stands for."""
    return str(reply.means or reply.status) if reply.failure is None else _OF_FAILURE[reply.failure]


def symptoms(written: Iterable[int | str]) -> frozenset[str]:
    """Those of a policy, ready to be looked up: 503 and "503" are the same."""
    return frozenset(str(word) for word in written)
