"""Who may use the admin side, and which agent is which: the tokens file at work.

Read at the start, when it changes, and when somebody asks for a reload. What cannot be used leaves
what was in force before; so does a file that is gone, for without one more is open.
"""

import asyncio
from pathlib import Path

from proxy.admin.health import Health
from proxy.clock import Clock
from proxy.config.places import ConfigError
from proxy.config.rereading import Rereading
from proxy.config.settings import Settings
from proxy.config.tokens import Tokens, load_tokens
from proxy.config.watch import Watch, digests
from proxy.observe.logs import Log
from proxy.protocols.identity import Credentials, Identity

_GONE = "the tokens file is gone; those that it held are in force until the next start"


class Access:
    """`tokens` are those in force; `identity` knows the agents among them."""

    def __init__(self, settings: Settings, clock: Clock, log: Log, health: Health) -> None:
        """Raises ConfigError."""
        self._file = settings.tokens
        self._clock = clock
        self._log = log
        self._health = health
        self._path = Path(settings.tokens)
        self._rereading = Rereading(self._tried, lambda read, _: self._take(read), clock)
        self._watch = Watch("", self.reload_soon, clock)
        self._watching: asyncio.Task[None] | None = None
        self.identity = Identity(settings.agent.id, settings.agent.fleet, settings.identity)
        self.tokens = Tokens()
        self._use(load_tokens(self._file))

    def start(self) -> None:
        """Look whether it changes, until the clock stops."""
        self._watching = self._clock.spawn(self._watch.run())

    def reload_soon(self) -> None:
        """Read it again, in a thread."""
        self._rereading.soon()

    async def reloaded(self) -> tuple[str, ...]:
        """Read it again, and wait for it. Gives what is wrong with it."""
        await self._rereading.done()
        return self._health.tokens_rejected

    def _tried(self) -> Tokens | ConfigError | OSError:
        try:
            return load_tokens(self._file)
        except (ConfigError, OSError) as error:
            return error

    def _take(self, read: Tokens | ConfigError | OSError) -> None:
        if isinstance(read, Tokens) and (read.there or not self.tokens.there):
            self._use(read)
            return
        why = (_GONE,) if isinstance(read, Tokens) else tuple(str(read).splitlines())
        if why != self._health.tokens_rejected:
            self._log.warning("tokens rejected", problems=why, kept=len(self.tokens.tokens))
        self._health.tokens_rejected = why

    def _use(self, read: Tokens) -> None:
        again, self.tokens = self.tokens, read
        self._health.tokens_rejected = ()
        self.identity.credentials = Credentials(read.agents)
        self._watch.loaded(digests((self._path, *read.files)))
        for warning in read.warnings:
            if warning not in again.warnings:  # said once
                self._log.warning("tokens", problem=str(warning))
        if read.there:
            told = {"tokens": len(read.tokens), "agents": len(read.agents)}
            self._log.event("tokens loaded", **told)
