"""Refusals as the vendors' own clients see them: once, with the right error, and readable."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.harness import Proxy, RawUpstream, holdfast
from tests.harness.lazy import Lazy
from tests.harness.loops import THE_LOOP
from tests.harness.models import MODEL, chatting, refusing, talking
from tests.harness.upstream import Step

anthropic = Lazy("anthropic")
openai = Lazy("openai")

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

SAID: Any = [{"role": "user", "content": "Is the bank open?"}]
NEXT_STEPS = {
    "retry_later",
    "retry_modified",
    "use_alternative",
    "verify_then_retry",
    "ask_owner",
    "stop",
}


ERRORS = {
    403: "PermissionDeniedError",
    404: "NotFoundError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    502: "InternalServerError",
    503: "InternalServerError",
}
"""What clients call the error of a status."""


@dataclass(frozen=True)
class Vendor:
    """A client library, and what its errors say."""

    name: str
    library: Any
    answers: Step

    def client(self, proxy: Proxy) -> Any:
        """As an agent makes it, with the retries that it has of itself."""
        if self.name == "openai":
            return openai.AsyncOpenAI(base_url=f"http://{proxy.listen}/v1", api_key="sk-agent")
        return anthropic.AsyncAnthropic(base_url=f"http://{proxy.listen}", api_key="sk-ant-agent")

    async def ask(self, made: Any, *, retries: int = 2) -> Any:
        """One call."""
        made = made.with_options(max_retries=retries)
        if self.name == "openai":
            return await made.chat.completions.create(model=MODEL, messages=SAID)
        return await made.messages.create(model=MODEL, messages=SAID, max_tokens=100)

    async def fails(self, made: Any, **more: Any) -> Any:
        """The error that comes of one."""
        with pytest.raises(self.library.APIStatusError) as told:
            await self.ask(made, **more)
        return told.value

    def errors(self, status: int) -> Any:
        """The class of its errors of this status."""
        own = {"anthropic": {503: "ServiceUnavailableError"}}.get(self.name, {})
        return getattr(self.library, own.get(status) or ERRORS[status])

    def problem(self, error: Any) -> Any:
        """What an error says of itself, where its users look for it."""
        return error.body["problem"] if self.name == "openai" else error.body["error"]["problem"]


VENDORS = [
    Vendor("openai", openai, chatting()),
    Vendor("anthropic", anthropic, talking()),
]


@dataclass(frozen=True)
class Refused:
    """A policy, and what is refused after so many calls."""

    policy: str
    status: int
    code: str
    before: Sequence[Step] = ()
    kill: str = ""
    policy_of_it: str = "p"


def policy(section: str) -> str:
    """With this section alone."""
    return f"policies: [{{name: p, {section}}}]"


REFUSALS = [
    Refused(policy("deny: {reason: not this one}"), 403, "denied"),
    Refused("", 403, "killed", kill="all", policy_of_it=""),
    Refused(
        policy("approval: {mode: async, approvers: 1}"),
        403,
        "approval_pending",
    ),
    Refused(
        policy("rate_limit: {rate: 1/h, burst: 1, per: [model]}"),
        429,
        "rate_limited",
        before=[b""],
    ),
    Refused(
        policy("breaker: {consecutive: 1, open: {base: 5m, max: 5m}}"),
        503,
        "circuit_open",
        before=[refusing(500)],
    ),
    Refused(
        policy("loop: {same: 2}"),
        422,
        "loop_detected",
        before=[b"", b""],
    ),
]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.code)
async def test_a_refusal_is_heard_once(
    upstream: RawUpstream, vendor: Vendor, case: Refused
) -> None:
    """The client does not ask again, raises the error of that kind, and can read what to do."""
    async with (
        holdfast(upstream, vendor.name, case.policy or None) as proxy,
        vendor.client(proxy) as made,
    ):
        upstream.otherwise = vendor.answers
        for step in case.before:
            if step:
                upstream.then(step)
                await vendor.fails(made, retries=0)
            else:
                await vendor.ask(made)
        if case.kill:
            await proxy.change("/v1/kills", {"scope": case.kill, "reason": "case 12"})
        before = len(upstream.requests)
        told = await vendor.fails(made)
        assert isinstance(told, vendor.errors(case.status))
        assert told.status_code == case.status
        assert told.response.headers["x-should-retry"] == "false"
        problem = vendor.problem(told)
        assert (problem["code"], problem["executed"]) == (case.code, "no")
        assert problem.get("policy", "") == case.policy_of_it
        assert problem["next_step"] in NEXT_STEPS
        assert problem["message_for_model"] in str(told)
        assert problem["retryable"] in {True, False}
        told_to_wait = told.response.headers.get("retry-after")
        assert problem.get("retry_after") is None or int(told_to_wait) >= problem["retry_after"]
        assert len(upstream.requests) == before
        ends = await proxy.records(len(case.before) + 1)
        assert [one["outcome"] for one in ends].count("refused") == 1


def unreachable() -> str:
    """Where nobody listens."""
    return "http://127.0.0.1:9"


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
async def test_a_failure_is_repeated_by_one_of_us(vendor: Vendor) -> None:
    """Where the proxy did what could be done, the client does not begin again."""
    retried = policy("retry: {attempts: 2, backoff: {base: 1ms, max: 1ms}}")
    async with holdfast(unreachable(), vendor.name, retried) as proxy, vendor.client(proxy) as made:
        told = await vendor.fails(made)
        assert isinstance(told, vendor.errors(502))
        problem = vendor.problem(told)
        assert (problem["code"], problem["executed"]) == ("upstream_unreachable", "no")
        assert problem["attempts"] == 2
        assert len(await proxy.records(1)) == 1


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
async def test_limits_of_a_vendor_are_told_as_it_tells_them(
    upstream: RawUpstream, vendor: Vendor
) -> None:
    """Its headers and its body pass to the byte; of a limit of ours, ours are beside them."""
    theirs = ("RateLimit: tokens;r=5;t=3600", "RateLimit-Policy: tokens;q=9;w=3600")
    limited = policy("rate_limit: {rate: 1/h, burst: 1}")
    async with holdfast(upstream, vendor.name, limited) as proxy, vendor.client(proxy) as made:
        upstream.then(refusing(429, "x-should-retry: false", *theirs, kind="rate_limit_error"))
        told = await vendor.fails(made)
        assert isinstance(told, vendor.errors(429))
        assert told.response.headers["ratelimit"] == "tokens;r=5;t=3600"
        assert told.response.headers["ratelimit-policy"] == "tokens;q=9;w=3600"
        assert (
            told.response.content
            == refusing(429).replace(b"server_error", b"rate_limit_error").partition(b"\r\n\r\n")[2]
        )
        ours = await vendor.fails(made)
        assert ours.response.headers["ratelimit-policy"].startswith('"p"')
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
async def test_what_no_upstream_has_is_said_so(upstream: RawUpstream, vendor: Vendor) -> None:
    """A wrong base URL: 404 of the vendor is the vendor's, and nobody repeats it."""
    async with holdfast(upstream, vendor.name) as proxy, vendor.client(proxy) as made:
        upstream.then(refusing(404, kind="not_found_error"))
        told = await vendor.fails(made)
        assert isinstance(told, vendor.errors(404))
        assert told.response.headers["holdfast-origin"] == "upstream"
        assert (
            told.response.content == refusing(404, kind="not_found_error").partition(b"\r\n\r\n")[2]
        )
        assert len(upstream.requests) == 1
