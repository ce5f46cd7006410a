"""How an upstream is asked whether it is well, and how it comes back when it was not."""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from proxy.units import Seconds

_TARGET = re.compile(r"/[!-\"$-~]*")
_Short = Annotated[str, Meta(min_length=1, max_length=256)]


class Health(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A probe: is the upstream well? Its calls are no agent's, and in no record."""

    tool: Annotated[
        _Short | None, Meta(description="A tool, called with an empty input; one that is free.")
    ] = None
    path: Annotated[
        _Short | None, Meta(description="Asked by GET; with tool: where that is called, else at /.")
    ] = None
    interval: Annotated[Seconds, Meta(description="Between two probes, a tenth more or less.")] = (
        Seconds(10.0)
    )
    timeout: Annotated[Seconds, Meta(description="For connecting and the head of the answer.")] = (
        Seconds(2.0)
    )
    failures: Annotated[
        int, Meta(ge=1, le=100, description="Unwell after so many failed probes in a row.")
    ] = 3
    well_for: Annotated[
        Seconds, Meta(description="So long it must be well before calls come back.")
    ] = Seconds(60.0)
    step: Annotated[
        Seconds, Meta(description="Of 5, 25 and 50 % of the calls each lasts so long.")
    ] = Seconds(15.0)

    def __post_init__(self) -> None:
        """Raises ValueError where it asks nothing, or what cannot be asked."""
        if self.tool is None and self.path is None:
            raise ValueError("expected what to ask: tool, path or both")
        if self.tool is not None and not (
            self.tool.isprintable() and self.tool == self.tool.strip()
        ):
            raise ValueError("tool: expected printable text without spaces at its ends")
        if self.path is not None and not _TARGET.fullmatch(self.path):
            raise ValueError("path: expected printable ASCII without spaces that begins with /")
        for name in ("interval", "timeout"):
            if not getattr(self, name):
                raise ValueError(f"{name}: must be longer than 0")
