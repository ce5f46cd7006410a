"""The model behind both vendors' interfaces: what it writes, and what it says that it used.

There is none: an answer is made from the seed and the request, and the same request gets the same
answer. Real names of models are as good as any, so that prices may be tried; one that begins with
`unknown` is not there. Where a request must call a tool, the answer calls it, with arguments made
from its schema. The header `x-sandbox-usage` wishes for figures:

    input=2000; output=50; cached=1500; cache_write=200; cache_write_1h=100; reasoning=20

`input` is all that was read, `cached` and `cache_write` are parts of it, `cache_write_1h` is a part
of `cache_write`; `output` is all that was written, and one word each but for `reasoning`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.said import Head, Said
from proxy.lab.sandbox.words import BYTES_A_TOKEN, digest, pieces, tokens

BORN = 1_780_272_000
"""Seconds since 1970 when every answer was made: the same request gets the same bytes."""

MODELS = ("sandbox-large", "sandbox-small", "sandbox-embedding")
MOST_TOKENS = 1_000_000
THOUGHT = 24
"""Tokens of reasoning where it is asked for and no figure is wished."""

_FEWEST_WORDS, _MORE_WORDS = 12, 20


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the header wishes for them; None: not wished."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens of one answer: `cached` and `cache_write` are part of `input`."""

    input: int
    output: int
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called, its arguments as JSON text."""

    name: str
    arguments: str

    def given(self) -> object:
        """The arguments."""
        return json.loads(self.arguments)

    def pieces(self) -> Iterator[str]:
        """The arguments, a few characters at a time."""
        for start in range(0, len(self.arguments), BYTES_A_TOKEN):
            yield self.arguments[start : start + BYTES_A_TOKEN]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request to a model, whatever the vendor."""

    model: str
    body: Mapping[str, object]
    read: object
    """What of the body the model reads: that is counted."""
    most: int | None
    """Tokens that it may write."""
    tool: tuple[str, object] | None
    """A tool that it must call: its name, and the schema of its input."""
    thinks: bool


@dataclass(frozen=True, slots=True)
class Written:
    """What the model answers. `identity` is hexadecimal."""

    identity: str
    key: bytes
    length: int
    tool: ToolCall | None
    cut_short: bool
    used: Used

    def pieces(self) -> Iterator[str]:
        """Its text, a token at a time."""
        return pieces(self.key, self.length)

    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces())


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as its interface read it: `answer` puts what was written into its shape."""

    prompt: Prompt
    answer: Callable[[Sequence[Written]], Said]
    choices: int = 1

    def answered(self, seed: int, wish: Usage) -> Said:
        """Written, and put into shape; raises GatewayError."""
        return self.answer([write(seed, self.prompt, wish, n) for n in range(self.choices)])


def write(seed: int, prompt: Prompt, wish: Usage, choice: int = 0) -> Written:
    """Answer a prompt; of several answers to one, `choice` says which."""
    if prompt.model.startswith("unknown"):
        raise GatewayError(404, "model_not_found", f"there is no model {prompt.model[:64]!r}")
    said = {name: value for name, value in prompt.body.items() if not name.startswith("stream")}
    key = digest(seed, said, choice)  # the same words, as a stream and whole
    reasoning = wish.reasoning or (THOUGHT if prompt.thinks and wish.reasoning is None else 0)
    tool = None if prompt.tool is None else _tool_call(key, *prompt.tool)
    length = _FEWEST_WORDS + key[2] % _MORE_WORDS if tool is None else tokens(tool.arguments) + 1
    wanted = reasoning + length if wish.output is None else max(wish.output, reasoning)
    written = wanted if prompt.most is None else min(wanted, prompt.most)
    used = _used(tokens(prompt.read), written, min(reasoning, written), wish)
    return Written(
        identity=key.hex()[:24],
        key=key[3:],
        length=written - used.reasoning if tool is None else 0,
        tool=tool,
        cut_short=written < wanted,
        used=used,
    )


def read_wish(head: Head) -> Usage:
    """The figures that `x-sandbox-usage` wishes for; raises GatewayError 400."""
    allowed = [field.name for field in fields(Usage)]
    wished: dict[str, int] = {}
    for part in filter(None, map(str.strip, head.headers.get("x-sandbox-usage", "").split(";"))):
        name, _, figure = part.partition("=")
        if name not in allowed or not figure.isdecimal() or int(figure[:9]) > MOST_TOKENS:
            raise GatewayError(
                400,
                "invalid_wish",
                f"x-sandbox-usage: {part[:64]!r}: write name=number; {', '.join(allowed)}; "
                f"at most {MOST_TOKENS}",
            )
        wished[name] = int(figure)
    return Usage(**wished)


def model_of(document: Mapping[str, object]) -> str:
    """The model that a body names; raises GatewayError 400."""
    model = document.get("model")
    if not isinstance(model, str) or not model:
        raise GatewayError(400, "missing_required_parameter", "model: must be a string")
    return model


def limit(document: Mapping[str, object], *names: str) -> int | None:
    """The first of these figures that is given, at least 1; raises GatewayError 400."""
    for name in names:
        found = document.get(name)
        if found is None:
            continue
        if isinstance(found, bool) or not isinstance(found, int) or found < 1:
            raise GatewayError(400, "invalid_value", f"{name}: must be a whole number over 0")
        return found
    return None


def flag(document: Mapping[str, object], name: str) -> bool:
    """Is it true?"""
    return document.get(name) is True


def part(document: object, name: str) -> Mapping[str, object]:
    """An object inside another; an empty one where there is none."""
    found = document.get(name) if isinstance(document, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _used(read: int, written: int, reasoning: int, wish: Usage) -> Used:
    cached, cache_write = wish.cached or 0, wish.cache_write or wish.cache_write_1h or 0
    of_caches = cached + cache_write
    return Used(
        input=max(wish.input, of_caches) if wish.input is not None else read + of_caches,
        output=written,
        cached=cached,
        cache_write=cache_write,
        cache_write_1h=min(wish.cache_write_1h or 0, cache_write),
        reasoning=reasoning,
    )


def _tool_call(key: bytes, name: str, schema: object) -> ToolCall:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    given = properties if isinstance(properties, Mapping) else {}
    arguments = {str(name): _example(key, of) for name, of in given.items()}
    return ToolCall(name, json.dumps(arguments, default=float))


def _example(key: bytes, schema: object) -> object:
    """A value that a simple schema allows."""
    if not isinstance(schema, Mapping):
        return None
    allowed = schema.get("enum")
    if isinstance(allowed, list) and allowed:
        return allowed[key[4] % len(allowed)]
    examples: dict[object, object] = {
        "string": next(pieces(key, 1)).lower(),
        "integer": key[5],
        "number": key[5] + 0.5,
        "boolean": key[5] % 2 == 0,
        "array": [],
        "object": {},
    }
    return examples.get(schema.get("type"))
