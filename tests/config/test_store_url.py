"""Where the store is, as the settings have it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config.store_url import MEMORY, StoreUrl
from proxy.state.endpoint import Endpoint


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        (MEMORY, Endpoint()),
        ("redis://redis", Endpoint(hosts=(("redis", 6379),))),
        ("redis://redis:1/7", Endpoint(hosts=(("redis", 1),), db=7)),
        ("redis://[::1]:1/", Endpoint(hosts=(("::1", 1),))),
        ("redis://:s3cret@redis", Endpoint(hosts=(("redis", 6379),), password="s3cret")),
        ("redis://s3cret@redis", Endpoint(hosts=(("redis", 6379),), password="s3cret")),
        ("redis://pod:@redis", Endpoint(hosts=(("redis", 6379),), user="pod")),
        (
            "rediss://pod:a%40%2Fb@redis:1",
            Endpoint(hosts=(("redis", 1),), user="pod", password="a@/b", tls=True),
        ),
        (
            "redis+sentinel://a,b:1/ours/2",
            Endpoint("sentinel", (("a", 26379), ("b", 1)), service="ours", db=2),
        ),
        ("rediss+cluster://a:1,b", Endpoint("cluster", (("a", 1), ("b", 6379)), tls=True)),
    ],
)
def test_a_url_is_an_endpoint(url, endpoint):
    """One server, one behind Sentinels, or a cluster; with TLS or without."""
    assert StoreUrl.parse(url).endpoint == endpoint


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (7, "expected memory"),
        ("", "expected memory"),
        ("redis://", "expected memory"),
        ("http://s3cret@redis", "expected memory"),
        ("redis://pod:s3cret@redis:0", "no valid host and port"),
        ("redis://pod:s3cret@redis:65536", "no valid host and port"),
        ("redis://pod:s3cret@re dis", "no valid host and port"),
        ("redis://pod:s3cret@a,,b", "no valid host and port"),
        ("redis://pod:s3cret@redis/zero", "the database must be a number"),
        ("redis://pod:s3cret@redis/1/2", "the database must be a number"),
        ("redis://pod:s3cret@redis?db=1", "expected memory"),
        ("redis://pod:s3cret@a,b", "one server has one host"),
        ("redis+sentinel://pod:s3cret@redis", "needs the name of its service"),
        ("redis+sentinel://pod:s3cret@redis/a b", "needs the name of its service"),
        ("redis+cluster://pod:s3cret@redis/1", "a cluster has no numbered databases"),
        ("redis://pod:s3/cret@redis", "the database must be a number"),
        ("redis://pod:s3@cret@redis", "expected memory"),
    ],
)
def test_what_is_none_is_told_without_its_password(url, told):
    """What is allowed, and not what was found: that may hold a secret."""
    with pytest.raises(ValueError, match=told) as caught:
        StoreUrl.parse(url)

    assert "s3cret" not in str(caught.value)
    assert "cret" not in str(caught.value).replace("[secret]", "")


@pytest.mark.parametrize("url", ["redis://pod:s3cret@redis:1/2", "rediss+cluster://s3cret@a,b"])
def test_a_url_is_shown_without_its_password(url):
    """However it is put into a text."""
    made = StoreUrl.parse(url)

    for shown in (str(made), repr(made), f"{made}", f"{made!s:>40}", f"{made!r}"):
        assert "s3cret" not in shown
        assert "[secret]@" in shown


def test_without_a_password_all_of_it_is_shown():
    """It is what people look for first."""
    assert str(StoreUrl.parse("redis://redis:1/2")) == "redis://redis:1/2"
    assert str(StoreUrl.parse(MEMORY)) == MEMORY


@given(st.text(alphabet="redis+cluntl:/@,.[]%0s", max_size=40))
def test_any_text_is_an_endpoint_or_an_error(text):
    """Nothing else is raised."""
    try:
        hosts = StoreUrl.parse("redis" + text).endpoint.hosts
    except ValueError:
        hosts = ()
    assert all(host and 0 < port < 65536 for host, port in hosts)
