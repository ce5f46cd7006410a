"""proxy/lab/sandbox/openai_embeddings.py"""

import base64
import math
import struct
from typing import Any

import pytest

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.openai_embeddings import embed


def body(**asked: object) -> Any:
    return embed(0, "m", asked).body


def test_a_vector_for_each_text() -> None:
    """Of length one; the same for the same text."""
    answer = body(input=["a", "b", "a"])
    first, other, again = (item["embedding"] for item in answer["data"])
    assert first == again != other
    assert math.isclose(math.hypot(*first), 1.0)
    assert answer["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


def test_a_text_may_be_tokens() -> None:
    """Then they are counted as they are."""
    assert body(input=[1, 2, 3])["usage"]["prompt_tokens"] == 3
    assert body(input=[[1, 2], [3]])["usage"]["prompt_tokens"] == 3


def test_vectors_may_be_packed() -> None:
    """As the vendor's SDK asks for them: the same figures."""
    plain = body(input="a", dimensions=8)["data"][0]["embedding"]
    packed = body(input="a", dimensions=8, encoding_format="base64")["data"][0]["embedding"]
    assert struct.unpack("<8f", base64.b64decode(packed)) == pytest.approx(plain)


@pytest.mark.parametrize("asked", [{}, {"input": ""}, {"input": "a", "dimensions": 0}])
def test_wrong_input_is_refused(asked: dict[str, object]) -> None:
    """400, and what is allowed."""
    with pytest.raises(GatewayError) as caught:
        embed(0, "m", asked)
    assert caught.value.status == 400
