"""Health: whether this process lives, has started, and should be sent calls (spec 6.2).

Whether upstreams are well is not asked: a proxy that leaves the rotation because a tool is down
takes the refusals, fallbacks and cached answers away that it is there for.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from proxy.journal.journal import Journal
from proxy.journal.side_store import SideStore
from proxy.mirrors.webhook import WebhookAnchor
from proxy.state.kills import Kills
from proxy.state.link import Link

if TYPE_CHECKING:
    from proxy.journal.payloads import PayloadsState


class Health(msgspec.Struct):
    """What is known of the parts. The app says what happens; the probes read it."""

    listen: str = ""  # where agents come in; empty: not listening
    version: str = ""  # of the policies in force; empty: none were loaded yet
    rejected: str = ""  # why the last reload failed; the policies before it stay in force
    loaded_at: float = 0.0  # seconds since 1970, as `Clock.wall` has them
    rejected_at: float = 0.0
    tokens_rejected: tuple[str, ...] = ()  # why the tokens file is not in force as it is now
    began: float = 0.0  # the process
    drill: int = 1  # how many times faster windows pass
    draining: bool = False
    started: bool = False  # it was ready once
    journal: Journal | None = None  # once it is open
    webhooks: tuple[WebhookAnchor, ...] = ()  # that its checkpoints are posted to
    side_store: SideStore | None = None  # likewise; it is open only where it is needed
    kills: Kills | None = None
    store: Link | None = None  # that pods share, where the settings name one
    needs_store: bool = False  # is the proxy not ready without it?

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
        writable = self.journal is None or self.journal.state.kind == "ok"
        there = not self.needs_store or (self.store is not None and self.store.up)
        return bool(self.listen and self.version and writable and there and not self.draining)

    def report(self) -> dict[str, Any]:
        """The body of `/readyz`: a verdict, and each part with its own."""
        journal = {} if self.journal is None else {"journal": standing(self.journal, self.webhooks)}
        kept = None if self.side_store is None else self.side_store.payloads
        payloads = {} if kept is None else {"payloads": _writable(kept.state)}
        killed = {} if self.kills is None else {"kills": _killed(self.kills)}
        store = {} if self.store is None else {"store": shared(self.store)}
        wrong = "\n".join(self.tokens_rejected)
        tokens = {"tokens": {"ok": False, "last_reload_error": wrong}} if wrong else {}
        return {
            "status": "ready" if self.ready else "not ready",
            **({"drill": self.drill} if self.drill > 1 else {}),
            "parts": {
                "listening": {"ok": bool(self.listen), "address": self.listen or None},
                "policies": {
                    "ok": bool(self.version),
                    "version": self.version or None,
                    "last_reload_error": self.rejected or None,
                },
                **tokens,
                **journal,
                **payloads,
                **killed,
                **store,
                "draining": {"ok": not self.draining, "draining": self.draining},
            },
        }


def _killed(kills: Kills) -> dict[str, Any]:
    """What is killed. It is refused here, and with good reasons: that is ready."""
    items = kills.items()
    scopes = [str(kill.scope) for kill in items[:_MOST]]
    return {"ok": True, "count": len(items), "scopes": scopes}


_MOST = 20


def shared(link: Link) -> dict[str, Any]:
    """How the store does that pods share. Calls go on without it."""
    return {
        "ok": link.up,
        "why": (link.why or link.withholds) or None,
        "grants": link.grants,
        "pods": link.live,
        "on_failure": link.on_failure,
    }


def _writable(state: "PayloadsState") -> dict[str, Any]:
    """How the side store does. No call hangs on it, and so it takes nobody's calls away."""
    why = state.why or None
    return {"ok": state.kind == "ok", "state": state.kind, "why": why, "lost": state.lost}


def standing(journal: Journal, webhooks: Iterable[WebhookAnchor] = ()) -> dict[str, Any]:
    """How the journal does. What does not hold in it is told, and takes nobody's calls away; nor
    does who does not take its checkpoints."""
    state, terms = journal.state, journal.terms
    window = {"records": terms.records, "seconds": terms.seconds}
    return {
        "ok": state.kind == "ok",
        "state": state.kind,
        "why": state.why or None,
        "tampered": journal.tampered or None,
        "held": journal.held,
        "dropped": journal.dropped,
        "sync": terms.sync,
        # The last checkpoint made all durable that stood before it.
        "loss_window": window if terms.sync == "async" else None,
        "anchors": [
            {
                "anchor": each.name,
                "ok": not each.trouble,
                "why": each.trouble or None,
                "waiting": each.waiting,
            }
            for each in webhooks
        ],
    }
