"""Policies that hold under a condition."""

import itertools

import pytest

from proxy.call import Effect
from proxy.counts import EXPRESSION_ERRORS
from proxy.pipeline import table
from proxy.pipeline.compile import Pipeline
from proxy.pipeline.conditional import Conditional
from proxy.reply import Failure
from tests.fakes import run
from tests.tables import Desk, give, post

BIG = """
policies:
  - {name: all, retry: {attempts: 2, backoff: {base: 1ms}}}
  - {name: big, match: {tool: pay, when: 'input.amount > 100'}, effect: read, timeout: {total: 5s}}
"""


def pay(amount: object = 150) -> bytes:
    """The arguments of a payment."""
    return f'{{"amount": {amount}}}'.encode()


def policies(text: str, content: bytes, tool: str = "pay") -> tuple[str, ...]:
    """Those in force for a call."""
    return Desk(text).pipeline(give(tool, content)).policies


@pytest.mark.parametrize(
    ("content", "names"),
    [(pay(150), ("all", "big")), (pay(50), ("all",)), (b"{}", ("all",))],
    ids=["holds", "does not", "fails"],
)
def test_a_condition_is_asked_of_each_call(content: bytes, names: tuple[str, ...]) -> None:
    """Where it fails, what its policy permits does not hold."""
    desk = Desk(BIG)
    pipeline = desk.pipeline(give("pay", content))
    assert pipeline.policies == names
    assert pipeline.effect is (Effect.READ if len(names) == 2 else Effect.WRITE)
    assert desk.rows(EXPRESSION_ERRORS) == ({("big", "match"): 1} if content == b"{}" else {})


def test_calls_that_no_condition_may_hold_for_have_a_plain_pipeline() -> None:
    """Nothing is asked of them, and nothing stands in their way."""
    desk = Desk(BIG)
    assert type(desk.found(post("search"))) is Pipeline
    assert type(desk.found(give("pay", pay()))) is Conditional


def test_pipelines_are_found_by_what_the_conditions_came_to() -> None:
    """Each is compiled once."""
    desk = Desk(BIG)
    big, small = desk.pipeline(give("pay", pay(150))), desk.pipeline(give("pay", pay(50)))
    assert big is not small
    assert desk.pipeline(give("pay", pay(999))) is big
    assert desk.pipeline(give("pay", pay(1))) is small


def test_it_is_called_like_a_pipeline() -> None:
    """The effect that the condition gives counts: a read is sent again."""
    desk = Desk(BIG, Failure.DISCONNECT, 200, Failure.DISCONNECT)
    assert desk.call(give("pay", pay(150))).status == 200
    assert desk.call(give("pay", pay(50))).failure is Failure.DISCONNECT


RESTRICTS = """
policies:
  - name: p
    match: {when: 'input.amount > 100'}
    effect: read
    deny: {when: 'tool == "pay"'}
    retry: {}
"""


@pytest.mark.parametrize(
    ("content", "code"), [(pay(150), "denied"), (pay(50), ""), (b"{}", "denied")]
)
def test_a_condition_that_fails_does_not_open_what_it_guards(content: bytes, code: str) -> None:
    """What its policy restricts holds then, and nothing else of it."""
    desk = Desk(RESTRICTS, 200)
    pipeline = desk.pipeline(give("pay", content))
    assert pipeline.effect is (Effect.READ if content == pay(150) else Effect.WRITE)
    reply = desk.call(give("pay", content))
    assert (reply.refusal.code if reply.refusal else "") == code


TWICE = b'{"amount": 1, "amount": 150}'


@pytest.mark.parametrize(
    ("says", "refused"),
    [
        ("effect: read", True),
        ("deny: true", True),
        ("timeout: {total: 1s}, mode: shadow", False),
        ("effect: read, mode: shadow", False),
        ("timeout: {total: 1s, mode: enforce}, mode: shadow", True),
        ("timeout: {total: 1s, mode: shadow}", False),
        ("timeout: {total: 1s}, mode: off", False),
    ],
)
def test_arguments_with_two_readings_are_refused_where_it_matters(says: str, refused: bool) -> None:
    """Not for a shadow's sake: there the condition failed. A policy that is off asks nothing."""
    desk = Desk(f"policies: [{{name: p, match: {{when: 'input.amount > 100'}}, {says}}}]", 200)
    reply = desk.call(give("pay", TWICE))
    if refused:
        assert reply.refusal is not None
        assert (reply.refusal.code, reply.refusal.policy) == ("ambiguous_call", "p")
        assert desk.upstream.attempts == []
    else:
        assert reply.status == 200


def test_what_nobody_asks_for_may_be_written_as_it_likes() -> None:
    """A condition that reads no arguments sees none."""
    text = "policies: [{name: p, match: {when: 'agent == \"\"'}, effect: read}]"
    assert policies(text, TWICE) == ("p",)


MANY = """
policies:
  - {name: a, match: {when: 'input.a == 1'}, effect: read}
  - {name: b, match: {when: 'input.b == 1'}, effect: read}
  - {name: c, match: {agent: nobody, when: 'input.c == 1'}, effect: read}
"""


@pytest.mark.parametrize(("a", "b"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_conditions_are_asked_in_the_order_of_their_policies(a: int, b: int) -> None:
    """Each for itself, and only of policies that match."""
    names = (*("a" * a), *("b" * b))
    assert policies(MANY, b'{"a": %d, "b": %d}' % (a, b)) == names


def test_pipelines_of_conditions_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are bounded together with all others, whatever agents send."""
    monkeypatch.setattr(table, "_MOST", 8)
    desk = Desk(MANY)
    for number in range(40):
        for a, b in itertools.product([0, 1, '"?"'], repeat=2):
            desk.pipeline(give(f"made_up_{number}", f'{{"a": {a}, "b": {b}}}'.encode()))
            assert desk.table._pipelines.kept <= 8


LINKS = """
upstreams:
  gateway: {url: 'http://h', protocol: tools}
  spare: {url: 'http://s', protocol: tools, path: /spare}
policies:
  - {name: all, retry: {attempts: 1}}
  - name: s
    match: {upstream: spare, when: 'input.amount > 100'}
    effect: read
    retry: {attempts: 2, backoff: {base: 1ms}}
"""


def linked(desk: Desk, content: bytes) -> list[str]:
    """What the attempts came to of a call that was sent to the spare."""
    call = give("pay", content)
    assert type(desk.found(call)) is Pipeline  # of its own upstream
    reply = run(desk.table.link(call, "spare", "")(call))
    reply.drop()
    code = [reply.refusal.code] if reply.refusal else []
    return code or [str(attempt.status) for attempt in call.attempts]


def test_a_link_has_conditions_of_its_own() -> None:
    """Those of the policies of the upstream that it leads to."""
    desk = Desk(LINKS, 503, 200, 503, 503, mounts="")
    assert linked(desk, pay(150)) == ["503", "200"]
    assert linked(desk, pay(50)) == ["503"]
    assert linked(desk, b"{}") == ["503"]
    assert linked(desk, TWICE) == ["ambiguous_call"]


def test_links_are_found_by_what_the_conditions_came_to() -> None:
    """Each is made once, and there are not many of them."""
    desk = Desk(LINKS, mounts="")
    big, small = give("pay", pay(150)), give("pay", pay(50))
    for call in (big, small):
        desk.found(call)
    link = desk.table.link(big, "spare", "")
    assert desk.table.link(big, "spare", "") == link
    assert desk.table.link(small, "spare", "") != link
