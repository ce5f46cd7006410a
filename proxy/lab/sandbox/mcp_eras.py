"""The two eras of MCP over HTTP: with sessions (up to 2025-11-25), and without (2026-07-28).

A request of the new era says its version in `_meta`, and in headers what a way station needs; the
headers must agree with the body.
"""

import base64
import binascii
from collections.abc import Mapping

from proxy.lab.sandbox.jsonrpc import INVALID_PARAMS, INVALID_REQUEST, Rpc, RpcError
from proxy.lab.sandbox.said import Head
from proxy.lab.sandbox.words import digest

MODERN = "2026-07-28"
WITH_SESSIONS = ("2025-03-26", "2025-06-18", "2025-11-25")
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022
MOST_SESSIONS = 10_000

_OURS = "io.modelcontextprotocol"
VERSION_KEY = f"{_OURS}/protocolVersion"
CAPABILITIES_KEY = f"{_OURS}/clientCapabilities"
SERVER_KEY = f"{_OURS}/serverInfo"
SUBSCRIPTION_KEY = f"{_OURS}/subscriptionId"
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def is_modern(head: Head, rpc: Rpc) -> bool:
    """Which era does a request belong to?"""
    return (
        VERSION_KEY in rpc.meta()
        or rpc.method == "server/discover"
        or head.headers.get("MCP-Protocol-Version") == MODERN
    )


def check_modern(head: Head, rpc: Rpc) -> None:
    """Is it whole, and do its headers say the same? Raises RpcError with status 400."""
    meta = rpc.meta()
    missing = [key for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in meta]
    if missing:
        raise RpcError(INVALID_PARAMS, f"params._meta: {', '.join(missing)} missing", 400)
    version = meta[VERSION_KEY]
    expected = {"MCP-Protocol-Version": version, "Mcp-Method": rpc.method}
    if rpc.method in _NAMED:
        expected["Mcp-Name"] = rpc.params.get(_NAMED[rpc.method])
    for name, value in expected.items():
        if _decoded(head.headers.get(name)) != value:
            raise RpcError(HEADER_MISMATCH, f"{name} does not say what the body says", 400)
    if version != MODERN:
        data = {"supported": [MODERN], "requested": version}
        raise RpcError(UNSUPPORTED_VERSION, "unsupported protocol version", 400, data)


def check_capability(rpc: Rpc, name: str) -> None:
    """Can the client do what its request leads to? Raises RpcError with status 400."""
    has = rpc.meta().get(CAPABILITIES_KEY)
    if not isinstance(has, Mapping) or name not in has:
        data: dict[str, object] = {"requiredCapabilities": {name: {}}}
        raise RpcError(MISSING_CAPABILITY, f"the client needs {name} for this", 400, data)


class Sessions:
    """Those that were opened and not ended; the oldest are forgotten first."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._opened = 0
        self._versions: dict[str, str] = {}

    def open(self, params: Mapping[str, object]) -> tuple[str, str]:
        """A new one: its id, and the version that is spoken in it."""
        wanted = params.get("protocolVersion")
        version = wanted if isinstance(wanted, str) and wanted in WITH_SESSIONS else ""
        self._opened += 1
        session = digest(self._seed, "session", self._opened).hex()[:32]
        if len(self._versions) >= MOST_SESSIONS:
            del self._versions[next(iter(self._versions))]
        self._versions[session] = version or WITH_SESSIONS[-1]
        return session, self._versions[session]

    def check(self, head: Head) -> str:
        """The session of a request; raises RpcError: 400 without one, 404 where it is gone."""
        session = head.headers.get("Mcp-Session-Id")
        if session is None:
            raise RpcError(INVALID_REQUEST, "Mcp-Session-Id missing: initialize first", 400)
        if session not in self._versions:
            raise RpcError(INVALID_REQUEST, "there is no such session", 404)
        version = head.headers.get("MCP-Protocol-Version", WITH_SESSIONS[0])
        if version not in WITH_SESSIONS:
            raise RpcError(INVALID_REQUEST, f"unsupported protocol version {version[:32]!r}", 400)
        return session

    def end(self, session: str) -> None:
        """It is no more."""
        del self._versions[session]


def _decoded(value: str | None) -> str | None:
    """A header's text; what is not ASCII comes in base64, marked as such."""
    if value is None or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
