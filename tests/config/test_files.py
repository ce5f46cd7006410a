import json
from typing import Union, get_origin

import pytest
from msgspec.structs import fields

from proxy.config.files import POLICY, POLICY_FILE
from proxy.config.match import KEYS
from proxy.config.matching import Match
from proxy.config.schema import schema
from proxy.stages import SECTIONS


def test_a_match_may_ask_for_every_fact():
    """The file and the matching know the same keys; beside them stands the condition."""
    assert Match.__struct_fields__ == (*KEYS, "when")


@pytest.mark.parametrize(
    "section", [name for name, section in SECTIONS.items() if section.written_as_list]
)
def test_a_section_may_be_written_as_a_list(section):
    """The same list as that of its field; in the schema too."""
    (field,) = [field for field in fields(POLICY) if field.name == section]
    policy = json.loads(schema("policies"))["properties"]["policies"]["items"]
    mapping, _, listed = policy["properties"][section]["anyOf"]

    named = SECTIONS[section].written_as_list
    assert named in SECTIONS[section].__struct_fields__
    assert get_origin(field.type) is Union
    assert listed == {k: v for k, v in mapping["properties"][named].items() if k != "default"}


def test_a_section_may_be_written_as_a_number():
    """That of its field; in the schema beside the mapping. What it gives as well are fields too."""
    named = {
        name: section.written_as_number
        for name, section in SECTIONS.items()
        if section.written_as_number
    }
    policy = json.loads(schema("policies"))["properties"]["policies"]["items"]
    mapping, number, switch = policy["properties"]["cost"]["anyOf"]

    assert named == {"cost": "fixed"}
    assert number == mapping["properties"]["fixed"]["anyOf"][0]
    assert switch["type"] == "boolean"
    assert SECTIONS["cost"].by_number.keys() < set(SECTIONS["cost"].__struct_fields__)


def test_every_section_may_stand_in_a_policy():
    """It follows from the list of stages."""
    assert set(SECTIONS) < set(POLICY.__struct_fields__)
    assert POLICY_FILE.__struct_fields__ == (
        "upstreams",
        "policies",
        "bulkheads",
        "budgets",
        "prices",
        "slos",
        "alerts",
        "behaviour",
        "mirrors",
        "kill",
    )
