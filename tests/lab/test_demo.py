import pytest

import proxy.lab.demo
from proxy.config.load import load_policies
from proxy.lab.demo import SCENES, Answer, Play, policies
from proxy.lab.sandbox.gateway import start


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene[0])
async def test_every_scene_notices_that_there_is_no_proxy(monkeypatch, tmp_path, scene):
    """Played straight to the gateway nothing is held: a check that cannot fail is none."""
    monkeypatch.setattr(proxy.lab.demo, "SCENES", (scene,))
    told: list[str] = []
    gateway = await start("127.0.0.1:0")
    try:
        play = Play(gateway.url, gateway, lambda text: True, told.append, tmp_path)

        assert not await play.run()
    finally:
        await gateway.close()
    assert any("NOT SO" in line for line in told)


async def test_a_connection_that_breaks_is_an_outcome(tmp_path):
    """Nobody listens: it is told, scene by scene, and nothing is raised."""
    told: list[str] = []
    gateway = await start("127.0.0.1:0")
    await gateway.close()

    assert not await Play(gateway.url, gateway, lambda text: True, told.append, tmp_path).run()
    broken = "   NOT SO an answer came, and no ClientConnectorError"
    assert told.count(broken) == len(SCENES)


def test_its_policies_are_right(tmp_path):
    """Without a warning; and another number of attempts is another version."""
    versions = set()
    for attempts in (1, 3):
        (tmp_path / "p.yaml").write_text(policies("http://127.0.0.1:1", attempts))
        loaded = load_policies(tmp_path)
        assert loaded.warnings == ()
        versions.add(loaded.version)

    assert len(versions) == 2


def test_what_is_shown_of_an_answer():
    """Its status, what Holdfast said, and for how long to wait; nothing else."""
    headers = {"date": "today", "holdfast-attempts": "2", "retry-after": "1"}

    assert Answer(503, headers, {}).shown() == "503 holdfast-attempts=2 retry-after=1"
