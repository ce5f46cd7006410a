"""Where a call goes: by the first choice whose condition holds."""

import pytest

from proxy.call import Call
from proxy.counts import EXPRESSION_ERRORS
from proxy.reply import Failure, Reply
from proxy.stage import Site
from proxy.stages.route import Choice, Fork, Route
from tests.fakes import ScriptedUpstream, Step, make_call, make_ground, make_target
from tests.tables import Desk, give, request

TWO = """
upstreams:
  gateway: {url: 'http://h', protocol: tools}
  spare: {url: 'http://s', protocol: tools, path: /spare}
"""


def rules(*choices: str) -> str:
    """One policy with these choices."""
    return f"policies: [{{name: p, match: {{upstream: gateway}}, route: [{', '.join(choices)}]}}]"


LARGE = '{when: "input.amount > 100", upstream: spare}'
BY_MODEL = ("{when: tokens < 5, model: small}", '{when: "tokens < 8", model: mid}')


def routed(text: str, call: Call, *script: Step, mounts: str = TWO) -> tuple[Reply, Desk]:
    """The reply to a call, and where it went."""
    desk = Desk(text, *script, mounts=mounts)
    return desk.call(call), desk


@pytest.mark.parametrize(
    ("content", "upstream", "served_by"),
    [
        (b'{"amount": 150}', "spare", "spare"),
        (b'{"amount": 50}', "gateway", ""),
        (b"{}", "gateway", ""),
    ],
    ids=["holds", "does not", "fails"],
)
def test_the_first_choice_that_holds_counts(content: bytes, upstream: str, served_by: str) -> None:
    """A condition that fails does not hold; where none does, the call goes to its own upstream."""
    reply, desk = routed(rules(LARGE), give("pay", content), 200)
    (attempt,) = desk.upstream.attempts
    assert (attempt.upstream, reply.served_by, reply.status) == (upstream, served_by, 200)
    assert desk.rows(EXPRESSION_ERRORS) == ({("p", "route"): 1} if content == b"{}" else {})


def test_a_choice_without_a_condition_always_holds() -> None:
    """It stands last, or the others are never asked."""
    reply, _ = routed(rules(LARGE, "{upstream: spare}"), give("pay", b'{"amount": 1}'), 200)
    assert reply.served_by == "spare"


def test_the_own_upstream_is_no_other() -> None:
    """Nothing is said of it."""
    reply, _ = routed(rules("{upstream: gateway}"), give("pay", b"{}"), 200)
    assert (reply.status, reply.served_by) == (200, "")


def test_arguments_with_two_readings_are_sent_nowhere() -> None:
    """Which upstream they are for cannot be told."""
    reply, desk = routed(rules(LARGE), give("pay", b'{"amount": 1, "amount": 150}'))
    assert reply.refusal is not None
    assert (reply.refusal.code, reply.refusal.policy) == ("ambiguous_call", "p")
    assert desk.upstream.attempts == []


WEB = "upstreams: {web: {url: 'http://h', protocol: http}}\n"


def asking(content: bytes) -> Call:
    """A call of a model, as plain HTTP."""
    call = request("POST", "/v1/chat/completions", {b"content-length": b"%d" % len(content)})
    call.body = type(call.body)(content)  # type: ignore[call-arg]  # a Whole
    call.head.length = len(content)
    return call


def by_model(content: bytes, *script: Step) -> tuple[Reply, Desk]:
    """A call to a web of models."""
    text = rules(*BY_MODEL).replace("gateway", "web")
    return routed(text, asking(content), *script, mounts=WEB)


@pytest.mark.parametrize(
    ("content", "sent", "served_by"),
    [
        (b'{"model": "x"}', b'{"model": "small"}', "small"),
        (b'{"model": "x", "n": 1}  ', b'{"model": "mid", "n": 1}  ', "mid"),
        (b'{"model": "x", "n": "a long one"}', None, ""),
    ],
)
def test_a_model_takes_the_place_of_the_bodys_own(
    content: bytes, sent: bytes | None, served_by: str
) -> None:
    """Nothing else is changed, and the head says how long it is now."""
    reply, desk = by_model(content, 200)
    (attempt,) = desk.upstream.attempts
    assert reply.served_by == served_by
    assert (attempt.sends is None) == (sent is None)
    if attempt.sends is not None:
        assert attempt.sends.content == sent
        assert attempt.sends.head.fields[b"content-length"] == b"%d" % len(attempt.sends.content)


def test_a_body_without_a_model_is_not_sent_as_one() -> None:
    """It is told why; nobody is said to have served it."""
    reply, desk = by_model(b"what?")
    assert reply.refusal is not None
    assert reply.refusal.code == "no_route"
    assert "the model small" in reply.refusal.detail
    assert (reply.served_by, desk.upstream.attempts) == ("", [])


def test_who_served_it_further_in_is_kept() -> None:
    """A link may itself have gone elsewhere."""

    async def link(call: Call) -> Reply:
        return Reply(status=200, served_by="further")

    ground = make_ground(links=lambda call, upstream, model: link)
    section = Route(choices=(Choice(upstream="spare"),))
    work = Fork(section, Site(make_target(), ground, inner=link)).handle(make_call())
    with pytest.raises(StopIteration) as end:
        work.send(None)  # type: ignore[attr-defined]  # it is a coroutine
    assert end.value.value.served_by == "further"


def test_failures_of_the_other_upstream_are_its_own() -> None:
    """The policies of the upstream that it was sent to rule there."""
    text = TWO + rules(LARGE)[:-1] + ", {name: s, match: {upstream: spare}, effect: read, retry: {attempts: 2, backoff: {base: 1ms}}}]"  # fmt: skip  # noqa: E501
    upstream = ScriptedUpstream(Failure.DISCONNECT, 200)
    desk = Desk(text, mounts="", upstream=upstream)
    call = give("pay", b'{"amount": 150}')

    reply = desk.call(call)
    assert (reply.status, reply.served_by) == (200, "spare")
    assert [attempt.upstream for attempt in upstream.attempts] == ["spare", "spare"]


@pytest.mark.parametrize(
    ("content", "note", "code"),
    [
        (b'{"amount": 150}', "goes to spare as big", ""),
        (b'{"amount": 50}', "goes to its own upstream", ""),
        (b'{"amount": 1, "amount": 2}', "its arguments can be read in more than one way", "ambiguous_call"),  # noqa: E501
    ],
)  # fmt: skip
def test_it_says_where_a_call_would_go(content: bytes, note: str, code: str) -> None:
    """Without sending it."""
    desk = Desk(rules('{when: "input.amount > 100", upstream: spare, model: big}'), mounts=TWO)
    call = give("pay", content)
    fork = desk.pipeline(call).handle.__self__  # type: ignore[attr-defined]  # a bound method
    said = fork.says(call)
    assert said.note == note
    assert ("" if said.refusal is None else said.refusal.code) == code
    assert desk.rows(EXPRESSION_ERRORS) == {}


def test_a_choice_leads_somewhere() -> None:
    """To a model, an upstream, or both."""
    with pytest.raises(ValueError):
        Choice()
