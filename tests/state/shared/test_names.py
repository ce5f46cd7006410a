"""Names in the store: the same on all pods, and nothing that anybody could read."""

from proxy.state.shared.names import digest, text_of


def test_names_have_the_same_digest_everywhere():
    """It is short, and of fixed length."""
    assert digest("fleet", "bot", 3) == digest("fleet", "bot", 3)
    assert len(digest("")) == len(digest("x" * 10_000)) == 32


def test_other_names_have_another_one():
    """Also where they read the same one behind the other, or are in another order."""
    digests = {digest(*each) for each in (("ab", "c"), ("a", "bc"), ("c", "ab"), ("abc",), ())}

    assert len(digests) == 5


def test_what_is_no_text_is_read_all_the_same():
    """It harms nobody."""
    assert (text_of(b"b\xc3\xb6b"), text_of(b"\xff")) == ("b\u00f6b", "\ufffd")
