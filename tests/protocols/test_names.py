"""Names that all readers read alike."""

import pytest

from proxy.protocols.names import stays_whole


@pytest.mark.parametrize("name", ["pay", "pay out", "bezahlen_für", "支払い", "a\u200db", ""])
def test_a_name_may_be_of_any_script(name: str) -> None:
    """With spaces in it, and with signs that are not seen but join letters."""
    assert stays_whole(name)


@pytest.mark.parametrize(
    "name", [" pay", "pay ", "pay\n", "pay\0", "p\0ay", "pay\x85x", "\u3000pay"]
)
def test_what_some_readers_cut_is_no_name(name: str) -> None:
    """Blank ends, and control characters."""
    assert not stays_whole(name)
