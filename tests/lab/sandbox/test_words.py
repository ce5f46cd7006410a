"""proxy/lab/sandbox/words.py"""

from hypothesis import given
from hypothesis import strategies as st

from proxy.lab.sandbox.words import digest, pieces, tokens


@given(length=st.integers(0, 300), seed=st.integers())
def test_a_piece_is_a_word(length: int, seed: int) -> None:
    """So many as are asked for; joined, they are a text."""
    text = "".join(pieces(digest(seed), length))
    assert len(text.split()) == length
    assert "  " not in text


def test_tokens_are_those_of_texts() -> None:
    """Whatever they stand in; pictures, ids and names of kinds count as nothing."""
    part = {"type": "text", "text": "12345678"}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert tokens([{"role": "user", "content": [part, picture]}]) == 2
    assert tokens([None, 5]) == 0
    assert tokens("\ud800") == 1


def test_a_digest_goes_by_all_parts() -> None:
    """In any order of an object's names."""
    assert digest(1, {"a": 1, "b": 2}) == digest(1, {"b": 2, "a": 1})
    assert digest(1, "a") != digest("1", "a")
