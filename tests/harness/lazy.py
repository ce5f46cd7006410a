"""Modules that only some tests use, and that take seconds to import."""

import importlib
from typing import Any


class Lazy:
    """A module that is imported when a test first uses it: whoever only collects, or runs other
    tests, does not pay for it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._name), name)
