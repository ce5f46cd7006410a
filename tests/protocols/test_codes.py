"""What a refusal is called in JSON-RPC."""

from proxy.protocols.codes import CODES, OTHER
from proxy.refusal import KINDS


def test_each_refusal_has_a_code_of_its_own() -> None:
    """None of JSON-RPC's, nor of those that it reserves; never two the same."""
    assert set(CODES) == set(KINDS)
    assert len(set(CODES.values())) == len(CODES)
    assert all(code > OTHER for code in CODES.values())
