"""What people are called for, put together; `tests/whole/test_alerts.py` has it on a real proxy."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.alerting import Alerting
from proxy.config.loaded import Loaded
from proxy.config.settings import Settings
from proxy.journal.writer import State
from proxy.keep import Keep
from proxy.keys import LEDGER, NEWS
from proxy.mirrors.sender import Sender
from proxy.news import BudgetChange, KillChange, News, TrafficChange
from proxy.observe.alerts.figures import FIRING
from proxy.state.caps import Cap, Limit
from proxy.state.ledger import Ledger
from tests.fakes import FakeClock
from tests.harness import OK, RawUpstream, answer, within
from tests.observe.alerts.scene import Notes
from tests.tables import load


class Journal(Notes):
    """One that says how it is."""

    state = State("ok", 0.0)


class Desk:
    """All of it, as the lookout has it."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(asleep=False)
        self.keep = Keep()
        self.bugs: list[BaseException] = []
        self.sender = Sender(self.clock)
        settings = Settings(data_dir=str(folder))
        self.alerting = Alerting(settings, self.clock, self.keep, self.sender, self.bugs.append)
        self.journal = Journal(self.clock)
        self.alerting.begin(self.journal)

    def wait(self, seconds: int) -> None:
        """With a look each second."""
        for _ in range(seconds):
            self.clock.advance(1.0)
            for tick in self.alerting.ticks:
                tick()

    @property
    def firing(self) -> list[str]:
        return [alert.condition.name for alert in self.alerting.alerts.firing()]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """One at work."""
    made = Desk(tmp_path)
    yield made
    await within(made.sender.close())
    assert made.bugs == []


async def test_news_become_alerts(desk: Desk) -> None:
    """And what is in no policy, or does not stand, is over though nobody says so."""
    desk.alerting.obey(Loaded("v1"))
    news: News = desk.keep.of(NEWS, News)
    news.tell(TrafficChange("u", ("spare",), 0, "probes"))
    assert desk.firing == ["UpstreamLost"]
    news.tell(KillChange("agent:a", "engaged", "x", "ann", "admin"))
    families = {family.metric: family.rows for family in desk.alerting.families()}
    assert families[FIRING] == {("upstream", "ticket"): 1, ("kill", "ticket"): 1}
    desk.alerting.obey(Loaded("v2"))
    desk.wait(100)
    assert desk.firing == []
    desk.journal.state = State("full", 0.0, "no space")
    desk.wait(31)
    assert desk.firing == ["JournalUnwritable"]


async def test_what_a_reload_takes_away_is_over_soon(desk: Desk) -> None:
    """Not when the window of a budget ends, and not at the next look in half a minute."""
    desk.alerting.obey(Loaded("v1"))
    ledger: Ledger = desk.keep.of(LEDGER, lambda: Ledger(desk.clock.wall, desk.clock.uuid))
    ledger.obey((Cap("daily", "agent", (Limit("day", 10),)),))
    news: News = desk.keep.of(NEWS, News)
    news.tell(BudgetChange("daily", "ann", "day", 100, "1.00", "1.00", "2100-01-01T00:00:00Z"))
    desk.wait(5)
    assert desk.firing == ["BudgetSpent"]
    ledger.obey(())
    desk.alerting.obey(Loaded("v2"))
    desk.wait(62)
    assert desk.firing == []


async def test_a_tool_is_called_straight(desk: Desk) -> None:
    """With the upstream's credentials and a key; who does not take it says why."""
    assert await desk.alerting.call("gw", "t", {}, "k") == "there is no such upstream"
    async with RawUpstream(OK, answer(500, body=b"{}")) as far:
        auth = "[{bearer: s3cret}, {bearer: next}]"  # one of them is sent
        desk.alerting.obey(load(f"upstreams: {{gw: {{url: '{far.url}', auth: {auth}}}}}"))
        assert await within(desk.alerting.call("gw", "create_dispute", {"a": 1}, "k")) == ""
        asked = await far.seen()
        assert json.loads(asked.body) == {"tool": "create_dispute", "input": {"a": 1}}
        assert asked.values("authorization") == [b"Bearer s3cret"]
        assert asked.value("idempotency-key") == b"k"
        assert "500" in await within(desk.alerting.call("gw", "create_dispute", {}, "k"))
