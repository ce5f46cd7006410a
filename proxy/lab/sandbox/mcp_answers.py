"""What the MCP server answers to one request, whatever the era; no HTTP.

A result comes as the members that both eras have; mcp.py adds those of the era.
"""

from collections.abc import Callable, Iterator, Mapping

from proxy.lab.sandbox.jsonrpc import INVALID_PARAMS, Rpc, RpcError
from proxy.lab.sandbox.mcp_eras import MODERN, WITH_SESSIONS, check_capability
from proxy.lab.sandbox.mcp_offers import (
    MOST_STEPS,
    listed_prompts,
    listed_resources,
    listed_tools,
    prompt,
    read_resource,
)
from proxy.lab.sandbox.said import Answer, Event, written
from proxy.lab.sandbox.words import digest

Result = dict[str, object]

SERVER = {"name": "holdfast-sandbox", "title": "Holdfast's sandbox", "version": "1"}
CAPABILITIES: Mapping[str, object] = {"tools": {}, "resources": {}, "prompts": {}}
INSTRUCTIONS = "Wallets and escrows in a sandbox: nothing here is worth anything."

LISTS: Mapping[str, Callable[[], Result]] = {
    "tools/list": lambda: {"tools": listed_tools()},
    "resources/list": lambda: {"resources": listed_resources()},
    "resources/templates/list": lambda: {"resourceTemplates": []},
    "prompts/list": lambda: {"prompts": listed_prompts()},
}


def discovered() -> Result:
    """What `server/discover` tells of the server."""
    return {
        "supportedVersions": [MODERN, *reversed(WITH_SESSIONS)],
        "capabilities": CAPABILITIES,
        "instructions": INSTRUCTIONS,
    }


def initialized(version: str) -> Result:
    """What `initialize` tells of it."""
    return {
        "protocolVersion": version,
        "capabilities": CAPABILITIES,
        "serverInfo": SERVER,
        "instructions": INSTRUCTIONS,
    }


def read(rpc: Rpc) -> Result | None:
    """The result of what can be asked in both eras and is no tool; None: nothing of that name."""
    if rpc.method in LISTS:
        return LISTS[rpc.method]()
    match rpc.method:
        case "resources/read":
            return read_resource(rpc.params)
        case "prompts/get":
            return prompt(rpc.params)
        case _:
            return None


def called(answer: Answer) -> Result:
    """The result of a gateway tool. What the tool refused is its failure, not the protocol's."""
    body = answer.body
    assert isinstance(body, Mapping)  # all of the desk's answers are
    if answer.status == 200:
        found = body["result"]
        return {**_text(written(found).decode()), "structuredContent": found, "isError": False}
    error = body["error"]
    return {**_text(f"{error['code']}: {error['message']}"), "isError": True}


def counted(rpc: Rpc, given: Mapping[str, object]) -> tuple[Iterator[Event], Result]:
    """`count`: its progress, for who gave a token, and its result; raises RpcError -32602."""
    to = given.get("to", 3)
    if isinstance(to, bool) or not isinstance(to, int) or not 1 <= to <= MOST_STEPS:
        raise RpcError(INVALID_PARAMS, f"arguments.to: must be from 1 to {MOST_STEPS}")
    token = rpc.meta().get("progressToken")
    steps = range(0) if token is None else range(1, to + 1)
    events = (
        notification(
            "notifications/progress",
            {"progressToken": token, "progress": step, "total": to, "message": f"at {step}"},
        )
        for step in steps
    )
    return events, {**_text(f"counted to {to}"), "isError": False}


def asked_owner(rpc: Rpc, given: Mapping[str, object], *, modern: bool) -> Result:
    """`ask_owner`: what the client must ask first, or what its person said.

    Raises RpcError: -32021 for a client that cannot ask, -32602 for a state that is not ours.
    """
    if not modern:
        return {**_text(f"asking a person takes version {MODERN}"), "isError": True}
    check_capability(rpc, "elicitation")
    state = digest("ask_owner", given).hex()[:32]
    answers = rpc.params.get("inputResponses")
    if not isinstance(answers, Mapping):
        schema = {"type": "object", "properties": {"agree": {"type": "boolean"}}}
        asks = {
            "mode": "form",
            "message": f"May the agent do this: {given.get('what', 'nothing')}?",
            "requestedSchema": {**schema, "required": ["agree"]},
        }
        request = {"method": "elicitation/create", "params": asks}
        return {
            "resultType": "input_required",
            "inputRequests": {"owner": request},
            "requestState": state,
        }
    if rpc.params.get("requestState") != state:
        raise RpcError(INVALID_PARAMS, "requestState is not the one that was given")
    said = answers.get("owner")
    content = said.get("content") if isinstance(said, Mapping) else None
    agreed = isinstance(content, Mapping) and content.get("agree") is True
    return {**_text("agreed" if agreed else "declined"), "isError": False}


def notification(method: str, params: Mapping[str, object]) -> Event:
    """A message that nobody answers, as an event; a person would see it."""
    said = {"jsonrpc": "2.0", "method": method, "params": params}
    return Event(written(said), "message", says=True)


def _text(text: str) -> Result:
    return {"content": [{"type": "text", "text": text}]}
