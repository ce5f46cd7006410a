"""Names in the store. Agents, tools, budgets and work may be called anything, and it may be secret:
what they are called does not get there, but where a person is to read it."""

from hashlib import blake2b

import msgspec


def digest(*names: object) -> str:
    """Of these, in this order: the same on all pods, and another one for all others."""
    return blake2b(msgspec.json.encode(names), digest_size=16).hexdigest()


def text_of(raw: bytes) -> str:
    """Whoever can write to the store may have put anything there."""
    return raw.decode(errors="replace")
