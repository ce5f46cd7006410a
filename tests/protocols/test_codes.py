"""What a refusal is called in JSON-RPC."""

import re
from pathlib import Path

from proxy.protocols.codes import CODES, OTHER
from proxy.refusal import KINDS


def test_each_refusal_has_a_code_of_its_own() -> None:
    """None of JSON-RPC's, nor of those that it reserves; never two the same."""
    assert set(CODES) == set(KINDS)
    assert len(set(CODES.values())) == len(CODES)
    assert all(code > OTHER for code in CODES.values())


def test_the_page_tells_of_all() -> None:
    """Whoever has one in hand finds it."""
    page = Path(__file__).resolve().parents[2] / "docs" / "mcp.md"
    told = re.findall(r"\| (7\d{3}) \| `([a-z_]+)`", page.read_text())
    assert {code: int(number) for number, code in told} == CODES
