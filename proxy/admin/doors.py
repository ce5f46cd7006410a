"""Who may come in at which route (spec 6.2).

Where there are tokens one is needed, whose roles count; but for `admin.sock` in the data dir, which
only the user of the process reaches. Without tokens: who reaches a loopback address or a Unix
socket may read, as long as one agent's data is all there is, and no store shows what other pods do;
changes are made at that socket only.

Pages of other sites run in a browser that reaches all of it as well, sockets by a tunnel; they are
told by what browsers add to requests, and, where a page has made its own name lead here, by that
name. Where a token is needed such a name is no harm: no page of another site has one, and there are
no cookies.
"""

from ipaddress import ip_address

from aiohttp import hdrs, web

from proxy.admin.answers import NotDone
from proxy.admin.authors import OWNER, SOMEBODY, Author
from proxy.admin.keyring import LONGEST, Keyring, shown_by
from proxy.admin.routes import Route
from proxy.admin.sight import Sight

_BROWSERS = frozenset({"Accept-Language", "Origin", "Sec-Fetch-Site"})
"""At least one of them is in all that a browser asks, and no script of a page can leave it out."""
_ELSEWHERE = frozenset({"cross-site", "same-site"})


class Doors:
    """`enter` is asked of every request."""

    def __init__(self, sight: Sight) -> None:
        self._tokens = sight.tokens
        self._identity = sight.identity
        self._health = sight.health
        self._keyring = Keyring(sight.tokens, sight.clock)
        self.local = False  # is it reached from this machine only?
        self.by_socket = False

    async def enter(self, request: web.Request, route: Route, *, control: bool) -> Author:
        """Who asks. `control`: at admin.sock. Raises NotDone where that one may not."""
        if route.role is None:
            return SOMEBODY
        there = self._tokens().there
        owner = control and not (there and shown_by(request))
        if there and not owner:
            foreign(request, anywhere=True)
        else:
            foreign(request, by_socket=self.by_socket or control)
        if owner:
            return OWNER
        if not there:
            return self._without_tokens(route)
        agent = self._identity.agent_of(_credential(request)) if route.agents else ""
        if agent:
            return Author(agent, frozenset(), agent=agent)
        author = await self._keyring.whose(request)
        if not author.may(route.role):
            raise NotDone(
                403,
                f"the role {route.role} is needed; the token of {author.name} has "
                f"{', '.join(sorted(author.roles))}",
                {hdrs.WWW_AUTHENTICATE: f'Bearer error="insufficient_scope", scope="{route.role}"'},
            )
        return author

    def _without_tokens(self, route: Route) -> Author:
        if route.changes:
            raise NotDone(403, NO_CHANGE)
        closed(self.local, self._identity.static, self._health.store is None)
        return SOMEBODY


def _credential(request: web.Request) -> bytes:
    """What an agent shows of itself, as in a call."""
    shown = shown_by(request) or request.headers.get("x-api-key") or ""
    return shown[:LONGEST].encode("utf-8", "surrogateescape")


def closed(local: bool, static: bool, alone: bool) -> None:
    """Raises NotDone where nobody may read as long as there are no tokens."""
    if not local:
        raise NotDone(
            403,
            "without tokens /v1 is served on a loopback address or a Unix socket only; "
            "set admin to 127.0.0.1:8701 or unix:/path",
        )
    if not static:
        raise NotDone(
            403,
            "without tokens /v1 is served only where identity is static: here several agents' "
            "data would be open to each of them",
        )
    if not alone:
        raise NotDone(
            403,
            "without tokens /v1 is served only where store is memory: here it shows what other "
            "pods do; make tokens with holdfast token new",
        )


def foreign(request: web.Request, *, by_socket: bool = False, anywhere: bool = False) -> None:
    """Raises NotDone for a page of another site. `anywhere`: a token is needed, and no page of
    another site has one; something that ends TLS may stand in front of this side. `by_socket`:
    programs of this machine come in, and call the host what they like; but somebody's tunnel may
    end there, with a browser at its other end."""
    origin = request.headers.get(hdrs.ORIGIN)
    elsewhere = request.headers.get("Sec-Fetch-Site", "") in _ELSEWHERE
    own = (f"http://{request.host}", f"https://{request.host}" if anywhere else None)
    if elsewhere or (origin is not None and origin not in own):
        raise NotDone(403, "requests of other sites are refused")
    by_program = by_socket and not any(name in request.headers for name in _BROWSERS)
    if not (anywhere or by_program or _is_ours(request.host)):
        raise NotDone(403, "the Host must be an address, or localhost")


NO_CHANGE = (
    "without tokens, changes are made at admin.sock in the data dir only; "
    "curl --unix-socket DATA_DIR/admin.sock, or the command, reaches it"
)
"""Why nothing can be changed at an address that agents reach as well."""


def _is_ours(host: str) -> bool:
    """Not a name that somebody else can make lead here."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name.lower() == "localhost":
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
