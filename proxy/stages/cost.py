"""`cost`: what a call costs (4.1).

A price is charged for each attempt that was sent, whatever became of it, and for none that was not.
What stands here comes before what `prices` says of the tool; where neither has a price, or the
condition does not hold, `unknown_price` decides. Models have prices by their tokens: what `prices`
says of a model itself comes before this, and the table of models after it.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import msgspec
from msgspec import Meta

from proxy.expression import Expression
from proxy.stage import Section
from proxy.units import Money

_POINTER = re.compile("(/([^~/]|~[01])*)+")  # RFC 6901


class Assume(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call without a price counts as if it had this one."""

    assume: Annotated[Money, Meta(description="For each attempt that is sent.")]


Fixed: TypeAlias = Annotated[
    Money | None, Meta(description="For each attempt that was sent, whatever became of it.")
]
PerKb: TypeAlias = Annotated[
    Money | None,
    Meta(description="Besides, for every 1,024 bytes of request and answer, begun ones whole."),
]
FromReply: TypeAlias = Annotated[
    str,
    Meta(
        max_length=256,
        description="A member of the answer, or a JSON pointer (/usage/cost), whose number counts "
        "instead. Where there is none the rest stands, as an estimate.",
    ),
]
UnknownPrice: TypeAlias = Literal["deny", "allow"] | Assume


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tool costs: a sum for each attempt, one by size, or what the answer says."""

    written_as_number: ClassVar[str] = "fixed"

    fixed: Fixed = None
    per_kb: PerKb = None
    from_reply: FromReply = ""

    def __post_init__(self) -> None:
        """Raises ValueError for what is neither a name nor a pointer, and where nothing is said."""
        _check_pointer(self.from_reply)
        if self.fixed is None and self.per_kb is None and not self.from_reply:
            raise ValueError("expected fixed, per_kb or from_reply")


class Cost(Section, frozen=True, kw_only=True):
    """What a call costs, in US dollars. A number alone is `fixed`, and all that is said of it.

    Policies before have nothing to add to such a number: no condition, nothing by size.
    """

    written_as_number: ClassVar[str] = "fixed"
    by_number: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"per_kb": None, "from_reply": "", "when": None}
    )

    fixed: Fixed = None
    per_kb: PerKb = None
    from_reply: FromReply = ""
    when: Annotated[
        Expression | None,
        Meta(
            description="A condition in CEL; the price is for calls for which it holds. Where it "
            "fails, the dearer one is paid. Default: all."
        ),
    ] = None
    unknown_price: Annotated[
        UnknownPrice | None,
        Meta(
            description="Of a call without a price: deny refuses it, allow lets it go and counts "
            "it. Default: as prices says."
        ),
    ] = None
    reserve_cap: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(
            description="Of a model: before it is called, budgets reserve for no more than so many "
            "tokens of its answer, and for what it writes beyond that while it streams. Default: "
            "for all that the call lets it write.",
        ),
    ] = None

    def __post_init__(self) -> None:
        """Raises ValueError for what is neither a name nor a pointer, or asks for what it says."""
        _check_pointer(self.from_reply)
        if self.when is not None:
            self.when.early("when")

    def lack(self) -> str:
        """A price, or what becomes of calls that have none, or what is reserved of them."""
        if self.price is None and self.unknown_price is None and self.reserve_cap is None:
            return "it has no price: give fixed, per_kb, from_reply, unknown_price or reserve_cap"
        return ""

    @property
    def price(self) -> Price | None:
        """What it says of the price itself; None: nothing, or nothing any more."""
        if self.fixed is None and self.per_kb is None and not self.from_reply:
            return None
        return Price(fixed=self.fixed, per_kb=self.per_kb, from_reply=self.from_reply)


def _check_pointer(text: str) -> None:
    if text.startswith("/") and not _POINTER.fullmatch(text):
        raise ValueError(
            f"from_reply: expected a member's name, or a JSON pointer such as /usage/cost, "
            f"found {text!r}"
        )
