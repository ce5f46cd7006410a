"""Where records of the journal go as well, as policy files write it (spec 5.6)."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.config.addresses import Url
from proxy.config.types import Name, Secret


class Mirror(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who gets every record, at least once and in their order."""

    name: Annotated[Name, Meta(description="Once in all files; where it is, is kept under it.")]
    kind: Annotated[
        Literal["gateway", "redis", "webhook", "stdout"], Meta(description="What it is.")
    ]
    upstream: Annotated[
        Name | UnsetType, Meta(description="gateway: the upstream whose tools are called.")
    ] = UNSET
    url: Annotated[Url | UnsetType, Meta(description="webhook: where it is posted to.")] = UNSET
    secret: Annotated[Secret | UnsetType, Meta(description="webhook: its whsec_ secret.")] = UNSET
    allow_private: Annotated[
        bool, Meta(description="It may be of this machine, or of a private network.")
    ] = False
