"""The shape of a policy file, for reading it and for its schema. Sections come from `stages`."""

from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.call import Effect, Risk, Unrecorded
from proxy.config.types import Mode, Name, Upstream
from proxy.expression import Expression
from proxy.stage import Section
from proxy.stages import SECTIONS
from proxy.stages.bulkhead import Limit, Places
from proxy.units import Seconds

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
            description="What the request was read as: tools or http.", examples=["tools", "http"]
        ),
    ] = UNSET
    layer: Annotated[
        GlobOrGlobs, Meta(description="llm, tool, agent or http.", examples=["tool", "http"])
    ] = UNSET
    tool: Annotated[GlobOrGlobs, Meta(description="Its name; of plain HTTP: GET /orders/{id}.")] = (
        UNSET
    )
    agent: Annotated[GlobOrGlobs, Meta(description="Who calls.")] = UNSET
    fleet: Annotated[GlobOrGlobs, Meta(description="What the agent belongs to.")] = UNSET
    workflow: Annotated[GlobOrGlobs, Meta(description="What the call is a part of.")] = UNSET
    model: Annotated[GlobOrGlobs, Meta(description="Of an LLM.")] = UNSET
    method: Annotated[GlobOrGlobs, Meta(description="Of HTTP, in capitals.")] = UNSET
    path: Annotated[
        GlobOrGlobs, Meta(description="Of the request, without its query; decoded or not.")
    ] = UNSET
    when: Annotated[
        Expression | UnsetType,
        Meta(
            description="A condition in CEL, asked of each call. Where it fails, what the policy "
            "restricts holds, and nothing else of it."
        ),
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
        written: Any = _with_mode(name, section) | bool | UnsetType
        if section.written_as_list:
            hints = get_type_hints(section, include_extras=True)
            written = written | hints[section.written_as_list]
        fields.append((name, written, UNSET))
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
            "risk",
            Annotated[
                Risk | UnsetType,
                Meta(
                    description="What is at stake. From high on a call leaves a trace before it is "
                    "sent. Default: low for reads, medium for the rest."
                ),
            ],
            UNSET,
        ),
        (
            "on_journal_failure",
            Annotated[
                Unrecorded | UnsetType,
                Meta(
                    description="Of a call whose intent cannot be made durable: deny refuses it. "
                    "Default: deny where the risk is high or critical, else allow."
                ),
            ],
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


class Domain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Agents that share permits and the fate of circuits, with nobody else."""

    name: Annotated[Name, Meta(description="Once in all files.")]
    agents: Annotated[
        tuple[Glob, ...],
        Meta(
            min_length=1, description="Who is in it; the first bulkhead that has an agent counts."
        ),
    ]
    limit: Annotated[Limit, Meta(description="So many attempts of theirs at once.")] = 64
    queue: Annotated[Places, Meta(description="So many may wait; 0: nobody does.")] = 32
    max_wait: Annotated[Seconds, Meta(description="Nobody waits longer.")] = Seconds(1.0)


POLICY_FILE = msgspec.defstruct(
    "PolicyFile",
    [
        (
            "upstreams",
            Annotated[
                dict[Name, Upstream] | UnsetType, Meta(description="Where calls go, by name.")
            ],
            UNSET,
        ),
        (
            "policies",
            Annotated[
                tuple[POLICY, ...] | UnsetType,  # type: ignore[valid-type]  # made above
                Meta(description="What happens to calls; they apply in their order."),
            ],
            UNSET,
        ),
        (
            "bulkheads",
            Annotated[
                tuple[Domain, ...] | UnsetType,
                Meta(description="Agents that share permits and circuits with nobody else."),
            ],
            UNSET,
        ),
    ],
    namespace={"__doc__": "A policy file of Holdfast. All keys may be left out."},
    frozen=True,
    forbid_unknown_fields=True,
)
