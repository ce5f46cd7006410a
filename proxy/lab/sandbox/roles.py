"""Which protocol is played on which path.

    /openai/…      /v1/chat/completions, /v1/responses, /v1/embeddings, /v1/models (openai.py)
    /anthropic/…   /v1/messages, /v1/messages/count_tokens, /v1/models (anthropic.py)
    /mcp           a server of tools, resources and prompts (mcp.py)
    /a2a/…         an agent: its card, JSON-RPC, and HTTP+JSON (a2a.py)

The paths of both vendors, and the agent's card, are answered without their first part as well.
Anything else is the tool gateway's.
"""

from collections.abc import Callable, Iterator

from aiohttp import web

from proxy.lab.sandbox.a2a import A2a
from proxy.lab.sandbox.anthropic import Anthropic
from proxy.lab.sandbox.calls import Calls
from proxy.lab.sandbox.desk import Desk
from proxy.lab.sandbox.mcp import Mcp
from proxy.lab.sandbox.openai import OpenAI
from proxy.lab.sandbox.said import Role
from proxy.lab.sandbox.tool_gateway import ToolGateway

_AT_ROOT = {
    "/v1/chat/completions": "openai",
    "/v1/responses": "openai",
    "/v1/embeddings": "openai",
    "/v1/messages": "anthropic",
    "/v1/messages/count_tokens": "anthropic",
    "/.well-known/agent-card.json": "a2a",
}
_MODELS = "/v1/models"


class Roles:
    """All of them, with what they remember."""

    def __init__(self, seed: int, now: Callable[[], float], desk: Desk, calls: Calls) -> None:
        self._tools = ToolGateway(desk)
        self._mounted: dict[str, Role] = {
            "openai": OpenAI(seed, calls),
            "anthropic": Anthropic(seed, calls),
            "mcp": Mcp(seed, desk, calls),
            "a2a": A2a(seed, now, calls),
        }

    def paths(self) -> Iterator[str]:
        """Where any method is answered, as routes of aiohttp."""
        for name in self._mounted:
            yield f"/{name}{{path:(/.*)?}}"
        yield from _AT_ROOT
        yield f"{_MODELS}{{name:(/.*)?}}"

    def find(self, request: web.Request) -> tuple[Role, str, str]:
        """Who answers, the path as they know it, and the URL of their mount."""
        first, slash, rest = request.path.removeprefix("/").partition("/")
        root = f"{request.scheme}://{request.host}"
        if first in self._mounted:
            return self._mounted[first], slash + rest, f"{root}/{first}"
        name = _AT_ROOT.get(request.path)
        if request.method == "GET" and f"{request.path}/".startswith(f"{_MODELS}/"):
            name = "anthropic" if "anthropic-version" in request.headers else "openai"
        if name is None:
            return self._tools, request.path, root
        return self._mounted[name], request.path, f"{root}/{name}"
