"""A stage for single acts: a real gateway and a real proxy."""

import pytest

import proxy.lab.demo.play
from proxy.cli.demo import staged
from proxy.lab.demo.play import Act


class Played:
    """What came of it."""

    def __init__(self, play, lines):
        self.play = play
        self.lines = lines

    @property
    def text(self):
        """All on one line, so that it does not matter where lines are broken."""
        return " ".join(" ".join(self.lines).split())

    @property
    def failed(self):
        """The promises that did not hold."""
        return [
            each["promise"]
            for act in self.play.told
            for each in act["promises"]
            if not each["held"]
        ]


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """Plays one act. `past_proxy`: the agent calls the gateway itself, so that nothing is held."""

    async def run(act, *, past_proxy=False):
        lines: list[str] = []
        async with staged(tmp_path, lines.append) as play:
            if past_proxy:
                monkeypatch.setattr(proxy.lab.demo.play, "PATIENCE", 0.3)
                play.cast = play.cast._replace(proxy=play.gateway.url)
            await play.run((Act("One act", act),))
        return Played(play, lines)

    return run
