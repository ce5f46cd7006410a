import pytest

from proxy.config import settings, types
from proxy.config.files import POLICY, POLICY_FILE, Domain
from proxy.config.later import LATER
from proxy.config.matching import Match
from proxy.stages import SECTIONS, fallback

OWNERS = {
    **SECTIONS,
    "PolicyFile": POLICY_FILE,
    "Policy": POLICY,
    "Domain": Domain,
    "Match": Match,
    "Upstream": types.Upstream,
    "Agent": settings.Agent,
    "Settings": settings.Settings,
    "Static": fallback.Static,
}


@pytest.mark.parametrize("owner", LATER)
def test_what_is_there_is_not_said_to_come_later(owner):
    """Each name belongs to a type of ours, and none of its keys is there already."""
    assert LATER[owner].isdisjoint(OWNERS[owner].__struct_fields__)
