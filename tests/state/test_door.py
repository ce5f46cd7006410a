"""Where the store is."""

from proxy.state.door import Door


def test_a_door_does_not_show_its_password():
    """It may be in an error, or in what a debugger prints."""
    door = Door(hosts=(("redis", 6379),), user="pod", password="s3cret")

    assert "s3cret" not in f"{door!r} {door}"
    assert "redis" in repr(door)
