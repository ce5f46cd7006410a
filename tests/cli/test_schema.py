import json

from proxy.config.schema import schema


def test_prints_the_schema_of_policies(holdfast):
    """Where nothing else is asked for."""
    assert holdfast("schema").out == schema("policies")


def test_prints_the_schema_of_settings(holdfast):
    """It is JSON."""
    assert json.loads(holdfast("schema", "settings").out)["title"] == "Holdfast settings"
