"""Standard Webhooks 1.0: how a receiver knows that a post is ours, is whole, and came just now.

    webhook-id          the same however often it is tried: whoever has seen it can leave it
    webhook-timestamp   seconds since 1970, of this try
    webhook-signature   "v1,…" of each secret, with spaces between: two while one is being replaced

Signed is `id.timestamp.body`, with HMAC-SHA-256 (https://www.standardwebhooks.com).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
LEAST, MOST = 24, 64
"""Bytes of a secret."""


def key(secret: str) -> bytes:
    """The bytes of a secret. Raises ValueError, which does not quote it."""
    text = secret.removeprefix(PREFIX)
    if text == secret:
        raise ValueError(f"expected a secret that begins with {PREFIX}")
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError(f"expected base64 after {PREFIX}") from None
    if not LEAST <= len(found) <= MOST:
        raise ValueError(f"expected {LEAST} to {MOST} bytes after {PREFIX}, found {len(found)}")
    return found


def headers(
    keys: Sequence[bytes], post_id: str, at: float, content: bytes
) -> tuple[tuple[str, str], ...]:
    """The header lines of one try, at `at` (seconds since 1970). Without keys it is not signed."""
    second = str(int(at))
    lines = [("webhook-id", post_id), ("webhook-timestamp", second)]
    signed = b"%s.%s.%s" % (post_id.encode(), second.encode(), content)
    if keys:
        lines.append(("webhook-signature", " ".join(_signature(each, signed) for each in keys)))
    return tuple(lines)


def _signature(secret: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
