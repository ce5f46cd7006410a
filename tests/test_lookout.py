"""proxy/lookout.py: what operators are told, put together."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.config.alerts import Alerts
from proxy.config.loaded import Loaded
from proxy.config.receivers import PostUrl, Receiver
from proxy.config.settings import Address, Agent, Settings
from proxy.config.types import Name
from proxy.keep import Keep
from proxy.lookout import Lookout
from proxy.observe.alerts import delivery_figures
from tests.fakes import FakeClock
from tests.harness import RawUpstream, within
from tests.observe.alerts.notices import notice


@pytest.fixture
async def far() -> AsyncIterator[RawUpstream]:
    """Who is told."""
    async with RawUpstream() as upstream:
        yield upstream


@pytest.mark.parametrize(
    ("admin", "shown"),
    [
        ("10.1.2.3:8701", "http://10.1.2.3:8701"),
        ("holdfast.example:8701", "http://holdfast.example:8701"),
        ("[2001:db8::1]:8701", "http://[2001:db8::1]:8701"),
        ("127.0.0.1:8701", ""),
        ("localhost:8701", ""),
        ("0.0.0.0:8701", ""),
        ("[::]:8701", ""),
        ("10.1.2.3:0", ""),
        ("unix:/run/holdfast.sock", ""),
    ],
)
async def test_alerts_are_delivered(
    tmp_path: Path, far: RawUpstream, admin: str, shown: str
) -> None:
    """From the policies' receivers to the wire; with a link, where others can follow it."""
    clock = FakeClock(asleep=False)
    bugs: list[BaseException] = []
    settings = Settings(data_dir=str(tmp_path), admin=Address(admin), agent=Agent(id="pricing-01"))
    lookout = Lookout(settings, clock, Keep(), bugs.append)
    receiver = Receiver(
        name=Name("ops"), kind="webhook", url=PostUrl(far.url + "/hook"), allow_private=True
    )
    lookout.obey(Loaded("v1", alerts=Alerts((receiver,))))
    clock.spawn(lookout.run())
    lookout.alerting.delivery.send(notice("n-1"))
    request = await far.seen()
    assert request.start == b"POST /hook HTTP/1.1"
    assert request.value("webhook-id") == b"n-1"
    assert json.loads(request.body)["externalURL"] == shown
    families = {family.metric.name: family.rows for family in lookout.families()}
    assert (("ops", "ok") in families[delivery_figures.RECEIVER_STATE.name]) is True
    await within(lookout.stop())
    await within(clock.stop())
    assert bugs == []
