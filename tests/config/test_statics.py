"""Fixed answers of policies, judged when they are loaded."""

import pytest

UPSTREAMS = """upstreams:
  tools: {url: http://h, protocol: tools, path: /}
  mcp: {url: http://h, protocol: mcp, path: /mcp}
  peer: {url: http://h, protocol: a2a, path: /peer}
  openai: {url: http://h, protocol: openai, path: /openai}
  web: {url: http://h, protocol: http, path: /web}
  any: {url: http://h, path: /any}
"""
BODY, RESULT = "{static: {body: {}}}", "{static: {result: {}}}"


def given(match: str, chain: str, more: str = "") -> str:
    """A policy with this chain."""
    return f"{UPSTREAMS}policies:\n  - {{name: p, match: {{{match}}}, fallback: [{chain}]{more}}}\n"


def said(problems: list[str]) -> list[str]:
    """The messages alone, but for those about upstreams without a policy."""
    found = [problem.split(": ", 2)[2] for problem in problems]
    return [each for each in found if "no policy matches" not in each]


@pytest.mark.parametrize(
    ("match", "chain", "why"),
    [
        (
            "upstream: tools",
            RESULT,
            "a result is for mcp and a2a; expected a body, as tools has it",
        ),
        (
            "layer: [llm, http]",
            RESULT,
            "a result is for mcp and a2a; expected a body, as anthropic, ",
        ),
        ("upstream: mcp", BODY, "clients of mcp read no body of ours; expected a result"),
        ("upstream: any, protocol: mcp", BODY, "clients of mcp read no body of ours"),
        ("upstream: mcp", "{static: {}}", "clients of mcp read no body of ours"),
        ("layer: llm, stream: true", BODY, "who asks for a stream reads no body; expected a match"),
    ],
)
def test_what_nobody_could_read_is_an_error(folder, match, chain, why):
    """It would never be given."""
    (found,) = folder.errors(given(match, chain))

    assert found.startswith("p.yaml:9:")
    assert "policies[0].fallback.chain[0].static: " in found
    assert said([found])[0].startswith(why)


@pytest.mark.parametrize(
    ("match", "chain"),
    [
        ("upstream: mcp", RESULT),
        ("upstream: peer, stream: true", RESULT),
        ("upstream: peer", BODY),  # over HTTP a body is what its clients read
        ("layer: tool", f"{BODY}, {RESULT}"),  # each is for whom it fits
        ("layer: tool", f"{RESULT}, {BODY}"),
        ("layer: llm, stream: true", "{static: {status: 503, body: {}}}"),
        ("layer: llm", f"{BODY}, {{human: ops}}"),  # who asks for a stream is referred to people
        ("upstream: any", f"{RESULT}, {BODY}, {{human: ops}}"),
        ("upstream: web", "{cache: {}}"),
        ("upstream: nowhere*", RESULT),  # which is told elsewhere
    ],
)
def test_what_somebody_can_read_is_well(folder, match, chain):
    """No error, and nothing of it is unreachable."""
    found = said(folder.warnings(given(match, chain)))

    assert [each for each in found if "nothing is asked after" in each] == []


@pytest.mark.parametrize(
    ("match", "first"),
    [
        ("upstream: tools", BODY),
        ("upstream: [mcp, peer]", RESULT),
        ("layer: llm, stream: false", BODY),
        ("layer: llm", "{static: {status: 503}}"),
        ("layer: tool", "{human: ops}"),
    ],
)
def test_nothing_comes_after_what_answers_everybody(folder, match, first):
    """A warning."""
    found = said(folder.warnings(given(match, f"{first}, {{cache: {{}}}}")))

    assert [each.partition(", which")[0] for each in found] == [
        f"unreachable: nothing is asked after {'human' if 'human' in first else 'static'}"
    ]


@pytest.mark.parametrize("more", [", mode: off", ""])
def test_what_is_off_is_not_judged(folder, more):
    """Neither a policy nor a section."""
    text = given("upstream: mcp", BODY, more)
    folder.load(
        text
        if more
        else text.replace("fallback: [", "fallback: {mode: off, chain: [").replace("]}", "]}}")
    )
