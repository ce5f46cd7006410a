"""A real Alertmanager, told of alerts: it takes them, and has them as they are.

It is looked for in the folder that HOLDFAST_TEST_PROMETHEUS names, else on the PATH. Debian's
package `prometheus-alertmanager` must be installed: it looks for its templates where that has them.
It listens on the loopback only, and ends with the test.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from proxy.mirrors.sender import Sender
from proxy.observe.alerts.courier import RESEND
from proxy.observe.alerts.delivery import Deliveries
from proxy.observe.alerts.notice import Whence
from proxy.observe.alerts.receiver import Receiver
from tests.fakes import FakeClock, Turn
from tests.harness import within
from tests.observe.alerts.notices import notice, told
from tests.servers import free_port

_NAMES = ("prometheus-alertmanager", "alertmanager")  # Debian's, and their own
ALERTMANAGER = next(
    filter(
        None, (shutil.which(n, path=os.environ.get("HOLDFAST_TEST_PROMETHEUS")) for n in _NAMES)
    ),
    None,
)
pytestmark = pytest.mark.skipif(
    ALERTMANAGER is None, reason="no alertmanager: see HOLDFAST_TEST_PROMETHEUS in CONTRIBUTING.md"
)


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """Where it listens, once it does."""
    assert ALERTMANAGER is not None
    config = tmp_path / "am.yml"
    config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        ALERTMANAGER,
        f"--config.file={config}",
        f"--storage.path={tmp_path / 'am'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    while b"Listening on" not in (line := await within(process.stderr.readline())):
        assert line
    reading = asyncio.create_task(process.stderr.read())  # it must not wait for us
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    await within(process.wait())
    await within(reading)


async def active(url: str) -> list[Any]:
    """What fires there."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/api/v2/alerts", params={"active": "true"}) as answer,
    ):
        found: list[Any] = await answer.json()
    return found


async def until(so: Callable[[], bool]) -> None:
    """It is so."""

    async def wait() -> None:
        while not so():
            await Turn()

    await within(wait())


async def test_an_alertmanager_has_what_fires(url: str, tmp_path: Path) -> None:
    """With its labels, from its start; told again it is the same one; and when it is over it is."""
    clock = FakeClock(asleep=False)
    now = clock.wall()
    post = Sender(clock)
    bugs: list[BaseException] = []
    news: list[Any] = []
    delivery = Deliveries(tmp_path, clock, post, Whence("pricing-01"), news.append, bugs.append)
    delivery.obey([Receiver(name="am", kind="alertmanager", url=url, private=True)])
    fires = replace(told("f1", starts_at=now - 60), labels={"upstream": "billing", "tool": ""})
    delivery.firing = lambda _: [notice("n-1", fires, receiver="am")]
    clock.spawn(delivery.run())
    await until(lambda: delivery._running)

    delivery.send(notice("n-1", fires, receiver="am"))
    await until(lambda: delivery.waiting("am") == 0)
    (there,) = await active(url)
    assert there["labels"] == {
        "alertname": "CircuitOpen", "severity": "page", "source": "breaker", "upstream": "billing",
    }  # fmt: skip
    assert there["annotations"]["summary"] == "calls of billing are refused"
    await until(lambda: bool(clock._sleepers))
    clock.advance(RESEND)
    await until(lambda: len(clock.slept) == 2)
    (again,) = await active(url)
    assert (again["fingerprint"], again["startsAt"]) == (there["fingerprint"], there["startsAt"])

    over = replace(fires, ends_at=now)
    delivery.send(notice("n-2", over, receiver="am"))
    await until(lambda: delivery.waiting("am") == 0)
    assert await active(url) == []
    await within(delivery.stop())
    await within(clock.stop())
    await within(post.close())
    assert (bugs, news) == ([], [])
