"""proxy/access.py."""

import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.access import Access
from proxy.admin.health import Health
from proxy.clock import Clock
from proxy.config.places import ConfigError
from proxy.config.settings import Settings
from proxy.observe.logs import Log
from tests.fakes import make_call
from tests.harness import within

A = hashlib.sha256(b"a").hexdigest()
ANN = f"tokens: [{{name: ann, roles: [viewer], sha256: {A}}}]"
ROBOT = f"agents: [{{id: robot, sha256: {A}}}]"


@pytest.fixture
async def clock() -> AsyncIterator[Clock]:
    made = Clock()
    yield made
    await made.stop()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.yaml"


def write(file: Path, text: str, mode: int = 0o600) -> None:
    """What it says from now on."""
    file.write_text(text)
    file.chmod(mode)


@pytest.fixture
def access(file: Path, clock: Clock) -> Any:
    def make(text: str | None) -> Access:
        if text is not None:
            file.write_text(text)
        settings = msgspec.structs.replace(Settings(), tokens=str(file), identity=("key",))
        log = Log(clock, "info", "json")
        made = Access(settings, clock, log, Health())
        log.close()
        return made

    return make


def names(access: Access) -> list[str]:
    """Of those in force."""
    return [token.name for token in access.tokens.tokens]


async def test_a_start_with_a_broken_file_is_none(access: Any) -> None:
    """All that is wrong is told."""
    with pytest.raises(ConfigError, match="tokens: expected"):
        access("tokens: 1")


async def test_it_is_read_again_when_it_changes(access: Any, file: Path) -> None:
    """And when it comes to be there."""
    made = access(None)
    assert not made.tokens.there
    made.start()
    write(file, ANN)

    async def until(*wanted: str) -> None:
        while names(made) != list(wanted):
            await made._clock.sleep(0.01)

    await within(until("ann"))
    write(file, ANN.replace("ann", "bob"))
    await within(until("bob"))


async def test_what_cannot_be_used_leaves_what_was_there(access: Any, file: Path) -> None:
    """And says so, once for the same."""
    made = access(ANN)
    write(file, "tokens: 1")
    wrong = await within(made.reloaded())

    assert "tokens: expected" in wrong[0]
    assert names(made) == ["ann"]
    assert await within(made.reloaded()) == wrong
    part = made._health.report()["parts"]["tokens"]
    assert part == {"ok": False, "last_reload_error": wrong[0]}
    write(file, ANN)
    assert await within(made.reloaded()) == ()


async def test_a_file_that_is_gone_opens_nothing(access: Any, file: Path) -> None:
    """Without a file reads are open to the machine: not because somebody deleted it."""
    made = access(ANN)
    os.unlink(file)

    assert "is gone" in (await within(made.reloaded()))[0]
    assert made.tokens.there


async def test_agents_are_known_by_what_it_says(access: Any, file: Path) -> None:
    """From the moment that it is read."""
    made = access(ROBOT)
    call = make_call({b"x-api-key": b"a"})
    made.identity.name(call)
    assert call.agent == "robot"
    write(file, ROBOT.replace("robot", "other"))
    await within(made.reloaded())
    made.identity.name(call)
    assert call.agent == "other"


async def test_who_asks_while_it_is_read_has_it_read_once_more(access: Any, file: Path) -> None:
    """What is being read may be older than the question."""
    made = access(ANN)
    made.reload_soon()
    write(file, ANN.replace("ann", "bob"))
    await within(made.reloaded())

    assert names(made) == ["bob"]


async def test_what_is_loaded_is_logged_and_warned_of_once(
    access: Any, file: Path, clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    """How many, and never what."""
    write(file, ANN, 0o666)
    log = Log(clock, "info", "json")
    made = Access(msgspec.structs.replace(Settings(), tokens=str(file)), clock, log, Health())
    await within(made.reloaded())
    log.close()
    text = capfd.readouterr().err
    told = [json.loads(line) for line in text.splitlines()]

    assert [line["event"] for line in told] == ["tokens", "tokens loaded", "tokens loaded"]
    assert (told[1]["tokens"], told[1]["agents"]) == (1, 0)
    assert A not in text
