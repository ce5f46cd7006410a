"""A match as it is written: for which calls something is. `match.py` has what it means."""

from typing import TYPE_CHECKING, Annotated, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.config import match
from proxy.config.places import Place
from proxy.expression import Expression

if TYPE_CHECKING:  # it reads YAML, and the path of a call knows these types
    from proxy.config.document import Mapping

Glob = Annotated[
    str, Meta(min_length=1, max_length=256, description="A text; * stands for anything.")
]
GlobOrGlobs = Glob | Annotated[tuple[Glob, ...], Meta(min_length=1)] | UnsetType


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For which calls the policy is. All keys must hold. A leading ! excludes."""

    upstream: Annotated[GlobOrGlobs, Meta(description="Its name.")] = UNSET
    protocol: Annotated[
        GlobOrGlobs,
        Meta(
            description="What the request was read as: tools, mcp, openai, anthropic, a2a or http.",
            examples=["tools", "openai"],
        ),
    ] = UNSET
    layer: Annotated[
        GlobOrGlobs, Meta(description="llm, tool, agent or http.", examples=["tool", "llm"])
    ] = UNSET
    tool: Annotated[GlobOrGlobs, Meta(description="Its name; of plain HTTP: GET /orders/{id}.")] = (
        UNSET
    )
    agent: Annotated[GlobOrGlobs, Meta(description="Who calls.")] = UNSET
    fleet: Annotated[GlobOrGlobs, Meta(description="What the agent belongs to.")] = UNSET
    workflow: Annotated[GlobOrGlobs, Meta(description="What the call is a part of.")] = UNSET
    model: Annotated[GlobOrGlobs, Meta(description="Of an LLM.")] = UNSET
    method: Annotated[
        GlobOrGlobs,
        Meta(
            description="Of HTTP, in capitals; of A2A the operation, as 1.0 calls it (SendMessage)."
        ),
    ] = UNSET
    path: Annotated[
        GlobOrGlobs, Meta(description="Of the request, without its query; decoded or not.")
    ] = UNSET
    stream: Annotated[
        bool | UnsetType,
        Meta(description="Did its agent ask for a stream? Known of calls of models and agents."),
    ] = UNSET
    when: Annotated[
        Expression | UnsetType,
        Meta(
            description="A condition in CEL, asked of each call. Where it fails, what the policy "
            "restricts holds, and nothing else of it."
        ),
    ] = UNSET

    def __post_init__(self) -> None:
        """Raises ValueError for a condition that asks for what hangs on the policies in force."""
        if isinstance(self.when, Expression):
            self.when.early("when")


def matched(written: Match | UnsetType, node: "Mapping") -> tuple[match.Match, dict[str, Place]]:
    """What was read of a match, and where each key of it stands: `match.tool`. `node` is the
    mapping that has it."""
    globs: dict[str, match.Globs] = {}
    if written is UNSET:
        return match.Match(), {}
    inside = cast("Mapping", node.items["match"].node)  # or it could not have been read
    for key in match.KEYS:
        value = getattr(written, key)
        if value is not UNSET:
            value = match.truth(value) if isinstance(value, bool) else value
            texts = (value,) if isinstance(value, str) else value
            as_sent = tuple(map(match.path_as_sent, texts)) if key == "path" else texts
            globs[key] = match.Globs.of(as_sent)
    places = {f"match.{name}": key.node.place for name, key in inside.items.items()}
    return match.Match(globs, None if written.when is UNSET else written.when), places
