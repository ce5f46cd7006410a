"""proxy/admin/doors.py."""

from functools import partial

import pytest
from aiohttp.test_utils import make_mocked_request

from proxy.admin.answers import NotDone
from proxy.admin.doors import closed, foreign


def request(**headers):
    """A request with these headers; its Host is the usual one unless it says another."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("GET", "/v1/status", {"Host": "127.0.0.1:8701", **named})


def refused(ask):
    """What is said where it is refused; empty: it is not."""
    try:
        ask()
    except NotDone as error:
        return f"{error.status} {error}"
    return ""


def test_it_is_open_on_this_machine_for_one_agent():
    """Its own data is all there is."""
    assert not refused(lambda: closed(local=True, static=True, alone=True))


@pytest.mark.parametrize(
    ("local", "static", "alone", "said"),
    [
        (False, True, True, "loopback address or a Unix socket only"),
        (True, False, True, "identity is static"),
        (True, True, False, "store is memory"),
    ],
)
def test_elsewhere_and_for_several_agents_it_is_closed(local, static, alone, said):
    """403, with what would open it."""
    told = refused(lambda: closed(local=local, static=static, alone=alone))
    assert told.startswith("403 ")
    assert said in told


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
    assert not refused(lambda: foreign(request(**headers), by_socket=False))


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
    assert refused(lambda: foreign(request(**headers), by_socket=False))


def test_a_page_that_came_by_tls_comes_in_where_a_token_is_needed():
    """An ingress ended it; its name is that of the page. Others stay out there as well."""
    ours = {"Host": "holdfast.example", "Origin": "https://holdfast.example"}
    assert not refused(lambda: foreign(request(**ours), anywhere=True))
    assert refused(lambda: foreign(request(**ours)))
    for origin in ("https://evil.example", "https://holdfast.example:444", "null"):
        theirs = request(Host="holdfast.example", Origin=origin)
        assert refused(partial(foreign, theirs, anywhere=True))


def test_no_page_reaches_a_socket_by_a_name():
    """So the Host there may be anything; an Origin is still one."""
    assert not refused(lambda: foreign(request(Host="holdfast"), by_socket=True))
    assert not refused(lambda: foreign(request(Host="127.0.0.1:8701"), by_socket=True))
    assert refused(lambda: foreign(request(Host="a", Origin="http://b"), by_socket=True))


@pytest.mark.parametrize("mark", ["Accept-Language", "Origin", "Sec-Fetch-Site"])
def test_a_tunnel_to_the_socket_is_closed_to_names_that_lead_to_it(mark) -> None:
    """A page of another site, whose name was made to lead to the near end, asks itself: Origin and
    Host agree. A browser is told by what it always sends. Where a token is needed it has none."""
    value = {"Accept-Language": "", "Origin": "http://evil.example:8701"}.get(mark, "same-origin")
    headers = {"Host": "evil.example:8701", mark: value}

    assert refused(lambda: foreign(request(**headers), by_socket=True))
    assert not refused(lambda: foreign(request(**headers), anywhere=True))
    near = {"Host": "127.0.0.1:8701", mark: value.replace("evil.example", "127.0.0.1")}
    assert not refused(lambda: foreign(request(**near), by_socket=True))
