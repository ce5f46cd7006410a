"""proxy/lab/sandbox/envelope.py"""

from decimal import Decimal

import pytest

from proxy.lab.sandbox.envelope import Asked, read
from proxy.lab.sandbox.errors import GatewayError

TOOLS = ("get_balance", "estimate_cost")


def asked(path: str, body: str, key: str | None = None) -> Asked:
    return read(path, body.encode(), key, TOOLS)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/execute", "/any/where"])
def test_the_envelope_counts_on_any_path(path: str) -> None:
    """{"tool", "input"} is understood wherever it is posted."""
    found = asked(path, '{"tool": "get_balance", "input": {"agent_id": "a"}}')
    assert (found.tool, found.given) == ("get_balance", {"agent_id": "a"})


def test_input_may_be_left_out() -> None:
    """A tool that needs nothing can be called with its name alone."""
    assert asked("/", '{"tool": "get_balance"}').given == {}


@pytest.mark.parametrize("path", ["/v1/get_balance", "/base/v1/get_balance"])
@pytest.mark.parametrize("body", [
    '{"agent_id": "a"}',
    '{"input": {"agent_id": "a"}}',
    '{"tool": "get_balance", "input": {"agent_id": "a"}}',
])  # fmt: skip
def test_the_tool_may_stand_in_the_path(path: str, body: str) -> None:
    """…/v1/{tool} takes the input itself, or the input in an envelope."""
    found = asked(path, body)
    assert (found.tool, found.given) == ("get_balance", {"agent_id": "a"})


def test_an_input_may_have_a_field_named_tool() -> None:
    """With the tool in the path, `tool` in the body is a field like any other."""
    found = asked("/v1/estimate_cost", '{"tool": "get_balance"}')
    assert (found.tool, found.given) == ("estimate_cost", {"tool": "get_balance"})


def test_numbers_are_kept_exactly() -> None:
    """No amount becomes a float on the way in."""
    found = asked("/", '{"tool": "get_balance", "input": {"n": 0.1}}')
    assert found.given == {"n": Decimal("0.1")}


@pytest.mark.parametrize(("path", "body", "status", "code"), [
    ("/", "", 400, "invalid_json"),
    ("/", "{", 400, "invalid_json"),
    ("/", '{"tool": "get_balance", "input": {"n": NaN}}', 400, "invalid_json"),
    ("/", "[" * 100_000, 400, "invalid_json"),
    ("/", "[]", 400, "invalid_request"),
    ("/", "{}", 400, "invalid_request"),
    ("/", '{"tool": 7}', 400, "invalid_request"),
    ("/", '{"tool": "get_balance", "input": []}', 400, "invalid_request"),
    ("/v1/get_balance", '{"tool": "estimate_cost", "input": {}}', 400, "ambiguous_call"),
    ("/", '{"tool": "x"}', 404, "unknown_tool"),
    ("/v1/x", "{}", 404, "unknown_tool"),
])  # fmt: skip
def test_what_is_not_clear_is_refused(path: str, body: str, status: int, code: str) -> None:
    """Each kind of bad request has its status and its word."""
    with pytest.raises(GatewayError) as caught:
        asked(path, body)
    assert (caught.value.status, caught.value.code) == (status, code)


def test_a_body_that_is_not_text_is_refused() -> None:
    """Only UTF-8 is JSON."""
    with pytest.raises(GatewayError) as caught:
        read("/", b"\xff\xfe", None, TOOLS)
    assert caught.value.code == "invalid_json"


@pytest.mark.parametrize(("header", "field", "key"), [
    (None, None, None),
    ("h", None, "h"),
    ('"h"', None, "h"),
    (None, "f", "f"),
    ("h", "f", "h"),
])  # fmt: skip
def test_the_key_comes_from_header_or_input(
    header: str | None, field: str | None, key: str | None
) -> None:
    """The header's key is taken before the input's, with or without quotes."""
    given = "null" if field is None else f'"{field}"'
    body = f'{{"tool": "get_balance", "input": {{"idempotency_key": {given}}}}}'
    assert asked("/", body, header).key == key


@pytest.mark.parametrize("key", ["", '""', "x" * 256])
def test_a_key_has_a_sensible_length(key: str) -> None:
    """Empty and endless keys are refused."""
    with pytest.raises(GatewayError) as caught:
        asked("/", '{"tool": "get_balance"}', key)
    assert caught.value.code == "invalid_idempotency_key"


def test_fingerprint_is_of_what_is_asked() -> None:
    """Order, spacing, form and key do not matter; tool and input do."""
    same = [
        asked("/", '{"tool": "get_balance", "input": {"a": 1, "b": 2}}', "k"),
        asked("/v1/get_balance", '{"b":2,"a":1}'),
        asked("/v1/get_balance", '{"b":2,"a":1,"idempotency_key":"k"}'),
    ]
    other = [asked("/v1/get_balance", '{"a":1}'), asked("/v1/estimate_cost", '{"a":1,"b":2}')]
    assert len({each.fingerprint() for each in same}) == 1
    assert len({each.fingerprint() for each in [*same, *other]}) == 3


@pytest.mark.parametrize("number", ["1e9999999999999999999", "-1e9999999999999999999"])
def test_a_number_that_no_decimal_holds_is_refused(number: str) -> None:
    """It is the agent's mistake, not the gateway's."""
    with pytest.raises(GatewayError) as caught:
        asked("/v1/get_balance", f'{{"amount": {number}}}')
    assert (caught.value.status, caught.value.code) == (400, "invalid_json")


def test_numbers_may_be_spelled_otherwise_when_a_call_is_repeated() -> None:
    """`1` and `1.0` are one number; `"1"` is a text, and true is true."""
    spelled = [["1", "1.0", "10e-1"], ["0", "-0.0", "0e5"], ["[1.50]", "[1.5]"]]
    others = ['"1"', "true", "1.1", "-1", "100", '{"number": 0}']
    same = [
        {asked("/v1/get_balance", f'{{"amount": {number}}}').fingerprint() for number in numbers}
        for numbers in [*spelled, *([other] for other in others)]
    ]
    assert [len(each) for each in same] == [1] * len(same)
    assert len(set().union(*same)) == len(same)
