"""The shape of a policy file, for reading it and for its schema. Sections come from `stages`."""

from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.call import Effect, Risk, Unrecorded
from proxy.config.alerts import Alerts
from proxy.config.behaviour import Behaviour
from proxy.config.matching import Glob, Match
from proxy.config.mirrors import Mirror
from proxy.config.money import Allocation, ModelPrice
from proxy.config.slos import Slo
from proxy.config.spending import FIXED, Spending
from proxy.config.types import Mode, Name, Upstream
from proxy.stage import Section
from proxy.stages import SECTIONS
from proxy.stages.bulkhead import Limit, Places
from proxy.stages.cost import Price, UnknownPrice
from proxy.state.killed import InFlight
from proxy.state.kills import LONGEST, PEOPLES
from proxy.state.scopes import Scope
from proxy.units import Moment, Seconds


def _with_mode(name: str, section: type[Section]) -> type[msgspec.Struct]:
    words: Any = Mode
    about = "Of this section alone."
    if section.ways:
        words = Literal[(*section.ways, *(mode.value for mode in Mode))]
        hints = get_type_hints(section, include_extras=True)
        about = f"{hints['way'].__metadata__[0].description} Or the mode of this section alone."
    return msgspec.defstruct(
        name,
        [
            (
                "way" if section.ways else "mode",
                Annotated[words | UnsetType, Meta(description=about)],
                UNSET,
            )
        ],
        bases=(section,),
        rename={"way": "mode"},
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
    budget: Annotated[
        Spending | UnsetType, Meta(description="What they may spend together, in US dollars.")
    ] = UNSET


Per = Literal[
    "request", "agent", "workflow", "task", "tool", "model", "upstream", "bulkhead", "fleet"
]
_COME_AND_GO = ("workflow", "task")


class Budget(Spending, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be spent, by whom and on which calls."""

    name: Annotated[Name, Meta(description="Once in all files.")]
    per: Annotated[
        Per,
        Meta(
            description="Who has such a budget for himself; request: each call, for which there is "
            "only limit; fleet: all together. Calls without what it names share one, called none."
        ),
    ]
    match: Annotated[
        Match | UnsetType, Meta(description="For which calls it is. Default: all.")
    ] = UNSET
    require: Annotated[
        bool, Meta(description="Refuse calls without what per names, rather than share one.")
    ] = False
    ttl: Annotated[
        Seconds | UnsetType,
        Meta(description="A workflow or task without a call for so long begins anew."),
    ] = UNSET
    allocation: Annotated[
        Allocation | UnsetType,
        Meta(description="From what `holdfast budget suggest` proposes limits."),
    ] = UNSET

    def __post_init__(self) -> None:
        """Raises ValueError where limits do not fit to what they are for."""
        if self.per == "request":
            _check_request(self)
        else:
            super().__post_init__()
        if self.ttl is not UNSET and self.per not in _COME_AND_GO:
            raise ValueError("ttl: only workflows and tasks come to an end")
        if self.ttl is not UNSET and self.ttl <= 0:
            raise ValueError("ttl: expected more than 0s")


def _check_request(budget: Budget) -> None:
    lasting = [name for name in (*FIXED, "window") if getattr(budget, name) is not UNSET]
    if lasting:
        raise ValueError(f"{lasting[0]}: a request is over at once; it has a limit alone")
    if budget.limit is UNSET:
        raise ValueError("it has no limit: give limit")


class PriceLists(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tools and models cost, in US dollars, where no policy says otherwise."""

    tools: Annotated[
        dict[Glob, Price] | UnsetType,
        Meta(description="By name or glob; its own name counts first, then the longest glob."),
    ] = UNSET
    models: Annotated[
        dict[Glob, ModelPrice] | UnsetType,
        Meta(description="The same. What stands here comes before `cost`, and before the table."),
    ] = UNSET
    unknown_price: Annotated[
        UnknownPrice | UnsetType,
        Meta(
            description="Of a call without a price: deny refuses it, allow lets it go and counts "
            "it. Once in all files. Default: allow."
        ),
    ] = UNSET
    table: Annotated[
        Annotated[str, Meta(min_length=1)] | UnsetType,
        Meta(
            description="A file with the prices of all models, as `holdfast prices update` writes "
            "it. Once in all files. Default: the table that comes with Holdfast.",
        ),
    ] = UNSET


class Killed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is stopped for as long as it stands here."""

    scope: Annotated[
        Scope,
        Meta(
            description="all, fleet:NAME, agent:GLOB, tool:GLOB, workflow:ID, upstream:NAME or "
            "bulkhead:NAME. Once in all files."
        ),
    ]
    reason: Annotated[str, Meta(min_length=1, max_length=LONGEST, description="Told to agents.")]
    until: Annotated[
        Moment | None, Meta(description="From then on it counts no more; null: it always does.")
    ] = None
    in_flight: Annotated[
        InFlight, Meta(description="What becomes of calls and streams that run when it is loaded.")
    ] = "end"


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
        (
            "budgets",
            Annotated[
                tuple[Budget, ...] | UnsetType,
                Meta(description="What may be spent, in US dollars. A call needs room in each."),
            ],
            UNSET,
        ),
        (
            "prices",
            Annotated[
                PriceLists | UnsetType,
                Meta(description="What tools and models cost where no policy says otherwise."),
            ],
            UNSET,
        ),
        (
            "slos",
            Annotated[
                tuple[Slo, ...] | UnsetType,
                Meta(description="Service level objectives, each with an error budget."),
            ],
            UNSET,
        ),
        (
            "alerts",
            Annotated[Alerts | UnsetType, Meta(description="Who is told when something is wrong.")],
            UNSET,
        ),
        (
            "behaviour",
            Annotated[
                Behaviour | UnsetType,
                Meta(description="Watch what agents usually do, and how they fare."),
            ],
            UNSET,
        ),
        (
            "mirrors",
            Annotated[
                tuple[Mirror, ...] | UnsetType,
                Meta(description="Where records of the journal go as well."),
            ],
            UNSET,
        ),
        (
            "kill",
            Annotated[
                Annotated[tuple[Killed, ...], Meta(max_length=PEOPLES)] | UnsetType,
                Meta(description="What is stopped, whatever else the policies say."),
            ],
            UNSET,
        ),
    ],
    namespace={"__doc__": "A policy file of Holdfast. All keys may be left out."},
    frozen=True,
    forbid_unknown_fields=True,
)
