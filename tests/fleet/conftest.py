"""Nothing here may cause a traceback."""

from tests.harness.fixtures import no_troubles

__all__ = ["no_troubles"]
