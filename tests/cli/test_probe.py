"""proxy/cli/probe.py."""

import socket

import pytest

from tests.cli.admin import serving

PARTS = {
    "listening": {"ok": True, "address": "127.0.0.1:8700"},
    "policies": {"ok": True, "version": "ab12cd", "last_reload_error": None},
    "journal": {"ok": True, "state": "ok", "why": None},
    "draining": {"ok": True, "draining": False},
}


@pytest.fixture
def pages(here):
    with serving() as found:
        yield found


@pytest.fixture
def probe(holdfast, pages):
    def call(*arguments):
        return holdfast("probe", *arguments, "--admin", pages.url)

    return call


@pytest.mark.parametrize(
    ("asked", "page", "says"),
    [
        ([], "/readyz", "ready"),
        (["ready"], "/readyz", "ready"),
        (["live"], "/livez", "alive"),
        (["started"], "/startupz", "started"),
    ],
)
def test_yes(probe, pages, asked, page, says):
    """Exit code 0, and the word of the page; ready is what is asked for without a word."""
    pages.put(page, {"status": says})

    assert probe(*asked) == (0, f"{says}\n", "")


def test_it_is_asked_by_the_address_of_the_settings(holdfast, pages, monkeypatch):
    """As the container has them: no option is needed."""
    pages.put("/readyz", {"status": "ready"})
    monkeypatch.setenv("HOLDFAST_ADMIN", pages.url.removeprefix("http://"))

    assert holdfast("probe").code == 0


def test_a_socket_is_asked_too(holdfast, here):
    """By its path."""
    with serving(str(here / "s")) as pages:
        pages.put("/livez", {"status": "alive"})

        assert holdfast("probe", "live", "--admin", pages.url).code == 0


def test_no_and_why(probe, pages):
    """Exit code 1; the parts that are not well, with what they say of it."""
    journal = {"ok": False, "state": "full", "why": "No space left on device"}
    parts = {**PARTS, "journal": journal, "draining": {"ok": False, "draining": True}}
    pages.put("/readyz", {"status": "not ready", "parts": parts}, status=503)

    said = "holdfast: not ready: journal (No space left on device); draining\n"
    assert probe() == (1, "", said)


def test_no_without_parts(probe, pages):
    """As it starts."""
    pages.put("/startupz", {"status": "starting"}, status=503)

    assert probe("started") == (1, "", "holdfast: starting\n")


def test_nobody_there(holdfast, here):
    """Exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    ran = holdfast("probe", "--admin", address)

    assert ran.code == 1
    assert ran.err.startswith(f"holdfast: no proxy answers at {address}: Connection refused")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, {"status": "open"}),
        (200, []),
        (404, {"status": "ready"}),
        (503, {"parts": {}}),
        (503, {"status": "not ready", "parts": {"journal": 1}}),
    ],
)
def test_a_stranger_is_not_ready(probe, pages, status, said):
    """Whatever has the port, and does not speak as the proxy does."""
    pages.put("/readyz", said, status=status)
    ran = probe()

    assert (ran.code, ran.out) == (1, "")
    assert "is no admin side of Holdfast" in ran.err


def test_another_word_is_wrong_usage(holdfast):
    """Exit code 64."""
    assert holdfast("probe", "well").code == 64
