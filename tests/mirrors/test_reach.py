"""proxy/mirrors/reach.py: which addresses a post may go to."""

import pytest

from proxy.mirrors.reach import NEVER, OURS, why_not

PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8",
          "64:ff9b::808:808", "2002:808:808::1"]  # fmt: skip
PRIVATE = [
    "127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "::127.0.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "::ffff:10.1.2.3",
    "fd00::1", "fc00::1", "100.64.0.1", "100.127.255.255",
]  # fmt: skip
NONE = [
    "0.0.0.0", "::", "::ffff:0.0.0.0", "0.1.2.3", "169.254.169.254", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "fe80::1", "fe80::1%eth0", "fec0::1", "100.100.100.200",
    "::ffff:100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "224.0.0.1",
    "239.1.1.1", "ff02::1", "240.0.0.1", "255.255.255.255", "4000::1", "64:ff9b:1::7f00:1",
    "localhost", "", "127.1", "0x7f000001",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
@pytest.mark.parametrize("private", [False, True])
def test_the_internet_may_be_reached(address: str, private: bool) -> None:
    """Whoever it is."""
    assert why_not(address, private=private) == ""


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_ours_may_be_reached_if_somebody_says_so(address: str) -> None:
    """However it is written."""
    assert why_not(address, private=False) == OURS
    assert why_not(address, private=True) == ""


@pytest.mark.parametrize("address", NONE)
@pytest.mark.parametrize("private", [False, True])
def test_nobody_who_is_told_lives_there(address: str, private: bool) -> None:
    """Metadata of clouds, link-local, multicast, reserved, and what is no address: never."""
    assert why_not(address, private=private) == NEVER
