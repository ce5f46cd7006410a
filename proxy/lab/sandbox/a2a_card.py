"""The agent's card: what it can, and where it is reached; of both versions in one."""

from proxy.lab.sandbox.said import Head


def card(head: Head) -> dict[str, object]:
    """With URLs as the peer used them. 1.0 reads `supportedInterfaces`, 0.3 the rest of them."""
    skill = {
        "id": "answer",
        "name": "Answers",
        "description": "Answers any text with some words; `later`, `ask`, `fail`, `say` do more.",
        "tags": ["sandbox"],
    }
    return {
        "name": "Sandbox agent",
        "description": "An agent to try calls on. It knows nothing.",
        "version": "1.0.0",
        "provider": {"organization": "Holdfast", "url": head.base},
        "supportedInterfaces": [
            {"url": head.base, "protocolBinding": binding, "protocolVersion": version}
            for version in ("1.0", "0.3")
            for binding in ("JSONRPC", "HTTP+JSON")
        ],
        "capabilities": {"streaming": True, "pushNotifications": False},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [skill],
        "protocolVersion": "0.3.0",
        "url": head.base,
        "preferredTransport": "JSONRPC",
        "additionalInterfaces": [
            {"url": head.base, "transport": binding} for binding in ("JSONRPC", "HTTP+JSON")
        ],
    }
