"""Which addresses a post may go to (server-side request forgery: CWE-918).

A URL of a policy file leads to wherever its name points at the moment. So it is the address that is
judged, the very one that is connected to, and not the name.
"""

import ipaddress
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

OURS = "its address is of this machine or of a private network, which allow_private would let it be"
NEVER = "its address is none that a receiver can have (a cloud's metadata, link-local, multicast …)"

_METADATA = frozenset(
    ipaddress.ip_address(each)
    for each in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's agent: an address that looks public
        "192.0.0.192",  # Oracle Cloud, of old
        "fd00:ec2::254",  # AWS; its IPv4 one, which most have, is link-local
        "fd20:ce::254",  # Google Cloud
    )
)
_CARRIER = ipaddress.ip_network("100.64.0.0/10")  # RFC 6598: neither global nor private to Python
_THIS = ipaddress.ip_network("0.0.0.0/8")  # RFC 1122 3.2.1.3; many systems take it as loopback
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits
_COMPATIBLE = ipaddress.ip_network("::/96")  # RFC 4291 2.5.5.1: likewise, of old
_UNICAST = ipaddress.ip_network("2000::/3")  # RFC 4291 2.4: what IANA gives out of IPv6


def why_not(address: str, *, private: bool) -> str:
    """Why nothing is sent to an address; empty: it may be. `private` lets it be ours."""
    try:
        judged = _plain(ipaddress.ip_address(address))
    except ValueError:
        return NEVER
    if judged.is_loopback or _is_private(judged):
        return "" if private else OURS
    # Python has the registries of IANA: what is not global there is no host's on the internet.
    known = judged.version == 4 or judged in _UNICAST
    return "" if known and judged.is_global and not _is_odd(judged) else NEVER


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, whichever way it is written."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_private(address: Address) -> bool:
    """RFC 1918, RFC 4193, RFC 6598: networks that somebody has at home."""
    return (address.is_private or address in _CARRIER) and not (
        _is_odd(address) or address.is_reserved
    )


def _is_odd(address: Address) -> bool:
    special = address in _METADATA or address in _THIS or address.is_unspecified
    return special or address.is_link_local or address.is_multicast
