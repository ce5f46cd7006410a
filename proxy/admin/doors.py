"""Who may read `/v1` as long as there are no tokens (spec 6.2): the machine's own user.

That is whoever reaches a loopback address or the Unix socket, as long as one agent's data is all
there is. Pages of other sites run in a browser that reaches them as well; they are told by what
browsers add to requests, and, where a page has made its own name lead here, by that name.
"""

from ipaddress import ip_address

from aiohttp import hdrs, web

from proxy.admin.answers import problem

_ELSEWHERE = frozenset({"cross-site", "same-site"})


def closed(local: bool, static: bool) -> web.Response | None:
    """Why nobody may read here, or None."""
    if not local:
        return problem(
            403,
            "Forbidden",
            "without tokens /v1 is served on a loopback address or a Unix socket only; "
            "set admin to 127.0.0.1:8701 or unix:/path",
        )
    if not static:
        return problem(
            403,
            "Forbidden",
            "without tokens /v1 is served only where identity is static: here several agents' "
            "data would be open to each of them",
        )
    return None


def foreign(request: web.Request, *, by_socket: bool) -> web.Response | None:
    """Why a page of another site may not read here; None if it is not one."""
    origin = request.headers.get(hdrs.ORIGIN)
    elsewhere = request.headers.get("Sec-Fetch-Site", "") in _ELSEWHERE
    if elsewhere or (origin is not None and origin != f"http://{request.host}"):
        return problem(403, "Forbidden", "requests of other sites are refused")
    if not by_socket and not _is_ours(request.host):
        return problem(403, "Forbidden", "the Host must be an address, or localhost")
    return None


def no_change() -> web.Response:
    """Why nothing can be changed at an address that agents reach as well."""
    return problem(
        403,
        "Forbidden",
        "without tokens, changes are made at admin.sock in the data dir only; "
        "curl --unix-socket DATA_DIR/admin.sock, or the command, reaches it",
    )


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
