"""Fixtures of the harness."""

from tests.harness.fixtures import far, no_troubles, proxy, tools, upstream
from tests.wire.guarded import guarded

__all__ = ["far", "guarded", "no_troubles", "proxy", "tools", "upstream"]
