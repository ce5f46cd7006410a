"""What the MCP server has: tools, resources, prompts.

Its tools are those of the gateway, on the same ledger, and two more: `count` tells its progress,
`ask_owner` needs the answer of a person before it is done.
"""

import re
from collections.abc import Mapping
from itertools import chain

from proxy.lab.sandbox import tools
from proxy.lab.sandbox.catalogue import OFFERS, PRICES
from proxy.lab.sandbox.jsonrpc import INVALID_PARAMS, RpcError
from proxy.lab.sandbox.said import written

MOST_STEPS = 10_000

_FIELD = re.compile(r"`(\w+)`")
_READS = ("check_", "estimate_", "get_", "list_", "search_")
_ENDS = ("cancel_", "release_")
_SETS = ("set_",)
_RESOURCES = {"sandbox://offers": "Services for sale", "sandbox://prices": "Prices of the tools"}
_PROMPTS = {"review_spending": "Asks a model to go through what an agent has spent."}


def listed_tools() -> list[dict[str, object]]:
    """As `tools/list` shows them; which fields a tool takes is read in what it says of itself."""
    return [
        *(_gateway_tool(name) for name in tools.TOOLS),
        {
            "name": "count",
            "title": "Count",
            "description": "Counts up to a number and tells its progress.",
            "inputSchema": {
                "type": "object",
                "properties": {"to": {"type": "integer", "minimum": 1, "maximum": MOST_STEPS}},
            },
            "annotations": {"readOnlyHint": True, "openWorldHint": False},
        },
        {
            "name": "ask_owner",
            "title": "Ask the owner",
            "description": "Asks the person behind the client whether something may be done.",
            "inputSchema": {"type": "object", "properties": {"what": {"type": "string"}}},
            "annotations": {"readOnlyHint": True, "openWorldHint": False},
        },
    ]


def annotations(name: str) -> dict[str, object]:
    """Hints about a gateway tool, which a client may believe or not."""
    if name.startswith(_READS):
        return {"readOnlyHint": True, "openWorldHint": False}
    return {
        "readOnlyHint": False,
        "destructiveHint": name.startswith(_ENDS),
        "idempotentHint": name.startswith(_SETS),
        "openWorldHint": False,
    }


def listed_resources() -> list[dict[str, object]]:
    """As `resources/list` shows them."""
    return [
        {"uri": uri, "name": uri.rpartition("/")[2], "title": title, "mimeType": "application/json"}
        for uri, title in _RESOURCES.items()
    ]


def read_resource(params: Mapping[str, object]) -> dict[str, object]:
    """The text of one; raises RpcError -32602."""
    uri = params.get("uri")
    held: object
    match uri:
        case "sandbox://offers":
            held = [offer.shown() for offer in OFFERS]
        case "sandbox://prices":
            held = {name: f"{micros}" for name, micros in PRICES.items()}
        case _:
            raise RpcError(INVALID_PARAMS, "there is no such resource", data={"uri": uri})
    text = written(held).decode()
    return {"contents": [{"uri": uri, "mimeType": "application/json", "text": text}]}


def listed_prompts() -> list[dict[str, object]]:
    """As `prompts/list` shows them."""
    argument = {"name": "agent_id", "description": "Whose", "required": True}
    return [
        {"name": name, "description": says, "arguments": [argument]}
        for name, says in _PROMPTS.items()
    ]


def prompt(params: Mapping[str, object]) -> dict[str, object]:
    """The messages of one; raises RpcError -32602."""
    name = params.get("name")
    if name not in _PROMPTS:
        raise RpcError(INVALID_PARAMS, "there is no such prompt")
    given = params.get("arguments")
    agent_id = given.get("agent_id") if isinstance(given, Mapping) else None
    if not isinstance(agent_id, str):
        raise RpcError(INVALID_PARAMS, "arguments.agent_id: must be a string")
    text = f"List what {agent_id} has spent, and say what looks odd."
    message = {"role": "user", "content": {"type": "text", "text": text}}
    return {"description": _PROMPTS[str(name)], "messages": [message]}


def _gateway_tool(name: str) -> dict[str, object]:
    says = " ".join((tools.TOOLS[name].__doc__ or "").split())
    fields = dict.fromkeys(chain(["agent_id"], _FIELD.findall(says)))
    return {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "description": says,
        "inputSchema": {"type": "object", "properties": {field: {} for field in fields}},
        "outputSchema": {"type": "object"},
        "annotations": annotations(name),
    }
