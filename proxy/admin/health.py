"""Health: whether this process lives, has started, and should be sent calls (spec 6.2).

Whether upstreams are well is not asked: a proxy that leaves the rotation because a tool is down
takes the refusals, fallbacks and cached answers away that it is there for.
"""

from typing import Any

import msgspec


class Health(msgspec.Struct):
    """What is known of the parts. The app says what happens; the probes read it."""

    listen: str = ""  # where agents come in; empty: not listening
    version: str = ""  # of the policies in force; empty: none were loaded yet
    rejected: str = ""  # why the last reload failed; the policies before it stay in force
    loaded_at: float = 0.0  # seconds since 1970, as `Clock.wall` has them
    rejected_at: float = 0.0
    began: float = 0.0  # the process
    draining: bool = False
    started: bool = False  # it was ready once

    def listening(self, address: str) -> None:
        """Agents can come in; an empty address: no longer."""
        self.listen = address
        self.started = self.started or self.ready

    def loaded(self, version: str, at: float = 0.0) -> None:
        """Policies are in force."""
        self.version = version
        self.loaded_at = at
        self.rejected = ""
        self.started = self.started or self.ready

    @property
    def ready(self) -> bool:
        """Should calls be sent here?"""
        return bool(self.listen) and bool(self.version) and not self.draining

    def report(self) -> dict[str, Any]:
        """The body of `/readyz`: a verdict, and each part with its own."""
        return {
            "status": "ready" if self.ready else "not ready",
            "parts": {
                "listening": {"ok": bool(self.listen), "address": self.listen or None},
                "policies": {
                    "ok": bool(self.version),
                    "version": self.version or None,
                    "last_reload_error": self.rejected or None,
                },
                "draining": {"ok": not self.draining, "draining": self.draining},
            },
        }
