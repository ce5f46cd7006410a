"""Which protocol an upstream speaks. `auto`: the first that knows the request, else HTTP."""

from proxy.protocols.a2a import A2a
from proxy.protocols.anthropic import Anthropic
from proxy.protocols.auto import Auto
from proxy.protocols.http import Http
from proxy.protocols.mcp import Mcp
from proxy.protocols.openai import OpenAI
from proxy.protocols.protocol import Protocol
from proxy.protocols.tools import Tools

HTTP = Http()
TOOLS = Tools()
OPENAI = OpenAI()
ANTHROPIC = Anthropic()
MCP = Mcp()
A2A = A2a()

PROTOCOLS: dict[str, Protocol] = {
    "tools": TOOLS,
    "mcp": MCP,
    "openai": OPENAI,
    "anthropic": ANTHROPIC,
    "a2a": A2A,
    "http": HTTP,
    "auto": Auto(MCP, (ANTHROPIC, OPENAI), A2A),
}
"""By their names in an upstream's settings. Each gives what it does not know to plain HTTP."""
OF_CALLS = {name: protocol for name, protocol in PROTOCOLS.items() if name != "auto"}
"""Those that a call can be read as."""
