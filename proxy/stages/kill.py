"""The kill switch: no section of a policy, and no call goes round it.

It is asked first of all, and again before each attempt, by the upstream that the attempt goes to:
what is killed while a call waits, backs off or looks for another upstream is killed for it too.
Where nothing is, it costs one look.
"""

from proxy.attempt import Attempt
from proxy.call import Call
from proxy.keys import KILLS
from proxy.refusal import Refusal
from proxy.stage import Check, NothingTaken, Said, Section, Site
from proxy.state.kills import Kills


class Switch(Check):
    """Asked of each call. Its own upstream counts, and not others that might answer instead."""

    __slots__ = ("_kills",)

    def __init__(self, site: Site) -> None:
        self._kills = site.ground.kept(KILLS, Kills)

    @classmethod
    def build(cls, section: Section, site: Site) -> "Switch | None":
        """None in shadow: what is killed is so for everybody."""
        return None if site.ground.shadow else cls(site)

    def admit(self, call: Call) -> Refusal | None:
        """Refuses `killed`."""
        net = self._kills.net
        if net is None:
            return None
        kill = net.of(call, call.upstream)
        return None if kill is None else kill.refusal()

    def says(self, call: Call) -> Said:
        """What it would do with the call now."""
        return _said(self.admit(call))


class AttemptSwitch(NothingTaken):
    """Asked of each sending."""

    __slots__ = ("_kills", "_upstream")

    def __init__(self, site: Site) -> None:
        self._kills = site.ground.kept(KILLS, Kills)
        self._upstream = site.target.upstream

    @classmethod
    def build(cls, section: Section, site: Site) -> "AttemptSwitch | None":
        """None in shadow, likewise."""
        return None if site.ground.shadow else cls(site)

    def admit(self, attempt: Attempt) -> Refusal | None:
        """Refuses `killed`."""
        return None if self._kills.net is None else self._verdict(attempt.call)

    def says(self, call: Call) -> Said:
        """What it would do with an attempt of the call now."""
        return _said(self._verdict(call))

    def _verdict(self, call: Call) -> Refusal | None:
        net = self._kills.net
        kill = None if net is None else net.of(call, self._upstream)
        return None if kill is None else kill.refusal()


def _said(refusal: Refusal | None) -> Said:
    if refusal is None:
        return Said("nothing that it falls under is killed")
    return Said(f"killed: {refusal.detail}", refusal)
