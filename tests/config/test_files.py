from proxy.config.files import POLICY, POLICY_FILE, Match
from proxy.config.match import KEYS
from proxy.stages import SECTIONS


def test_a_match_may_ask_for_every_fact():
    """The file and the matching know the same keys."""
    assert Match.__struct_fields__ == KEYS


def test_every_section_may_stand_in_a_policy():
    """It follows from the list of stages."""
    assert set(SECTIONS) < set(POLICY.__struct_fields__)
    assert POLICY_FILE.__struct_fields__ == ("upstreams", "policies", "bulkheads")
