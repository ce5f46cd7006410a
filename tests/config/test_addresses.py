import pytest

from proxy.config.addresses import MountPath, Origin, Url


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://h", Origin(False, "h", 80, "", "h")),
        ("https://h", Origin(True, "h", 443, "", "h")),
        ("http://h:80/", Origin(False, "h", 80, "", "h")),
        ("http://a_b.c-d.", Origin(False, "a_b.c-d.", 80, "", "a_b.c-d.")),
        (f"http://{'a' * 63}", Origin(False, "a" * 63, 80, "", "a" * 63)),
        (f"http://{'a.' * 126}b", Origin(False, "a." * 126 + "b", 80, "", "a." * 126 + "b")),
        ("https://h:80/a/b/", Origin(True, "h", 80, "/a/b", "h:80")),
        ("http://[::1]:8080/x%20y", Origin(False, "::1", 8080, "/x%20y", "[::1]:8080")),
    ],
)
def test_a_url_has_its_parts(url, origin):
    """The base path has no slash at its end; the authority no port that goes without saying."""
    assert Url.parse(url).origin == origin


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (5, "expected a URL"),
        ("ftp://h", "begins with http"),
        ("h:80", "begins with http"),
        ("http://", "no valid host"),
        ("http://:80", "no valid host"),
        ("http://a,b", "no valid host"),
        ("http://a..b", "no valid host"),
        ("http://.a", "no valid host"),
        ("http://.", "no valid host"),
        ("http://a..", "no valid host"),
        ("http://-a.b", "no valid host"),
        ("http://a.b-", "no valid host"),
        (f"http://{'a' * 64}.b", "no valid host"),
        (f"http://{'a.' * 127}b", "no valid host"),
        ("http://[1:2:3]", "."),
        ("http://[::1%25eth0]", "."),
        ("http://h:0", "no valid port"),
        ("http://h:", "no valid port"),
        ("http://h:99999", "[Pp]ort"),
        ("http://h:x", "[Pp]ort"),
        ("http://h/?a", "query"),
        ("http://h/#", "fragment"),
        ("http://u:pass@h", "use auth"),
        ("http://h/a b", "printable"),
        ("http://h/é", "printable"),
        ("http://h/\n", "printable"),
        ("http://h/../a", "dot segments"),
        ("http://h/a/.", "dot segments"),
    ],
)
def test_urls_that_are_no_upstream(url, why):
    """Each says why, and none shows the URL: there may be a password in it."""
    with pytest.raises(ValueError, match=why) as caught:
        Url.parse(url)

    assert "pass@" not in str(caught.value)


@pytest.mark.parametrize(("text", "mount"), [("/", "/"), ("/a", "/a"), ("/a/b/", "/a/b")])
def test_a_mount_has_one_form(text, mount):
    """A slash at its end is dropped."""
    assert MountPath.parse(text) == mount


@pytest.mark.parametrize(
    "text", ["", "a", "//", "/a//b", "/a/../b", "/.", "/%61", "/a?b", "/a b", 3]
)
def test_mounts_that_could_be_read_in_two_ways_are_refused(text):
    """Agents could miss them, or hit them, by spelling."""
    with pytest.raises(ValueError, match="expected a path"):
        MountPath.parse(text)


def test_a_port_that_is_none_is_not_quoted() -> None:
    """A variable may have put a secret there."""
    with pytest.raises(ValueError, match="no valid port") as error:
        Url.parse("http://h:sk-secret-test-value")
    assert "secret" not in str(error.value)
