"""proxy/lab/sandbox/a2a_card.py"""

from proxy.lab.sandbox.a2a_card import card
from proxy.lab.sandbox.said import Head


def test_a_card_is_one_for_both_versions() -> None:
    """All of its URLs are the mount's."""
    shown = card(Head("GET", "", {}, {}, "http://here/a2a"))
    assert {"supportedInterfaces", "skills"} <= shown.keys()
    assert {"url", "preferredTransport", "protocolVersion"} <= shown.keys()
    assert str(shown).count("http://here/a2a") == str(shown).count("http://")
