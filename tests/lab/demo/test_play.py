import pytest

from proxy.lab.demo.play import Act, Answer, Cast, Play
from proxy.lab.sandbox.gateway import start

HEADERS = {
    "date": "today",
    "holdfast-call": "c-1",
    "holdfast-attempts": "0",
    "holdfast-reason": "circuit_open",
    "holdfast-outcome": "refused",
    "holdfast-policy": "events@0123",
}


@pytest.fixture
async def play(tmp_path):
    """Without a proxy; what it says is in `play.lines`."""
    gateway = await start("127.0.0.1:0")
    lines: list[str] = []
    made = Play(
        Cast(gateway.url, gateway.url, {}, gateway, tmp_path, lambda text: True), lines.append
    )
    made.lines = lines
    yield made
    await gateway.close()


def test_an_answer_is_told_in_one_line():
    """What was decided, how often it was sent, what it cost, by which policy, and why."""
    refused = Answer(503, HEADERS, {"detail": "it keeps failing"})
    went = {**HEADERS, "holdfast-reason": "", "holdfast-outcome": "ok", "holdfast-cost": "0.002000"}

    assert refused.told() == "503 circuit_open, not sent, policy events, call c-1: it keeps failing"
    assert not refused.went
    for attempts, words in (("1", "sent once"), ("2", "sent twice"), ("3", "sent 3 times")):
        answer = Answer(200, {**went, "holdfast-attempts": attempts}, {})
        assert answer.told() == f"200 ok, {words}, cost 0.002000, policy events, call c-1"


def test_a_good_answer_is_the_upstreams_own():
    """Not one that Holdfast gives in its place."""
    assert Answer(200, {"holdfast-origin": "upstream"}, {}).went
    assert not Answer(200, {"holdfast-origin": "holdfast"}, {}).went
    assert not Answer(500, {"holdfast-origin": "upstream"}, {}).went


async def test_long_lines_are_broken_and_policies_between_their_keys(play):
    """No key stands on another line than its value, and nothing is wider than 96."""

    async def act(play):
        play.rule("events")
        play.tell("agent", "says " + "much " * 40)

    assert await play.run((Act("An act", act),))
    assert max(map(len, play.lines)) <= 96
    assert len(play.lines) == 7  # title, two of YAML, three of words, an empty one
    assert not any(line.endswith(":") for line in play.lines)
    (told,) = play.told
    assert told["story"][0]["who"] == "yaml"
    assert "breaker: {consecutive: 3" in told["story"][0]["did"]


async def test_what_does_not_come_in_time_is_an_outcome(play, monkeypatch):
    """Nobody waits for ever."""
    monkeypatch.setattr("proxy.lab.demo.play.PATIENCE", 0.1)

    async def act(play):
        await play.until("/healthz", lambda page: "never" in page)

    assert not await play.run((Act("An act", act),))
    assert play.told[0]["promises"] == [
        {"promise": "an answer came, and no TimeoutError", "held": False}
    ]


async def test_who_has_no_token_asks_without_one(play):
    """And a page is awaited until it says what is looked for."""

    async def act(play):
        status, page = await play.ask("agent", "GET", "/healthz")
        play.expect(f"{status}", page == {"status": "ok"})
        play.expect("seen", bool(await play.until("/healthz", lambda page: True)))

    assert await play.run((Act("An act", act),))
    assert "   ok        200" in play.lines
