"""The shape of a policy file, for reading it and for its schema. Sections come from `stages`."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.call import Effect
from proxy.config.types import Mode, Name, Upstream
from proxy.stage import Section
from proxy.stages import SECTIONS

Glob = Annotated[
    str, Meta(min_length=1, max_length=256, description="A text; * stands for anything.")
]
GlobOrGlobs = Glob | Annotated[tuple[Glob, ...], Meta(min_length=1)] | UnsetType


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For which calls the policy is. All keys must hold. A leading ! excludes."""

    upstream: GlobOrGlobs = UNSET
    protocol: GlobOrGlobs = UNSET
    layer: Annotated[GlobOrGlobs, Meta(description="llm, tool, agent or http.")] = UNSET
    tool: GlobOrGlobs = UNSET
    agent: GlobOrGlobs = UNSET
    fleet: GlobOrGlobs = UNSET
    workflow: GlobOrGlobs = UNSET
    model: GlobOrGlobs = UNSET
    method: Annotated[GlobOrGlobs, Meta(description="Of HTTP, in capitals.")] = UNSET
    path: Annotated[
        GlobOrGlobs, Meta(description="Of the request, without its query; decoded or not.")
    ] = UNSET


def _with_mode(name: str, section: type[Section]) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        name,
        [("mode", Annotated[Mode | UnsetType, Meta(description="Of this section alone.")], UNSET)],
        bases=(section,),
        namespace={"__doc__": section.__doc__},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


def _section_fields() -> list[tuple[str, Any, Any]]:
    # A bool beside the struct: false is off, true is the same as {}.
    fields: list[tuple[str, Any, Any]] = []
    for name, section in SECTIONS.items():
        fields.append((name, _with_mode(name, section) | bool | UnsetType, UNSET))
    return fields


POLICY = msgspec.defstruct(
    "Policy",
    [
        ("name", Annotated[Name, Meta(description="Once in all files.")]),
        ("match", Match | UnsetType, UNSET),
        (
            "effect",
            Annotated[Effect | UnsetType, Meta(description="What repeating such a call does.")],
            UNSET,
        ),
        (
            "mode",
            Annotated[Mode, Meta(description="shadow: computed and counted, never acted upon.")],
            Mode.ENFORCE,
        ),
        *_section_fields(),
    ],
    namespace={"__doc__": "What is in force for the calls that match."},
    frozen=True,
    forbid_unknown_fields=True,
)
POLICY_FILE = msgspec.defstruct(
    "PolicyFile",
    [
        ("upstreams", dict[Name, Upstream] | UnsetType, UNSET),
        ("policies", tuple[POLICY, ...] | UnsetType, UNSET),  # type: ignore[valid-type]  # made above
    ],
    namespace={"__doc__": "A policy file of Holdfast. All keys may be left out."},
    frozen=True,
    forbid_unknown_fields=True,
)
