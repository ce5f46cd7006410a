"""Which tools are left out of lists: what is denied for certain, to those to whom it is denied."""

import pytest

from proxy.call import Call, Whole
from proxy.pipeline.hidden import Hidden
from proxy.pipeline.table import facts
from tests.fakes import make_call
from tests.tables import Desk, load, request

MCP = "upstreams:\n  files: {url: 'http://h', protocol: mcp}\n"
HIDES = "policies: [{name: p, match: {tool: 'drop*'}, deny: {hide: true}}]\n"


def lists(agent: str = "a") -> dict[str, str]:
    """What policies match of a call that asks for a list."""
    return facts(make_call(protocol="mcp", layer="tool", upstream="files", agent=agent))


@pytest.mark.parametrize(
    ("policies", "hidden"),
    [
        ("{name: p, deny: {hide: true}}", True),
        ("{name: p, deny: true}", False),
        ("{name: p, match: {tool: 'x*'}, deny: {hide: true}}", False),
        ("{name: p, match: {agent: b}, deny: {hide: true}}", False),
        ("{name: p, deny: {hide: true, when: 'input.a == 1'}}", False),
        ("{name: p, match: {when: 'input.a == 1'}, deny: {hide: true}}", False),
        ("{name: p, deny: {hide: true}}, {name: q, deny: false}", False),
        ("{name: p, mode: shadow, deny: {hide: true}}", False),
        ("{name: p, deny: {hide: true}}, {name: q, match: {tool: look}, deny: true}", True),
    ],
)
def test_what_is_denied_for_certain_may_be_hidden(policies: str, hidden: bool) -> None:
    """By all that policies match; a condition decides only when the tool is called."""
    found = Hidden(load(f"{MCP}policies: [{policies}]\n").policies)
    assert found.hides(lists(), "drop") is hidden


def test_where_nothing_is_hidden_nobody_asks() -> None:
    """Nor where nothing is denied."""
    assert not Hidden([])
    assert not Hidden(load(f"{MCP}policies: [{{name: p, deny: true}}]\n").policies)


def asks(content: bytes) -> Call:
    """A call with this body."""
    call = request("POST", "/mcp", {b"content-type": b"application/json"})
    call.body = Whole(content)
    return call


def test_calls_that_set_others_up_know_what_is_hidden() -> None:
    """Tools do not: they are called, or denied."""
    desk = Desk(HIDES, 200, mounts=MCP)
    listing = asks(b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}')
    assert desk.call(listing).status == 200
    assert listing.hides is not None
    assert [listing.hides(tool) for tool in ("drop", "look")] == [True, False]
    call = asks(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop"}}')
    refusal = desk.call(call).refusal
    assert refusal is not None
    assert (refusal.code, call.hides) == ("denied", None)
    plain = asks(b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}')
    Desk("", 200, mounts=MCP).call(plain)
    assert plain.hides is None
