"""A post: what is sent out beside calls (alerts, mirrors), and what came of it.

Who sends knows a network library (`proxy/mirrors/posting.py`); who decides what is sent, and when
again, does not.
"""

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

import msgspec

Headers = tuple[tuple[str, str], ...]
JSON: Headers = (("Content-Type", "application/json"),)


class Answer(msgspec.Struct, frozen=True):
    """What came of one try."""

    status: int = 0  # 0: no answer came
    why: str = ""  # why it was not taken, for people; never with the URL, whose path may be secret
    retry_after: float = 0.0  # seconds that the receiver asks for; 0: it asks for none
    body: bytes = b""  # the beginning of it, where that was asked for

    @property
    def taken(self) -> bool:
        """Any 2xx. A redirect is none: it is not followed."""
        return 200 <= self.status < 300


class Post(Protocol):
    """Sends one POST, and waits for its answer. Never raises for what the network does."""

    def __call__(
        self, url: str, content: bytes, headers: Headers, /, *, private: bool = False, read: int = 0
    ) -> Awaitable[Answer]:
        """`private`: the target may be of this machine or of a private network; else it is refused
        after its name was looked up. `read`: so many bytes of the answer are wanted."""
        ...


def tool_call(tool: str, given: Mapping[str, Any], key: str = "") -> tuple[bytes, Headers]:
    """What is posted to the tool gateway to call a tool of it, without who we are. `key`: the same
    however often it is tried; empty: of a call that changes nothing."""
    content = msgspec.json.encode({"tool": tool, "input": given})
    return content, (*JSON, *((("Idempotency-Key", key),) if key else ()))
