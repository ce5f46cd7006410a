"""Who asks on the admin side, and what that one may do."""

import msgspec

from proxy.config.tokens import RESERVED, Role


class Author(msgspec.Struct, frozen=True):
    """The one whose name stands in the journal beside a change."""

    name: str  # empty: somebody on this machine, who may only read
    roles: frozenset[Role]
    groups: tuple[str, ...] = ()
    agent: str = ""  # it is one, by its own credential: it has no role, and a route for itself

    def may(self, role: Role) -> bool:
        """Every role may read."""
        return role in self.roles or (role is Role.VIEWER and bool(self.roles))


OWNER = Author(RESERVED, frozenset(Role))
"""Whoever comes in by `admin.sock`: the user of the process, who could as well write its files."""
SOMEBODY = Author("", frozenset({Role.VIEWER}))
"""Anybody on this machine, as long as there are no tokens."""
