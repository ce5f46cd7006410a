"""proxy/admin/openapi.py."""

import re

import pytest

from proxy.admin.api import Api
from proxy.admin.openapi import described
from tests.admin.scene import Scene


@pytest.fixture(scope="module")
def routes():
    return Api(Scene().sight).routes


@pytest.fixture(scope="module")
def told(routes):
    return described(routes)


def test_every_route_is_described(routes, told):
    """With the role that it needs, and what its path holds."""
    assert told["openapi"].startswith("3.1")
    for route in routes:
        path = re.sub(r":[^}]*", "", route.path)
        operation = told["paths"][path][route.method.lower()]
        needed = [] if route.role is None else [{"token": [route.role]}]
        assert operation["security"] == needed
        in_path = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
        assert in_path == re.findall(r"\{(\w+)\}", path)
        assert operation["responses"].keys() == {str(status) for status in route.answers}


def test_operations_have_names_of_their_own(told):
    """Programs that are made from it call them so."""
    names = [each["operationId"] for path in told["paths"].values() for each in path.values()]

    assert len(names) == len(set(names))
    assert "get_v1_calls_id" in names


def test_what_a_body_holds_is_described(told):
    """By its type; the reference leads somewhere."""
    body = told["paths"]["/v1/erasures"]["post"]["requestBody"]
    name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]

    assert told["components"]["schemas"][name]["required"] == ["reason"]


def test_what_may_be_given_often_is_a_list(told):
    """Such as the tools of calls."""
    parameters = {each["name"]: each for each in told["paths"]["/v1/calls"]["get"]["parameters"]}

    assert parameters["tool"]["schema"]["type"] == "array"
    assert parameters["since"]["schema"] == {"type": "string"}


def test_what_is_no_json_is_text(told):
    """In both forms of the metrics."""
    content = told["paths"]["/metrics"]["get"]["responses"]["200"]["content"]

    assert {media: each["schema"] for media, each in content.items()} == {
        "text/plain": {"type": "string"},
        "application/openmetrics-text": {"type": "string"},
    }
