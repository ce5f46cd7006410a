"""Conditions in force: what they are shown of a call, and what their answers mean."""

from typing import Any

import pytest

from proxy.call import Call, Whole
from proxy.counts import EXPRESSION_ERRORS
from proxy.expression import Expression
from proxy.protocols.arguments import KEPT
from proxy.protocols.condition import Condition
from proxy.protocols.protocol import Rules
from proxy.protocols.recognise import HTTP, TOOLS
from proxy.refusal import Refusal
from proxy.stage import Ground
from proxy.wire.body import Body
from tests.fakes import EPOCH, FakeClock, make_ground
from tests.tables import post, request


def call_of(content: bytes = b'{"amount": 150}', tool: str = "pay", **fields: bytes) -> Call:
    """A call of a tool by its path, recognised."""
    call = post(tool, {name.replace("_", "-").encode(): value for name, value in fields.items()})
    call.body = Whole(content)
    call.upstream, call.agent, call.fleet, call.workflow = "gateway", "ann", "crew", "w"
    assert TOOLS.recognise(call, content, Rules()) is None
    return call


def condition(text: str, ground: Ground | None = None) -> Condition:
    """One of the policy `p`, in the section `deny`."""
    return Condition(Expression.parse(text), "p", "deny", ground or make_ground())


def counted(ground: Ground) -> dict[tuple[str, ...], int]:
    """Failures, by policy and place."""
    rows: dict[tuple[str, ...], int] = dict(ground.keep.items())[EXPRESSION_ERRORS.key].rows
    return rows


@pytest.mark.parametrize(
    "text",
    [
        "input.amount > 100.0",
        "input.size() == 1",
        "tool == 'pay' && layer == 'tool' && upstream == 'gateway' && model == ''",
        "agent == 'ann' && fleet == 'crew' && workflow == 'w'",
        "method == 'POST' && path == '/v1/pay'",
        "headers['x-a'] == 'b' && !('x-b' in headers)",
        "headers['x-a'] == 'b'",
        "tokens == 3",
    ],
)
def test_every_fact_of_a_call_can_be_asked_for(text: str) -> None:
    """Under the name that it has in a policy."""
    assert condition(text).holds(call_of(x_a=b"b")) is True


def test_the_method_of_a_call_to_an_agent_is_its_operation() -> None:
    """As where policies match it."""
    call = call_of()
    call.operation = "SendMessage"
    assert condition("method == 'SendMessage'").holds(call) is True


def test_a_header_that_is_not_there_is_missing() -> None:
    """As a member is."""
    assert condition("headers['x-a'] == 'b'").holds(call_of()) is None


def test_now_is_the_wall_clock() -> None:
    """Handed in, like all time."""
    ground = make_ground(FakeClock(at=0.0))
    assert condition(f"now == timestamp({int(EPOCH)})", ground).holds(call_of()) is True


def test_a_clock_that_shows_no_date_is_a_failure() -> None:
    """It may have been set to anything."""
    ground = make_ground(FakeClock(at=1e20))
    assert condition("now == now", ground).holds(call_of()) is None


@pytest.mark.parametrize(
    ("body", "length", "chunked", "tokens"),
    [
        (Whole(b""), None, False, "1"),
        (Whole(b"x" * 400), 400, False, "100"),
        (Whole(b"x" * 400), None, True, "100"),
        (Body(), 4000, False, "1000"),
        (Body(), None, False, "1"),
    ],
)
def test_tokens_are_estimated_from_the_size(
    body: Any, length: int | None, chunked: bool, tokens: str
) -> None:
    """As limits of tokens do it."""
    call = request("PUT", "/x")
    call.body, call.head.length, call.head.chunked = body, length, chunked
    assert condition(f"tokens == {tokens}").holds(call) is True


def test_the_size_of_a_body_that_still_comes_may_not_be_known() -> None:
    """Then there is no estimate."""
    call = request("PUT", "/x")
    call.body, call.head.chunked = Body(), True
    assert condition("tokens < 100").holds(call) is None


def test_plain_http_has_no_input() -> None:
    """Its body is not read."""
    call = request("POST", "/x")
    call.body = Whole(b'{"amount": 150}')
    assert HTTP.recognise(call, None, Rules()) is None
    assert condition("has(input.amount)").holds(call) is False
    assert condition("input.amount > 100").holds(call) is None


def test_a_failure_is_counted_by_policy_and_place() -> None:
    """Once for each time that it happens; also in a shadow, for it would fail in force."""
    keep = make_ground()
    shadow = Ground(keep.clock, keep.keep, shadow=True)
    for ground in (keep, shadow):
        assert condition("input.gone > 1", ground).holds(call_of()) is None
    assert condition("input.amount > 1", keep).holds(call_of()) is True
    assert counted(keep) == {("p", "deny"): 2}


def test_who_only_wants_to_know_is_not_counted() -> None:
    """`explain` asks too."""
    ground = make_ground()
    assert condition("input.gone > 1", ground).look(call_of()) is None
    assert counted(ground) == {}


@pytest.mark.parametrize(
    "content",
    [b'{"amount": 1, "amount": 2}', b'{"amount": 1e999}', b'{"amount": 1, "AMOUNT": 200}'],
)
def test_arguments_with_two_readings_are_refused(content: bytes) -> None:
    """Only where they are asked for; the refusal names the policy, and is no failure."""
    ground = make_ground()
    refusal = condition("input.amount > 100", ground).holds(call_of(content))
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.policy) == ("ambiguous_call", "p")
    assert counted(ground) == {}
    assert condition("tool == 'pay'", ground).holds(call_of(content)) is True


def test_what_cannot_be_read_at_all_is_a_failure() -> None:
    """The upstream may pass what is no JSON: its policies still restrict."""
    call = call_of(b"amount=150", content_type=b"application/x-www-form-urlencoded")
    assert condition("!has(input.amount) || input.amount < 100").holds(call) is None


def test_arguments_are_read_once_where_they_are_small() -> None:
    """Whoever asks next finds them; large ones would stay as long as the call."""
    small, large = call_of(), call_of(b'{"amount": 150, "x": "%b"}' % (b"y" * KEPT))
    for call in (small, large):
        assert condition("input.amount > 100").holds(call) is True
    kept = small.arguments
    assert kept.value == {"amount": 150}
    assert large.arguments is None
    condition("input.amount > 200").holds(small)
    assert small.arguments is kept
