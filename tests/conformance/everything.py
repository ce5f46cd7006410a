"""A server that has all that the MCP conformance suite asks servers for, on the `mcp` SDK.

`python everything.py PORT`. What each tool, prompt and resource must be called, and what it must
say, are the suite's own words. It is run with the SDK's Python, as a file: nothing of this
repository is on its path.
"""

import asyncio
import base64
import json
import sys
import warnings
from typing import Any, Literal

import uvicorn
from mcp.server import CacheHint, MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.server.streamable_http import EventMessage, EventStore
from mcp_types import (
    AudioContent,
    CallToolResult,
    Completion,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel, Field

warnings.simplefilter("ignore")  # of what the newest era has no more: both are tried

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
WAV = base64.b64encode(b"RIFF\x24\0\0\0WAVEfmt ").decode()
PAUSE = 0.05
CACHED = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")

hints: Any = dict.fromkeys((*CACHED, "resources/read"), CacheHint(ttl_ms=1000, scope="private"))
server = MCPServer("everything", version="1", cache_hints=hints)


class Events(EventStore):
    """Keeps what streams have said, for clients that come back for it."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, Any]] = []

    async def store_event(self, stream_id: Any, message: Any) -> str:
        """The event's number."""
        self._kept.append((stream_id, message))
        return str(len(self._kept) - 1)

    async def replay_events_after(self, last_event_id: Any, send_callback: Any) -> Any:
        """What came later on the same stream."""
        after = int(last_event_id)
        stream = self._kept[after][0]
        for number, (other, message) in enumerate(self._kept):
            if number > after and other == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def text(said: str) -> TextContent:
    """As a block."""
    return TextContent(type="text", text=said)


def image() -> ImageContent:
    """Likewise."""
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri: str, mime_type: str, said: str) -> EmbeddedResource:
    """Likewise."""
    contents = TextResourceContents(uri=uri, mime_type=mime_type, text=said)
    return EmbeddedResource(type="resource", resource=contents)


# --- tools -------------------------------------------------------------------------------------


@server.tool()
def test_simple_text() -> str:
    """Says a text."""
    return "This is a simple text response for testing."


@server.tool()
def test_image_content() -> list[ImageContent]:
    """Shows a picture."""
    return [image()]


@server.tool()
def test_audio_content() -> list[AudioContent]:
    """Plays a sound."""
    return [AudioContent(type="audio", data=WAV, mime_type="audio/wav")]


@server.tool()
def test_embedded_resource() -> list[EmbeddedResource]:
    """Gives a resource."""
    return [embedded("test://embedded-resource", "text/plain", "An embedded resource.")]


@server.tool()
def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    """Gives one of each."""
    mixed = embedded("test://mixed-content-resource", "application/json", '{"test":"data"}')
    return [text("Multiple content types test:"), image(), mixed]


@server.tool()
async def test_tool_with_logging(ctx: Context) -> str:
    """Logs what it does."""
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(line)
        await asyncio.sleep(PAUSE)
    return "Logged."


@server.tool()
async def test_tool_with_progress(ctx: Context) -> str:
    """Tells how far it is."""
    for progress in (0, 50, 100):
        await ctx.report_progress(progress, 100)
        await asyncio.sleep(PAUSE)
    return "Done."


@server.tool()
def test_error_handling() -> str:
    """Fails."""
    raise RuntimeError("This tool intentionally returns an error for testing")


@server.tool()
async def test_reconnection(ctx: Context) -> str:
    """Hangs up in the middle, and has its client come back for the rest."""
    await ctx.close_sse_stream()
    await asyncio.sleep(4 * PAUSE)
    return "Came back."


@server.tool()
async def test_sampling(prompt: str, ctx: Context) -> str:
    """Asks the client's model."""
    asked = SamplingMessage(role="user", content=text(prompt))
    result = await ctx.session.create_message(
        [asked], max_tokens=100, related_request_id=ctx.request_context.request_id
    )
    return f"LLM response: {result.content.text}"


class Response(BaseModel):
    """Some word."""

    response: str = Field(description="User's response")


class Defaults(BaseModel):
    """One of each primitive type."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Literal["active", "inactive", "pending"] = "active"
    verified: bool = True


def titled(*names: str) -> list[dict[str, str]]:
    """Options with what people read."""
    return [{"const": name, "title": name.title()} for name in names]


SEVERAL = {"type": "string", "enum": ["option1", "option2"]}
CHOICES: dict[str, Any] = {
    "untitledSingle": {"type": "string", "enum": ["option1", "option2"]},
    "titledSingle": {"type": "string", "oneOf": titled("value1", "value2")},
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["One", "Two"]},
    "untitledMulti": {"type": "array", "items": SEVERAL},
    "titledMulti": {"type": "array", "items": {"anyOf": titled("value1", "value2")}},
}


@server.tool()
async def test_elicitation(message: str, ctx: Context) -> str:
    """Asks the client's user."""
    return f"User response: {await ctx.elicit(message, Response)}"


@server.tool()
async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    """Asks with defaults."""
    return f"Elicitation completed: {await ctx.elicit('Who are you?', Defaults)}"


@server.tool()
async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    """Asks with choices."""
    schema = {"type": "object", "properties": CHOICES}
    result = await ctx.session.elicit_form("Which?", schema, ctx.request_context.request_id)
    return f"Elicitation completed: {result}"


async def json_schema_2020_12_tool() -> str:
    """Takes what a schema of its own says."""
    return "Taken."


SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}

# --- what asks for more input (2026-07-28) -------------------------------------------------------


def form(message: str, *names: str) -> ElicitRequest:
    """A question to the user."""
    schema = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": list(names),
    }
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(prompt: str) -> CreateMessageRequest:
    """A question to the model."""
    asked = SamplingMessage(role="user", content=text(prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[asked], max_tokens=100))


def asks(
    ctx: Context, state: str | None = None, **requests: Any
) -> InputRequiredResult | CallToolResult:
    """Ask for these, or say what came of them where all have been answered."""
    answers = ctx.input_responses or {}
    if requests.keys() <= answers.keys() and (state is None or ctx.request_state == state):
        said = f"state-ok {answers}" if state else f"Thank you: {answers}"
        return CallToolResult(content=[text(said)])
    return InputRequiredResult(input_requests=requests, request_state=state)


@server.tool()
async def test_input_required_result_elicitation(
    ctx: Context,
) -> InputRequiredResult | CallToolResult:
    """Asks the user."""
    return asks(ctx, user_name=form("What is your name?", "name"))


@server.tool()
async def test_input_required_result_sampling(
    ctx: Context,
) -> InputRequiredResult | CallToolResult:
    """Asks the model."""
    return asks(ctx, capital_question=sample("What is the capital of France?"))


@server.tool()
async def test_input_required_result_list_roots(
    ctx: Context,
) -> InputRequiredResult | CallToolResult:
    """Asks for roots."""
    return asks(ctx, client_roots=ListRootsRequest())


@server.tool()
async def test_input_required_result_request_state(
    ctx: Context,
) -> InputRequiredResult | CallToolResult:
    """Has its state come back."""
    return asks(ctx, "confirming", confirm=form("Sure?", "ok"))


@server.tool()
async def test_input_required_result_tampered_state(
    ctx: Context,
) -> InputRequiredResult | CallToolResult:
    """Likewise."""
    return asks(ctx, "sealed", confirm=form("Sure?", "ok"))


@server.tool()
async def test_input_required_result_multiple_inputs(
    ctx: Context,
) -> InputRequiredResult | CallToolResult:
    """Asks for all at once."""
    return asks(
        ctx,
        "several",
        user_name=form("What is your name?", "name"),
        greeting=sample("Say hello."),
        client_roots=ListRootsRequest(),
    )


@server.tool()
async def test_input_required_result_multi_round(
    ctx: Context,
) -> InputRequiredResult | CallToolResult:
    """Asks twice."""
    if ctx.request_state is None:
        return asks(ctx, "one", step1=form("What is your name?", "name"))
    return asks(ctx, "two", step2=form("Which colour?", "color"))


@server.tool()
async def test_input_required_result_capabilities(
    ctx: Context,
) -> InputRequiredResult | CallToolResult:
    """Asks only for what its client can give."""
    can = ctx.client_capabilities
    wanted: dict[str, Any] = {}
    if can is not None and can.elicitation is not None:
        wanted["user_name"] = form("What is your name?", "name")
    if can is not None and can.sampling is not None:
        wanted["greeting"] = sample("Say hello.")
    return asks(ctx, **wanted)


@server.prompt()
async def test_input_required_result_prompt(
    ctx: Context,
) -> InputRequiredResult | list[UserMessage]:
    """Asks before it says anything."""
    if not ctx.input_responses:
        return InputRequiredResult(input_requests={"user_context": form("Why?", "context")})
    return [UserMessage(content=text("Thank you."))]


# --- resources ---------------------------------------------------------------------------------


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """A text."""
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """A picture."""
    return base64.b64decode(PNG)


@server.resource("test://template/{id}/data", mime_type="application/json")
def template(id: str) -> str:  # noqa: A002 -- the suite names it
    """By a template."""
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


@server.resource("test://watched-resource", mime_type="text/plain")
def watched() -> str:
    """One that can be watched."""
    return "Watched resource content"


# --- prompts -----------------------------------------------------------------------------------


@server.prompt()
def test_simple_prompt() -> list[UserMessage]:
    """A text."""
    return [UserMessage(content=text("This is a simple prompt for testing."))]


@server.prompt()
def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
    """A text with two words in it."""
    return [UserMessage(content=text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]


@server.prompt()
def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 -- its
    """A resource, and what to do with it."""
    resource = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
    return [UserMessage(content=resource), UserMessage(content=text("Read it."))]


@server.prompt()
def test_prompt_with_image() -> list[UserMessage]:
    """A picture, and what to do with it."""
    return [UserMessage(content=image()), UserMessage(content=text("Look at it."))]


@server.completion()
async def completion(ref: Any, argument: Any, context: Any) -> Completion:
    """Nothing comes to its mind."""
    return Completion(values=[], total=0, has_more=False)


async def obeyed(ctx: Any, params: Any) -> EmptyResult:
    """Watching, and what is logged: that it was understood is all that is looked at."""
    return EmptyResult()


def main() -> None:
    """Serve at that port."""
    tool = server.tool()(json_schema_2020_12_tool)
    server._tool_manager.get_tool(tool.__name__).parameters = SCHEMA
    low = server._lowlevel_server
    low.add_request_handler("logging/setLevel", SetLevelRequestParams, obeyed)
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, obeyed)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, obeyed)
    app = server.streamable_http_app(event_store=Events(), retry_interval=100)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")


if __name__ == "__main__":
    main()
