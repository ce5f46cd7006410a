"""Rules of single symptoms: `limits`, `on_401`, `on_402`, `on_403`."""

from typing import Any

import pytest

from proxy.attempt import Attempt
from proxy.call import Effect, Stop
from proxy.counts import RETRY_DISABLED
from proxy.keys import NEWS
from proxy.news import ApprovalChange, Escalation, Event, News
from proxy.refusal import Refusal
from proxy.reply import Failure, Reply
from proxy.state.allowance import RetryBudget
from proxy.state.desk import Desk
from tests.fakes import FakeBody, ScriptedUpstream, Step, make_reply
from tests.stages.test_retry import Pipeline


class Choosy(ScriptedUpstream):
    """An upstream with several credentials, as its client chooses among them."""

    def __init__(self, *script: Step, credentials: int = 2) -> None:
        super().__init__(*script)
        self._many = credentials
        self.used: list[int] = []

    async def __call__(self, attempt: Attempt) -> Reply:
        """Say which it is, and which would be the next."""
        attempt.credential = max(0, attempt.credential)
        if self._many > 1:
            attempt.spare = (attempt.credential + 1) % self._many
        self.used.append(attempt.credential)
        return await super().__call__(attempt)


def refreshing(upstream: Choosy, effect: Effect = Effect.READ, **fields: Any) -> Pipeline:
    """A pipeline that takes another credential on a 401."""
    return Pipeline(upstream, effect, on_401="refresh", **fields)


# --- limits ---


def test_a_symptom_may_have_a_limit_of_its_own() -> None:
    """The first 504 is repeated, the second is not, whatever came between."""
    upstream = ScriptedUpstream(504, 500, 504)
    pipeline = Pipeline(upstream, attempts=9, limits={504: 1})
    assert (pipeline().given_up, len(upstream.attempts)) == ("limit", 3)
    assert pipeline.counted() == {
        ("gateway", "sent", "504"): 1,
        ("gateway", "sent", "500"): 1,
        ("gateway", "denied", "limit"): 1,
    }


@pytest.mark.parametrize("symptom", [500, "500", "connect"])
def test_limits_know_the_words_of_on(symptom: Any) -> None:
    """Statuses, quoted or not, and failures. Each call counts anew."""
    what: Any = Failure.CONNECT if symptom == "connect" else 500
    pipeline = Pipeline(ScriptedUpstream(*[what] * 6), attempts=9, limits={symptom: 2})
    assert [pipeline().given_up for _ in range(2)] == ["limit", "limit"]


def test_a_limit_of_none_is_never() -> None:
    """And a limit allows no more attempts than there are."""
    assert Pipeline(ScriptedUpstream(503), limits={503: 0})().given_up == "limit"
    assert Pipeline(ScriptedUpstream(503, 503), attempts=2, limits={503: 9})().given_up == (
        "attempts"
    )


# --- on_401 ---


@pytest.mark.parametrize("effect", Effect)
def test_the_next_credential_is_taken(effect: Effect) -> None:
    """Also for a write: a 401 says that nothing ran. At once, with a token, and counted."""
    upstream = Choosy(401, 200)
    pipeline = refreshing(upstream, effect)
    assert pipeline().status == 200
    assert (upstream.used, pipeline.clock.slept) == ([0, 1], [0.0])
    assert pipeline.counted() == {("gateway", "sent", "401"): 1}


def test_it_is_taken_once() -> None:
    """The second 401 is the answer, and SDKs are told."""
    upstream = Choosy(401, 401, credentials=3)
    pipeline = refreshing(upstream)
    assert pipeline().given_up == "no_credential"
    assert upstream.used == [0, 1]
    assert pipeline.counted()["gateway", "denied", "no_credential"] == 1


def test_with_one_credential_there_is_nothing_to_take() -> None:
    """Its first 401 is the answer."""
    assert refreshing(Choosy(401, credentials=1))().given_up == "no_credential"


def test_what_fails_otherwise_keeps_its_credential() -> None:
    """The one that was not accepted is not sent again within this call."""
    upstream = Choosy(401, 500, 503, 200)
    assert refreshing(upstream)().status == 200
    assert upstream.used == [0, 1, 1, 1]


def test_it_does_not_count_against_attempts() -> None:
    """But it is told as one more."""
    upstream = Choosy(401, 500, 500)
    pipeline = refreshing(upstream, attempts=2)
    assert pipeline().given_up == "attempts"
    assert [(attempt.number, attempt.of) for attempt in upstream.attempts] == [
        (1, 2), (2, 3), (3, 3),
    ]  # fmt: skip
    assert refreshing(Choosy(401, 200), attempts=1)().status == 200


def test_neither_a_retrying_client_nor_the_upstream_forbids_it() -> None:
    """It is not the same request."""
    told = make_reply(401, {b"x-should-retry": b"false"})
    pipeline = refreshing(Choosy(told, 200))
    assert pipeline(pipeline.call(fields={b"x-stainless-retry-count": b"1"})).status == 200


def test_it_takes_a_token() -> None:
    """A key that was revoked must not double what an upstream gets."""
    budget = RetryBudget(ratio=0.0, min_per_minute=0.0, burst=1)
    pipeline = refreshing(Choosy(401, 200, 401), budget=budget)
    assert [pipeline().given_up for _ in range(2)] == ["", "retry_budget"]


def test_a_body_is_kept_for_it() -> None:
    """Also where there is one attempt; what could not be kept is not sent again."""
    body = FakeBody(None)
    pipeline = refreshing(Choosy(200), attempts=1)
    pipeline(pipeline.call(body=body))
    assert body.kept == 1 << 20
    here = refreshing(Choosy(200), attempts=1)
    here(here.call(body=FakeBody(b"{}")))
    pipeline = refreshing(Choosy(401))
    reply = pipeline(pipeline.call(body=FakeBody(None, replayable=False)))
    assert reply.given_up == "not_replayable"
    assert pipeline.counted(RETRY_DISABLED) == {("body_too_large",): 1}


def test_there_must_be_time_for_it() -> None:
    """And the upstream's wish is heard."""
    pipeline = refreshing(Choosy(401))
    assert pipeline(pipeline.call(left=0.05)).given_up == "deadline"
    pipeline = refreshing(Choosy(make_reply(401, {b"retry-after": b"60"})))
    assert pipeline().given_up == "pushback"


def test_a_refused_repetition_hands_the_401_back() -> None:
    """A gate said no meanwhile."""
    refusal = Refusal("circuit_open", "no")
    reply = refreshing(Choosy(401, refusal))()
    assert (reply.status, reply.given_up) == (401, "circuit_open")


def test_who_is_gone_gets_no_other_credential() -> None:
    """The call was stopped."""

    async def upstream(attempt: Attempt) -> Reply:
        attempt.sent, attempt.spare = True, 1
        attempt.call.stop(Stop.AGENT_GONE)
        return make_reply(401)

    assert Pipeline(upstream, on_401="refresh")().status == 401


def test_a_401_passes_where_nothing_is_said() -> None:
    """Whatever credentials there are."""
    upstream = Choosy(401)
    pipeline = Pipeline(upstream)
    assert (pipeline().given_up, pipeline.counted()) == ("", {})


# --- on_402 and on_403 ---


def test_a_402_stops() -> None:
    """Also where `on` lists it: paying is nobody's here, and SDKs are told so."""
    for on in ((500,), (402,)):
        pipeline = Pipeline(ScriptedUpstream(402), on=on)
        assert pipeline().given_up == "quota"
        assert pipeline.counted() == {("gateway", "denied", "quota"): 1}


def test_a_402_may_pass() -> None:
    """It is then an answer like others."""
    pipeline = Pipeline(ScriptedUpstream(402), on_402="pass")
    assert (pipeline().given_up, pipeline.counted()) == ("", {})


def test_a_403_is_a_persons_to_decide() -> None:
    """Handed back as it is, counted, told to the news, and on the list of those who decide."""
    upstream = ScriptedUpstream(403)
    pipeline = Pipeline(upstream, on_403="escalate", on=(403,))
    heard: list[Event] = []
    pipeline.ground.kept(NEWS, News).listeners.append(heard.append)
    reply = pipeline(pipeline.call(tool="deposit", agent="ann"))
    assert (reply, reply.given_up) == (upstream.replies[0], "escalated")
    (file,) = Desk.of(pipeline.ground.keep, pipeline.ground.clock).files
    assert (file.request.why, file.request.tool, file.state) == ("escalated", "deposit", "pending")
    assert heard[0] == Escalation("gateway", "deposit", "ann", 403)
    assert [event.word for event in heard[1:] if isinstance(event, ApprovalChange)] == ["approval"]
    assert pipeline.counted() == {("gateway", "denied", "escalated"): 1}


def test_a_403_passes_where_nothing_is_said() -> None:
    """Nobody is told."""
    pipeline = Pipeline(ScriptedUpstream(403))
    heard: list[Event] = []
    pipeline.ground.kept(NEWS, News).listeners.append(heard.append)
    assert (pipeline().given_up, heard) == ("", [])
