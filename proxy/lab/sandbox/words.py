"""What stands for language here: words drawn by a digest, and a count of tokens.

One word is one token of what is answered, so that a wish for so many tokens makes so many pieces.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping

_WORDS = (
    "account", "amount", "answer", "balance", "before", "budget", "calm", "carry", "change",
    "clear", "count", "cover", "daily", "decide", "deliver", "draft", "early", "escrow", "even",
    "every", "fair", "figure", "first", "follow", "further", "gather", "given", "hold", "keep",
    "later", "ledger", "level", "limit", "market", "matter", "measure", "never", "offer", "order",
    "other", "paid", "partner", "pledge", "price", "public", "quiet", "ready", "record", "refund",
    "release", "remain", "report", "safe", "seller", "settle", "share", "simple", "small",
    "spend", "steady", "transfer", "under", "value", "wallet",
)  # fmt: skip
_NO_TEXT = frozenset({"data", "id", "image_url", "role", "signature", "type", "url"})
BYTES_A_TOKEN = 4


def digest(*parts: object) -> bytes:
    """32 bytes, equal for equal parts."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).digest()


def pieces(key: bytes, length: int) -> Iterator[str]:
    """So many words, each with the space before it: joined, they are a text."""
    if length > 0:
        yield _word(key, 0).capitalize()
    for place in range(1, length):
        yield f" {_word(key, place)}"


def tokens(value: object) -> int:
    """About how many tokens the texts of a JSON value have; a picture has none."""
    length = sum(len(text.encode(errors="replace")) for text in _texts(value))
    return -(-length // BYTES_A_TOKEN)


def _word(key: bytes, place: int) -> str:
    # A step that is odd and not the same for all keys goes through all 64 words.
    step = key[1] | 1
    return _WORDS[(key[0] + place * step + place // len(_WORDS)) % len(_WORDS)]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for held in value:
            yield from _texts(held)
    elif isinstance(value, Mapping):
        for name, held in value.items():
            if name not in _NO_TEXT:
                yield from _texts(held)
