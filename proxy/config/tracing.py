"""Settings of traces: where spans go, how many, and what of an agent's context goes upstream."""

from typing import Annotated

import msgspec
from msgspec import Meta

from proxy.config.addresses import Origin, Url
from proxy.config.match import Globs
from proxy.config.matching import Glob
from proxy.config.types import HEADER_NAME, Secret

_TRACES = "/v1/traces"
_OF_AN_UPSTREAM = "an upstream's URL"


class CollectorUrl(str):
    """Who takes spans: the base URL of an OTLP/HTTP collector, or that of its traces."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "CollectorUrl":
        """Raises ValueError, with what is wrong."""
        if text == "":
            return cls()
        try:
            return cls(Url.parse(text))
        except ValueError as error:
            said = str(error).replace("; use auth", "; use headers")
            raise ValueError(said.replace(_OF_AN_UPSTREAM, "a collector's URL")) from None

    @property
    def origin(self) -> Origin:
        """Where it is."""
        return Url.parse(str(self)).origin

    @property
    def traces(self) -> str:
        """The URL that spans are posted to."""
        url = self.rstrip("/")
        return url if url.endswith(_TRACES) else url + _TRACES


class Tracing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Spans of calls, by OpenTelemetry (docs/tracing.md)."""

    otlp: Annotated[
        CollectorUrl,
        Meta(
            description="The OTLP/HTTP collector that spans go to: http://host:4318. Empty: there "
            "are none, and trace headers pass untouched."
        ),
    ] = CollectorUrl()
    sample: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="How many of the traces that begin here are kept, 0 to 1. Of others who "
            "called says it.",
        ),
    ] = 1.0
    headers: Annotated[
        dict[Annotated[str, Meta(pattern=f"^{HEADER_NAME}$")], Secret],
        Meta(description="Lines that the collector wants, such as one with a credential."),
    ] = {}
    baggage_allow: Annotated[
        tuple[Glob, ...],
        Meta(
            description="Upstreams that the agent's baggage header goes to, where otlp is set; "
            "without it, it passes untouched."
        ),
    ] = ()

    @property
    def on(self) -> bool:
        """Are calls traced?"""
        return bool(self.otlp)

    def sends_baggage(self, upstream: str) -> bool:
        """Is this upstream sent the baggage that came?"""
        allowed = self.baggage_allow
        return not self.on or bool(allowed and Globs.of(allowed).hold(upstream))
