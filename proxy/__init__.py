"""Holdfast: a sidecar that holds AI agents fast. `proxy/README.md` tells the life of a call."""

__version__ = "0.1.0"
