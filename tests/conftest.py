"""What holds for all tests: the machine that they run on does not matter."""

import os

from hypothesis import HealthCheck, settings

# Nothing is timed: a busy machine is slow, not wrong.
settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("house")

FOREIGN = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"}


def pytest_configure() -> None:
    """Settings of this shell reach neither the proxy nor the clients under test."""
    for name in list(os.environ):
        ours = name.startswith("HOLDFAST_") and not name.startswith("HOLDFAST_TEST_")
        if ours or name.lower() in FOREIGN:
            del os.environ[name]
