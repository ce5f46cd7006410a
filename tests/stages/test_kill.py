"""The gates of the kill switch; `tests/whole/test_kill.py` has what becomes of calls."""

from proxy.keys import KILLS
from proxy.refusal import Refusal
from proxy.stage import Section, Site
from proxy.stages.kill import AttemptSwitch, Switch
from proxy.state.killed import Kill
from proxy.state.kills import Kills
from proxy.state.scopes import Net, Scope
from tests.fakes import make_attempt, make_call, make_ground, make_target


class Gates:
    """Those of one pipeline."""

    def __init__(self) -> None:
        ground = make_ground()
        site = Site(make_target(upstream="spare"), ground)
        self.kills = ground.kept(KILLS, Kills)
        self.switch = Switch.build(Section(), site)
        self.each = AttemptSwitch.build(Section(), site)

    def kill(self, scope: str) -> None:
        self.kills.net = Net([Kill(Scope(scope), "why", "alice", "admin")])

    @property
    def codes(self) -> tuple[str, str]:
        """What they say to a call of another upstream, and to its attempt here."""
        call = make_call(upstream="own", agent="a")
        assert self.switch is not None
        assert self.each is not None
        asked = self.switch.admit(call), self.each.admit(make_attempt(call))
        said = self.switch.says(call), self.each.says(call)
        assert tuple(each.refusal for each in said) == asked
        return _code(asked[0]), _code(asked[1])


def _code(refusal: Refusal | None) -> str:
    return "" if refusal is None else refusal.code


def test_where_nothing_is_killed_all_goes() -> None:
    """Nor where something else is."""
    gates = Gates()
    assert gates.codes == ("", "")
    gates.kill("agent:b")
    assert gates.codes == ("", "")


def test_both_see_who_calls_and_each_its_own_upstream() -> None:
    """A call may go on where its fallback is killed; its attempt there may not."""
    gates = Gates()
    gates.kill("agent:*")
    assert gates.codes == ("killed", "killed")
    gates.kill("upstream:own")
    assert gates.codes == ("killed", "")
    gates.kill("upstream:spare")
    assert gates.codes == ("", "killed")


def test_a_shadow_has_none() -> None:
    """What is killed is so for everybody."""
    site = Site(make_target(), make_ground(shadow=True))
    assert Switch.build(Section(), site) is None
    assert AttemptSwitch.build(Section(), site) is None
