"""proxy/admin/probes.py; tests/admin/test_server.py asks them over sockets."""

import pytest

from proxy.admin.probes import takes_gzip


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip", True),
        ("deflate, GZip;q=0.5, br", True),
        ("gzip;q=0", False),
        ("gzip; q=0.00", False),
        ("gzip;q=0.1", True),
        ("gzipped", False),
        ("", False),
    ],
)
def test_whotakes_gzip(accepted, taken):
    """RFC 9110 12.5.3, as far as it concerns one coding."""
    assert takes_gzip(accepted) is taken
