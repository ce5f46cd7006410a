"""proxy/cli/asking.py."""

import socket

import click
import pytest

from proxy.cli.asking import Unanswered, admin_of_settings, ask, every
from tests.cli.admin import serving

PROBLEM = {"type": "about:blank", "title": "Bad Request"}


@pytest.fixture
def pages():
    with serving() as found:
        yield found


def test_a_page_is_read(pages):
    """With its parameters, by a URL or an address."""
    pages.put("/v1/x", {"a": 1})

    assert ask(pages.url, "/v1/x", {"tool": "a b&c"}) == {"a": 1}
    assert ask(pages.url.removeprefix("http://"), "/v1/x") == {"a": 1}
    assert pages.asked == [("/v1/x", {"tool": "a b&c"}), ("/v1/x", {})]


def test_a_socket_is_asked_too(tmp_path):
    """By its path."""
    with serving(str(tmp_path / "s")) as pages:
        pages.put("/v1/x", [1])
        assert ask(pages.url, "/v1/x") == [1]


def test_a_list_is_read_to_its_end(pages):
    """Page by page, in as few as can be."""
    pages.put("/v1/l", {"items": [1, 2], "next": "c"}, {"items": [3], "next": None})

    assert every(pages.url, "/v1/l", {"state": "open"}) == [1, 2, 3]
    assert [query for _, query in pages.asked] == [
        {"state": "open", "limit": "1000"},
        {"state": "open", "limit": "1000", "cursor": "c"},
    ]


def test_nobody_there():
    """What to do is said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(Unanswered) as caught:
        ask(address, "/v1/status")

    assert caught.value.message == (
        f"no proxy answers at {address}: Connection refused; start one with `holdfast run`,"
        " or name another with --admin"
    )


def test_no_such_socket(tmp_path):
    """Likewise."""
    with pytest.raises(Unanswered, match=r"no proxy answers at unix:.*No such file or directory"):
        ask(f"unix:{tmp_path}/nothing", "/v1/status")


@pytest.mark.parametrize("raw", [b"HTTP/1.1 200 OK\r\n\r\nhello", b"220 mail\r\n\r\n", b""])
def test_somebody_else_there(pages, raw):
    """What answers, but not as Holdfast."""
    pages.raw = raw
    with pytest.raises(Unanswered, match=r"is no admin side of Holdfast|no proxy answers"):
        ask(pages.url, "/v1/status")


@pytest.mark.parametrize(
    ("status", "content", "said"),
    [
        (
            403,
            {"type": "about:blank", "title": "Forbidden", "detail": "go away"},
            "refuses: go away",
        ),
        (400, {"type": "about:blank", "title": "Bad Request"}, "refuses: Bad Request"),
        (404, {"type": "about:blank", "title": "Not Found"}, "of another version"),
        (405, {"error": "x"}, "is no admin side"),
        (500, [], "is no admin side"),
    ],
)
def test_what_is_refused_is_told(pages, status, content, said):
    """In its own words."""
    pages.put("/v1/x", content, status=status)
    with pytest.raises(Unanswered, match=said):
        ask(pages.url, "/v1/x")


@pytest.mark.parametrize("admin", ["x", "ftp://h:1", "h:99999", "http://h", "http://h:1/path"])
def test_what_is_no_address(admin):
    """It is wrong usage."""
    with pytest.raises(click.UsageError, match="--admin must be http://host:port"):
        ask(admin, "/v1/x")


def test_the_address_of_the_settings(here, monkeypatch):
    """As `run` takes it: a variable, a file, or the default."""
    assert admin_of_settings() == "127.0.0.1:8701"
    monkeypatch.setenv("HOLDFAST_ADMIN", "unix:/run/h.sock")
    assert admin_of_settings() == "unix:/run/h.sock"


@pytest.mark.parametrize("admin", ["0.0.0.0:8701", "[::]:8701", "10.0.0.7:8701"])
def test_where_a_token_would_be_needed_the_socket_is_asked(here, monkeypatch, admin):
    """Who may exec into a pod sees its state without one; while there is no socket, the address."""
    monkeypatch.setenv("HOLDFAST_ADMIN", admin)
    monkeypatch.setenv("HOLDFAST_DATA_DIR", str(here))

    assert admin_of_settings() == admin
    (here / "admin.sock").touch()
    assert admin_of_settings() == f"unix:{here / 'admin.sock'}"
    monkeypatch.setenv("HOLDFAST_ADMIN", "127.0.0.1:8701")
    assert admin_of_settings() == "127.0.0.1:8701"
