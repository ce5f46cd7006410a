"""OpenAI's embeddings: a vector for each text, the same for the same text."""

import base64
import hashlib
import math
import struct
from collections.abc import Mapping

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.openai_errors import headers
from proxy.lab.sandbox.said import Answer
from proxy.lab.sandbox.words import digest, tokens

DIMENSIONS = 1536


def embed(seed: int, model: str, document: Mapping[str, object]) -> Answer:
    """Of one text, several, or texts that are tokens already; raises GatewayError 400."""
    length = document.get("dimensions", DIMENSIONS)
    if not isinstance(length, int) or not 1 <= length <= DIMENSIONS:
        raise GatewayError(400, "invalid_value", f"dimensions: must be from 1 to {DIMENSIONS}")
    texts = _texts(document.get("input"))
    packed = document.get("encoding_format") == "base64"
    read = sum(len(text) if isinstance(text, list) else tokens(text) for text in texts)
    vectors = [_vector(seed, text, length) for text in texts]
    body = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": place, "embedding": _packed(of) if packed else of}
            for place, of in enumerate(vectors)
        ],
        "model": model,
        "usage": {"prompt_tokens": read, "total_tokens": read},
    }
    return Answer(200, body, headers(digest(seed, document).hex()[:24]))


def _texts(given: object) -> list[object]:
    if isinstance(given, str) and given:
        return [given]
    if not isinstance(given, list) or not given:
        raise GatewayError(400, "invalid_value", "input: must be a text or a list, not empty")
    return [given] if all(isinstance(text, int) for text in given) else given


def _vector(seed: int, text: object, length: int) -> list[float]:
    """Of length one, as the vendor's are."""
    drawn = hashlib.shake_256(digest(seed, text)).digest(2 * length)
    found = [float(figure) for figure in struct.unpack(f"<{length}h", drawn)]
    size = math.hypot(*found)
    return [value / size for value in found]


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
