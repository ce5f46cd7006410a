"""Alerts told to real receivers: aiohttp servers, as others write them."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from proxy.mirrors.reach import OURS
from proxy.mirrors.sender import Sender
from proxy.news import DeliveryChange
from proxy.observe.alerts.delivery import Deliveries
from proxy.observe.alerts.notice import Whence
from proxy.observe.alerts.receiver import Kind, Receiver
from tests.fakes import FakeClock, Turn
from tests.harness import Connection, RawUpstream, answer, holdfast, request, within
from tests.harness.upstream import never
from tests.observe.alerts.notices import notice, over

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Far:
    """A receiver: what it was sent, and what it says. 200 when the script ends."""

    def __init__(self) -> None:
        self.script: list[web.Response] = []
        self.heads: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.heads.append({name.lower(): value for name, value in request.headers.items()})
        self.bodies.append(await request.read())
        self.paths.append(request.path)
        return self.script.pop(0) if self.script else web.Response()

    @property
    def said(self) -> list[Any]:
        """What it was told, read."""
        return [json.loads(body) for body in self.bodies]


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    """One that listens."""
    made = Far()
    app = web.Application()
    app.router.add_post("/{path:.*}", made.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


class Scene:
    """Deliveries to one receiver, on a clock of their own."""

    def __init__(
        self, folder: Path, url: str, kind: Kind = "webhook", secret: str = SECRET,
        private: bool = True,
    ) -> None:  # fmt: skip
        self.clock = FakeClock(asleep=False)
        self.post = Sender(self.clock)
        self.news: list[DeliveryChange] = []
        self.bugs: list[BaseException] = []
        whence = Whence("pricing-01")
        self.delivery = Deliveries(
            folder, self.clock, self.post, whence, self.news.append, self.bugs.append
        )
        secrets = (secret,) if secret else ()
        self.receiver = Receiver(name="ops", kind=kind, url=url, secrets=secrets, private=private)
        self.delivery.obey([self.receiver])
        self.clock.spawn(self.delivery.run())

    async def until(self, so: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not so():
                await Turn()

        await within(wait())

    async def through(self, so: Callable[[], bool]) -> None:
        """Waits pass as soon as there are any."""

        async def wait() -> None:
            while not so():
                await asyncio.to_thread(lambda: None)
                if self.clock._sleepers:
                    self.clock.advance(
                        min(due for due, _ in self.clock._sleepers) - self.clock.now()
                    )

        await within(wait())

    async def stop(self) -> None:
        await within(self.delivery.stop())
        await within(self.clock.stop())
        await within(self.post.close())
        assert self.bugs == []


def signed(head: dict[str, str], body: bytes) -> bool:
    """As a receiver judges it, by the words of Standard Webhooks."""
    content = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + body
    mine = base64.b64encode(hmac.new(KEY, content, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(each, f"v1,{mine}")
               for each in head["webhook-signature"].split(" "))  # fmt: skip


async def test_a_webhook_is_told_until_it_takes_it(tmp_path: Path, far: Far) -> None:
    """500 twice, then 200: three deliveries with one id, each with its own time and signature; then
    that it is over, with the same fingerprint. Each once."""
    scene = Scene(tmp_path, far.url + "/hook")
    far.script = [web.Response(status=500), web.Response(status=500)]
    scene.delivery.send(notice("n-1"))
    scene.delivery.send(over("n-2"))
    await scene.through(lambda: len(far.heads) == 4)
    await scene.through(lambda: scene.delivery.waiting("ops") == 0)
    await scene.stop()

    assert [head["webhook-id"] for head in far.heads] == ["n-1", "n-1", "n-1", "n-2"]
    assert len({head["webhook-timestamp"] for head in far.heads[:3]}) == 3
    assert len({head["webhook-signature"] for head in far.heads}) == 4
    assert all(signed(head, body) for head, body in zip(far.heads, far.bodies, strict=True))
    assert len(set(far.bodies[:3])) == 1
    assert [said["status"] for said in far.said] == ["firing"] * 3 + ["resolved"]
    assert {said["alerts"][0]["fingerprint"] for said in far.said} == {"f1"}
    assert far.heads[0]["content-type"] == "application/json"


async def test_410_stops_it(tmp_path: Path, far: Far) -> None:
    """For what waits and what comes, also over a restart."""
    scene = Scene(tmp_path, far.url)
    far.script = [web.Response(status=410)]
    scene.delivery.send(notice("n-1"))
    scene.delivery.send(over("n-2"))
    await scene.until(lambda: bool(scene.delivery.disabled("ops")))
    scene.delivery.send(notice("n-3"))
    await scene.stop()

    again = Scene(tmp_path, far.url)
    await again.until(lambda: bool(again.delivery.disabled("ops")))
    again.delivery.send(notice("n-4"))
    await again.stop()
    assert len(far.heads) == 1


async def test_a_redirect_is_not_followed(tmp_path: Path, far: Far) -> None:
    """It is a failure like others."""
    scene = Scene(tmp_path, far.url + "/hook")
    far.script = [web.Response(status=302, headers={"Location": far.url + "/elsewhere"})]
    scene.delivery.send(notice("n-1"))
    await scene.through(lambda: len(far.paths) == 2)
    await scene.through(lambda: scene.delivery.waiting("ops") == 0)
    await scene.stop()
    assert far.paths == ["/hook", "/hook"]


async def test_a_throttled_receiver_is_left_alone_for_as_long_as_it_says(
    tmp_path: Path, far: Far
) -> None:
    """Retry-After counts instead of the schedule."""
    scene = Scene(tmp_path, far.url)
    far.script = [web.Response(status=429, headers={"Retry-After": "120"})]
    scene.delivery.send(notice("n-1"))
    await scene.until(lambda: scene.clock.slept != [])
    assert scene.clock.slept == [120.0]
    await scene.stop()


async def test_this_machine_is_told_only_if_somebody_says_so(tmp_path: Path, far: Far) -> None:
    """And that it is not is told, without its URL."""
    scene = Scene(tmp_path, far.url + "/secret", private=False)
    scene.delivery.send(notice("n-1"))
    await scene.until(lambda: scene.news != [])
    await scene.stop()
    assert far.heads == []
    assert scene.news == [DeliveryChange("failing", f"nothing was sent: {OURS}", "ops")]


async def test_an_alertmanager_keeps_what_fires(tmp_path: Path, far: Far) -> None:
    """It is told at its API, and again every minute."""
    scene = Scene(tmp_path, far.url, "alertmanager", "")
    fires = notice("n-1")
    scene.delivery.firing = lambda _: [fires]
    scene.delivery.send(fires)
    await scene.until(lambda: len(far.paths) == 1)
    await scene.through(lambda: len(far.paths) == 3)
    await scene.stop()
    assert set(far.paths) == {"/api/v2/alerts"}
    assert [each[0]["labels"]["alertname"] for each in far.said] == ["CircuitOpen"] * 3


POLICIES = """
alerts:
  receivers:
    - {name: dead, kind: webhook, url: "URL/sesame?sig=sesame", allow_private: true,
       secret: "KEY"}
    - {name: page, kind: pagerduty, secret: "sesamesesamesesamesesamesesamese", url: "URL/sesame",
       allow_private: true}
  routes: [{to: [dead, page]}]
"""


async def test_a_dead_receiver_slows_no_call_and_no_secret_is_shown(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In a whole proxy: while both receivers hang, calls pass. Nothing that it says anywhere, with
    the receivers failing and gone, has their URLs or secrets."""
    async with RawUpstream() as tools, RawUpstream() as far:
        far.otherwise = never
        far.script.append(answer(410))
        policies = POLICIES.replace("URL", far.url).replace("KEY", SECRET)
        async with holdfast(tools, policies=policies) as proxy:
            delivery = proxy.app._lookout.alerting.delivery
            for name in ("dead", "page"):
                for number in range(3):
                    delivery.send(notice(f"{name}{number}", receiver=name))
            await far.began(2)
            async with await proxy.connect() as agent:
                for _ in range(20):
                    assert (await agent.call(request("/"))).status == 200
            shown = b""
            for path in ("policies", "status", "agents", "policies/explain?tool=x&upstream=x"):
                async with await Connection.open(proxy.admin) as door:
                    shown += (await door.call(request(f"/v1/{path}"))).body
            async with await Connection.open(proxy.admin) as door:
                metrics = (await door.call(request("/metrics"))).body
            assert b'holdfast_alerts_receiver_state{receiver="dead",state="' in metrics
            queue = (proxy.folder / "state" / "alerts" / "queue").read_bytes()
    told = capfd.readouterr()
    for text in (shown, metrics, queue, told.err.encode(), told.out.encode()):
        assert b"sesame" not in text
        assert SECRET.encode() not in text
    assert "delivery" in told.err
