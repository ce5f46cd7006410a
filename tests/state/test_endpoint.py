"""Where the store is."""

from proxy.state.endpoint import Endpoint


def test_a_door_does_not_show_its_password():
    """It may be in an error, or in what a debugger prints."""
    endpoint = Endpoint(hosts=(("redis", 6379),), user="pod", password="s3cret")

    assert "s3cret" not in f"{endpoint!r} {endpoint}"
    assert "redis" in repr(endpoint)
