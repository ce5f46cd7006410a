"""A client that does what the MCP conformance suite asks clients to do, on the `mcp` SDK.

`python client.py URL`, with MCP_CONFORMANCE_SCENARIO, …_PROTOCOL_VERSION and …_CONTEXT as the suite
sets them. It lists tools, calls each of them, and logs in where the server wants it. It is run with
the SDK's Python, as a file: nothing of this repository is on its path.
"""

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata
from mcp_types import CreateMessageResult, ElicitResult, ListRootsResult, TextContent

SCENARIO = os.environ.get("MCP_CONFORMANCE_SCENARIO", "")
VERSION = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2025-11-25")
GIVEN: dict[str, Any] = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
NEW = "2026-07-28"
LIMIT = 20.0
"""Seconds. What the suite's server lets hang has been seen by then."""
BACK = "http://localhost:3030/callback"


class Storage:
    """What was agreed on with an authorization server."""

    def __init__(self) -> None:
        self._tokens: Any = None
        self._client: Any = None
        if "client_id" in GIVEN:
            self._client = OAuthClientInformationFull(
                client_id=GIVEN["client_id"],
                client_secret=GIVEN.get("client_secret"),
                redirect_uris=[BACK],
                token_endpoint_auth_method="client_secret_basic",
                issuer=GIVEN.get("issuer"),
            )

    async def get_tokens(self) -> Any:
        """Asked by the SDK."""
        return self._tokens

    async def set_tokens(self, tokens: Any) -> None:
        """Likewise."""
        self._tokens = tokens

    async def get_client_info(self) -> Any:
        """Likewise."""
        return self._client

    async def set_client_info(self, client_info: Any) -> None:
        """Likewise."""
        self._client = client_info


class Browser:
    """A user who agrees to everything."""

    def __init__(self) -> None:
        self._said: dict[str, list[str]] = {}

    async def visit(self, url: str) -> None:
        """Go there, and read where one is sent back to."""
        async with httpx2.AsyncClient() as http:
            answer = await http.get(url, follow_redirects=False)
        self._said = parse_qs(urlsplit(answer.headers["location"]).query)

    async def back(self) -> AuthorizationCodeResult:
        """What stood in that address."""
        said = {name: values[0] for name, values in self._said.items()}
        return AuthorizationCodeResult(
            code=said["code"], state=said.get("state"), iss=said.get("iss")
        )


def login(url: str) -> httpx2.Auth:
    """How this scenario wants one to log in."""
    if SCENARIO == "auth/client-credentials-basic":
        return ClientCredentialsOAuthProvider(
            url, Storage(), GIVEN["client_id"], GIVEN["client_secret"]
        )
    if SCENARIO == "auth/client-credentials-jwt":
        signed = SignedJWTParameters(
            issuer=GIVEN["client_id"],
            subject=GIVEN["client_id"],
            signing_key=GIVEN["private_key_pem"],
            signing_algorithm=GIVEN.get("signing_algorithm", "ES256"),
        )
        return PrivateKeyJWTOAuthProvider(
            url, Storage(), GIVEN["client_id"], signed.create_assertion_provider()
        )
    browser = Browser()
    metadata = OAuthClientMetadata(client_name="conformance", redirect_uris=[BACK])
    return OAuthClientProvider(
        url,
        metadata,
        Storage(),
        browser.visit,
        browser.back,
        "https://conformance-test.local/client-metadata.json",
    )


def mounts(url: str) -> dict[str, Any]:
    """By which proxy the server is reached, if by any; others are reached as they are."""
    if "MCP_PROXY" not in os.environ:
        return {}
    server, proxy = urlsplit(url), urlsplit(os.environ["MCP_PROXY"])
    through = httpx2.AsyncHTTPTransport(proxy=f"http://{proxy.netloc}")
    return {f"all://{server.netloc}": through}


async def accept(context: Any, params: Any) -> ElicitResult:
    """Take what the form has as defaults, and something for the rest."""
    properties = getattr(params, "requested_schema", {}).get("properties", {})
    content = {name: schema.get("default", made(schema)) for name, schema in properties.items()}
    return ElicitResult(action="accept", content=content)


async def sample(context: Any, params: Any) -> CreateMessageResult:
    """Say something."""
    said = TextContent(type="text", text="Paris")
    return CreateMessageResult(role="assistant", content=said, model="test")


async def roots(context: Any) -> ListRootsResult:
    """None."""
    return ListRootsResult(roots=[])


def made(schema: dict[str, Any]) -> Any:
    """Some value."""
    kinds = {"number": 1, "integer": 1, "boolean": True, "object": {}, "array": []}
    return kinds.get(schema.get("type", ""), "some")


def calls(tools: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    """Those that the scenario names, else one of each tool."""
    if "toolCalls" in GIVEN:
        return [(call["name"], call["arguments"]) for call in GIVEN["toolCalls"]]
    found = []
    for tool in tools:
        properties = tool.input_schema.get("properties", {})
        wanted = tool.input_schema.get("required", properties)
        found.append((tool.name, {name: made(properties.get(name, {})) for name in wanted}))
    return found


async def run(url: str) -> None:
    """List what there is, and call it."""
    async with AsyncExitStack() as stack:
        auth = login(url) if SCENARIO.startswith("auth/") else None
        http = httpx2.AsyncClient(auth=auth, timeout=LIMIT, mounts=mounts(url))
        await stack.enter_async_context(http)
        client = Client(
            streamable_http_client(url, http_client=http),
            mode=NEW if VERSION == NEW else "legacy",
            elicitation_callback=accept,
            sampling_callback=sample,
            list_roots_callback=roots,
        )
        await stack.enter_async_context(client)
        can = client.server_capabilities
        tools = (await client.list_tools()).tools if can.tools or VERSION == NEW else []
        if can.prompts:
            await client.list_prompts()
        for name, arguments in calls(tools):
            try:
                await client.call_tool(name, arguments)
            except Exception as error:  # the next call may be what is looked at
                print(f"{name}: {error!r}", file=sys.stderr)


def main() -> None:
    """Within the time that there is."""
    asyncio.run(asyncio.wait_for(run(sys.argv[1]), LIMIT))


if __name__ == "__main__":
    main()
