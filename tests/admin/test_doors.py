"""proxy/admin/doors.py."""

import json

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from proxy.admin.doors import closed, foreign


def request(**headers):
    """A request with these headers; its Host is the usual one unless it says another."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("GET", "/v1/status", {"Host": "127.0.0.1:8701", **named})


def test_it_is_open_on_this_machine_for_one_agent():
    """Its own data is all there is."""
    assert closed(local=True, static=True) is None


@pytest.mark.parametrize(
    ("local", "static", "said"),
    [(False, True, "loopback address or a Unix socket only"), (True, False, "identity is static")],
)
def test_elsewhere_and_for_several_agents_it_is_closed(local, static, said):
    """403, with what would open it."""
    shut = closed(local, static)

    assert isinstance(shut, web.Response)
    assert shut.status == 403
    assert isinstance(shut.body, bytes)
    assert said in json.loads(shut.body)["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:8701"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
        {"Host": "localhost:8701"},
        {"Host": "LOCALHOST"},
        {"Host": "[::1]:8701"},
        {"Host": "[::1]"},
        {"Host": "127.0.0.1"},
    ],
)
def test_the_machines_own_user_comes_in(headers):
    """With a command, or a page that came from here."""
    assert foreign(request(**headers), by_socket=False) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:8701"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Host": "evil.example:8701"},
        {"Host": "localhost.evil.example"},
    ],
)
def test_pages_of_other_sites_stay_out(headers):
    """Also those whose name was made to lead here."""
    shut = foreign(request(**headers), by_socket=False)

    assert shut is not None
    assert shut.status == 403


def test_no_page_reaches_a_socket_by_a_name():
    """So the Host there may be anything; an Origin is still one."""
    assert foreign(request(Host="holdfast"), by_socket=True) is None
    assert foreign(request(Host="a", Origin="http://b"), by_socket=True) is not None
