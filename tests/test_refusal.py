"""What a "no" says, to SDKs, to people and to models."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.refusal import KINDS, PATIENCE, Refusal, Repeat, of_failure
from proxy.reply import Executed, Failure
from tests.fakes import make_reply

TRUE, FALSE, IF_HARMLESS = Repeat.LATER, Repeat.NEVER, Repeat.IF_HARMLESS

# The table of spec 2.5, as far as it is built; below the line what the table leaves open.
TABLE = {
    "denied": (403, FALSE),
    "killed": (403, FALSE),
    "approval_pending": (403, FALSE),
    "approval_denied": (403, FALSE),
    "approval_expired": (403, FALSE),
    "budget_exceeded": (402, FALSE),
    "loop_detected": (422, FALSE),
    "deadlock": (508, FALSE),
    "bulkhead_full": (503, TRUE),
    "rate_limited": (429, TRUE),
    "circuit_open": (503, TRUE),
    "deadline_exceeded": (504, IF_HARMLESS),
    "upstream_unreachable": (502, TRUE),
    "upstream_timeout": (504, IF_HARMLESS),
    "upstream_disconnected": (502, IF_HARMLESS),
    "truncated": (502, IF_HARMLESS),
    "bad_upstream_response": (502, IF_HARMLESS),
    "overloaded": (503, TRUE),
    "proxy_loop": (508, FALSE),
    "no_route": (404, FALSE),
    "method_refused": (405, FALSE),
    "unknown_method": (501, FALSE),
    "bad_request": (400, FALSE),
    "ambiguous_call": (400, FALSE),
    "body_too_large": (413, FALSE),
    "unsupported_encoding": (415, FALSE),
    # ---
    "head_too_large": (431, FALSE),
    "request_timeout": (408, TRUE),
    "journal_unavailable": (503, TRUE),
    "store_unavailable": (503, TRUE),
    "internal_error": (500, IF_HARMLESS),
    "shutting_down": (503, IF_HARMLESS),
}
CATEGORIES = {"transient", "throttle", "budget", "policy", "caller", "upstream", "timeout"}
STEPS = {
    "retry_later",
    "retry_modified",
    "use_alternative",
    "verify_then_retry",
    "ask_owner",
    "stop",
}
CODES = st.sampled_from(sorted(KINDS))
LATER = [code for code, kind in KINDS.items() if kind.repeat is TRUE]


def refusal(code: str = "circuit_open", **changes: Any) -> Refusal:
    """A refusal with these members."""
    return Refusal(code, "The tool keeps failing", **changes)


def test_the_table_names_every_code() -> None:
    """A new code needs its row here."""
    assert TABLE.keys() == KINDS.keys()


@pytest.mark.parametrize(("code", "status", "repeat"), [(c, *row) for c, row in TABLE.items()])
def test_status_and_advice_of_a_code(code: str, status: int, repeat: Repeat) -> None:
    """As the specification has them."""
    assert refusal(code).kind.status == status
    unknown = refusal(code, executed=Executed.UNKNOWN)
    assert unknown.should_retry is (repeat is TRUE)
    assert refusal(code, executed=Executed.UNKNOWN, harmless=True).should_retry is (
        repeat is not FALSE
    )


@pytest.mark.parametrize("code", KINDS)
def test_every_code_uses_the_fixed_words(code: str) -> None:
    """Categories and next steps are enumerations that clients know."""
    kind = KINDS[code]
    assert kind.category in CATEGORIES
    assert kind.next_step in STEPS
    assert kind.title


@pytest.mark.parametrize(
    "code", [code for code, kind in KINDS.items() if kind.repeat is IF_HARMLESS]
)
@pytest.mark.parametrize(
    ("executed", "harmless", "should"),
    [
        (Executed.NO, False, True),
        (Executed.NO, True, True),
        (Executed.UNKNOWN, False, False),
        (Executed.UNKNOWN, True, True),
        (Executed.YES, False, False),
        (Executed.YES, True, True),
    ],
)  # fmt: skip
def test_what_may_have_run_is_repeated_only_where_that_is_harmless(
    code: str, executed: Executed, harmless: bool, should: bool
) -> None:
    """Otherwise one looks first what became of it."""
    made = refusal(code, executed=executed, harmless=harmless)
    assert (made.retryable, made.should_retry) == (should, should)
    assert made.step == ("retry_later" if should else "verify_then_retry")


@pytest.mark.parametrize("code", LATER)
@pytest.mark.parametrize(
    ("seconds", "should"),
    [(None, True), (0.0, True), (PATIENCE, True), (PATIENCE + 0.001, False), (3600.0, False)],
)
def test_sdks_are_not_asked_to_wait_for_more_than_a_minute(
    code: str, seconds: float | None, should: bool
) -> None:
    """They would not, and repeat at once. The same call may still succeed later."""
    made = refusal(code, retry_after=seconds)
    assert (made.should_retry, made.retryable) == (should, True)


@pytest.mark.parametrize("code", LATER)
def test_where_we_gave_up_nobody_else_goes_on(code: str) -> None:
    """Two layers that repeat multiply."""
    made = refusal(code, given_up=True)
    assert (made.should_retry, made.retryable) == (False, True)


@pytest.mark.parametrize("code", LATER)
def test_what_waiting_does_not_help_is_final(code: str) -> None:
    """Whatever the code usually says."""
    made = refusal(code, final=True)
    assert (made.should_retry, made.retryable) == (False, False)


def test_a_next_step_of_its_own() -> None:
    """Takes the place of the code's usual one."""
    assert refusal("rate_limited").step == "retry_later"
    assert refusal("rate_limited", next_step="ask_owner").step == "ask_owner"


# --- the problem object ---


def test_the_problem_has_the_members_that_apply() -> None:
    """`retry_after` is always there; scope and policy only where they say something."""
    plain = refusal().problem("c1", 0)
    assert plain["retry_after"] is None
    assert not {"scope", "policy"} & plain.keys()
    assert plain.keys() == {
        "type", "title", "status", "detail", "instance", "code", "category", "retryable",
        "retry_after", "executed", "attempts", "next_step", "alternatives", "message_for_model",
    }  # fmt: skip


def test_the_problem_in_full() -> None:
    """Every value comes from the refusal's fields or its code."""
    made = refusal(
        policy="money", scope="tool", retry_after=1.23456, alternatives=("other",),
        executed=Executed.UNKNOWN,
    )  # fmt: skip
    problem = made.problem("c1", 2)
    assert problem.pop("message_for_model") == made.message_for_model()
    assert problem == {
        "type": "https://holdfast.dev/problems/circuit_open",
        "title": "The circuit is open",
        "status": 503,
        "detail": "The tool keeps failing",
        "instance": "c1",
        "code": "circuit_open",
        "category": "upstream",
        "retryable": True,
        "retry_after": 1.235,
        "executed": "unknown",
        "attempts": 2,
        "scope": "tool",
        "policy": "money",
        "next_step": "use_alternative",
        "alternatives": ["other"],
    }


REFUSALS = st.builds(
    Refusal,
    code=CODES,
    detail=st.one_of(st.text(), st.lists(st.text(), max_size=50).map(" ".join)),
    policy=st.from_regex(r"|[A-Za-z0-9][A-Za-z0-9._/-]{0,63}", fullmatch=True),  # as names may be
    retry_after=st.none() | st.floats(0, 1e9),
    executed=st.sampled_from(Executed),
    scope=st.sampled_from(["", "tool", "upstream"]),
    alternatives=st.lists(st.text(), max_size=3).map(tuple),
    harmless=st.booleans(),
    given_up=st.booleans(),
    final=st.booleans(),
    next_step=st.sampled_from(["", *sorted(STEPS)]),
)


@given(REFUSALS)
def test_a_model_reads_sixty_words_at_most(made: Refusal) -> None:
    """Whatever the fields hold."""
    assert len(made.message_for_model().split()) <= 60


@given(REFUSALS)
def test_the_advice_never_contradicts_itself(made: Refusal) -> None:
    """Who should retry may; a problem can be written as JSON; the words are the fixed ones."""
    assert made.retryable or not made.should_retry
    problem = msgspec.json.decode(msgspec.json.encode(made.problem("c1", 1)))
    assert problem["retryable"] is made.retryable
    assert problem["next_step"] in STEPS
    message = problem["message_for_model"]
    says = ("may be repeated", "Do not repeat this call.", "repeat it only if it did not")
    assert sum(said in message for said in says) == 1
    if made.retryable and made.retry_after is not None:
        assert f"after {math.ceil(made.retry_after)} s" in problem["message_for_model"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "The call did not run."),
        ({"executed": Executed.YES}, "The call ran."),
        ({"executed": Executed.UNKNOWN}, "It is not known whether the call ran."),
        ({"retry_after": 1.2}, "may be repeated after 2 s"),
        ({}, "may be repeated later"),
        ({"final": True}, "Do not repeat this call."),
        ({"policy": "money"}, "Decided by policy money, not by the tool."),
        ({}, "Decided by the Holdfast proxy, not by the tool."),
        ({"next_step": "ask_owner"}, "Ask the owner of this agent."),
        ({}, "The tool keeps failing."),
    ],
)
def test_what_a_model_is_told(changes: dict[str, Any], says: str) -> None:
    """What happened, whether it ran, whether and when to repeat, what to do, and who decided."""
    assert says in refusal(**changes).message_for_model()


def test_a_sentence_gets_one_full_stop() -> None:
    """Also where the detail has its own."""
    told = Refusal("circuit_open", "It fails.").message_for_model()
    assert told.startswith("It fails. The call did")


# --- failures of the network ---


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Failure.CONNECT, "upstream_unreachable"),
        (Failure.CERTIFICATE, "upstream_unreachable"),
        (Failure.DISCONNECT, "upstream_disconnected"),
        (Failure.TIMEOUT, "upstream_timeout"),
        (Failure.TRUNCATED, "truncated"),
        (Failure.BAD_RESPONSE, "bad_upstream_response"),
        (Failure.OVERLOADED, "overloaded"),
        (Failure.BAD_REQUEST, "bad_request"),
        (Failure.CANCELLED, "shutting_down"),
    ],
)
def test_the_code_of_a_failure(failure: Failure, code: str) -> None:
    """With what is known of whether it ran, and what happened in words."""
    reply = make_reply(failure, detail="so it was")
    made = of_failure(reply, harmless=False, late=False)
    assert (made.code, made.detail, made.executed) == (code, "so it was", reply.executed)
    assert made.scope == "upstream"


def test_every_failure_has_a_code() -> None:
    """None is left out."""
    for failure in Failure:
        made = of_failure(make_reply(failure), harmless=True, late=False)
        assert made.detail == made.kind.title  # where nobody said more


def test_a_timeout_at_the_calls_own_end_is_its_deadline() -> None:
    """Other failures at that moment stay what they are."""
    assert of_failure(make_reply(Failure.TIMEOUT), harmless=True, late=True).code == (
        "deadline_exceeded"
    )
    assert of_failure(make_reply(Failure.CONNECT), harmless=True, late=True).code == (
        "upstream_unreachable"
    )


def test_a_certificate_that_is_wrong_stays_wrong() -> None:
    """Repeating does not mend it."""
    assert not of_failure(make_reply(Failure.CERTIFICATE), harmless=True, late=False).retryable
    assert of_failure(make_reply(Failure.CONNECT), harmless=False, late=False).should_retry


@pytest.mark.parametrize("failure", Failure)
@pytest.mark.parametrize("harmless", [True, False])
def test_who_must_not_repeat_is_not_told_to_try_again(failure: Failure, harmless: bool) -> None:
    """A model believes both halves of a contradiction."""
    made = of_failure(make_reply(failure), harmless=harmless, late=False)
    assert made.retryable == (made.step == "retry_later")
    assert made.retryable == ("try again" in made.message_for_model())


def test_a_failure_that_we_gave_up_on_is_given_up() -> None:
    """SDKs are told not to go on."""
    reply = make_reply(Failure.TIMEOUT, given_up="attempts")
    made = of_failure(reply, harmless=True, late=False)
    assert (made.given_up, made.should_retry) == (True, False)


def test_a_failure_in_front_of_which_somebody_repeats_is_not_given_up() -> None:
    """Repeating was the client's turn all along."""
    reply = make_reply(Failure.TIMEOUT, given_up="client_retries")
    assert of_failure(reply, harmless=True, late=False).should_retry


def test_what_only_one_code_has_stands_beside_the_rest() -> None:
    """A null is told where it says something: it resets never."""
    facts = (("limit", "1.00"), ("resets_at", None), ("spent", None))
    problem = refusal("budget_exceeded", facts=facts).problem("c", 0)
    assert problem["limit"] == "1.00"
    assert problem["resets_at"] is None
    assert "spent" not in problem
