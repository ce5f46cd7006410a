import pytest

from proxy.lab.demo.acts import ACTS
from proxy.lab.demo.play import Cast, Play
from proxy.lab.sandbox.gateway import start


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.title.partition(":")[0])
async def test_every_act_notices_that_nothing_is_held(alone, act):
    """Played past the proxy: a check that cannot fail is none."""
    played = await alone(act.play, past_proxy=True)

    assert played.failed
    assert any("NOT SO" in line for line in played.lines)


async def test_a_connection_that_breaks_is_an_outcome(tmp_path):
    """Nobody listens: it is told, act by act, and nothing is raised."""
    told: list[str] = []
    gateway = await start("127.0.0.1:0")
    await gateway.close()
    cast = Cast(gateway.url, gateway.url, {}, gateway, tmp_path, lambda text: True)

    assert not await Play(cast, told.append).run(ACTS)
    broken = "   NOT SO    an answer came, and no ClientConnectorError"
    assert told.count(broken) == len(ACTS)
