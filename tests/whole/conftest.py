"""Fixtures of the harness."""

from tests.harness.fixtures import far, no_troubles, proxy, tools, upstream

__all__ = ["far", "no_troubles", "proxy", "tools", "upstream"]
