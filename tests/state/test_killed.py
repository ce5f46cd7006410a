"""One kill: as JSON, in the journal, and as calls are told."""

import msgspec
import pytest

from proxy.state.killed import Kill, entry_of, kill_of
from proxy.state.scopes import Scope


def made(**more: object) -> Kill:
    """One that has everything."""
    return msgspec.structs.replace(
        Kill(Scope("agent:a*"), "looping", "alice", "admin", 1e9, 2e9, "finish", "f:3"), **more
    )


@pytest.mark.parametrize("kill", [made(), made(until=None, in_flight="end", place="")])
def test_what_is_noted_comes_back(kill: Kill) -> None:
    """To the millisecond; all of it is plain, and there is nothing that is null."""
    line = msgspec.json.encode(entry_of("id", kill))
    assert b"null" not in line
    assert kill_of(msgspec.json.decode(line, type=type(entry_of("id", kill)))) == kill


def test_a_moment_that_cannot_be_read_is_none() -> None:
    """What has no end stands until somebody lifts it."""
    entry = msgspec.structs.replace(entry_of("id", made()), until="soon", since="")
    kill = kill_of(entry)
    assert (kill.until, kill.since) == (None, 0.0)


def test_calls_are_told_who_why_and_since_when() -> None:
    """In words for people and models, and as members of the problem."""
    problem = made().refusal().problem("c1", 0)
    assert (problem["status"], problem["code"], problem["scope"]) == (403, "killed", "agent")
    assert problem["detail"] == "looping (kill switch agent:a*)"
    assert problem["kill"] == {
        "scope": "agent:a*",
        "reason": "looping",
        "by": "alice",
        "since": "2001-09-09T01:46:40.000Z",
        "until": "2033-05-18T03:33:20.000Z",
    }
    assert (problem["retryable"], problem["next_step"]) == (False, "stop")
    assert msgspec.json.encode(problem)


def test_what_calls_are_told_is_made_once() -> None:
    """For a kill; one that says something else tells something else."""
    assert made().refusal() is made().refusal()
    assert made().refusal() != made(reason="other").refusal()
