"""Where records of the journal go as well, as policy files write it (spec 5.6)."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.config.receivers import PostUrl
from proxy.config.store_url import StoreUrl
from proxy.config.types import Name, Secret
from proxy.protocols.standard_webhooks import key

Kind = Literal["gateway", "redis", "webhook", "stdout"]


class Mirror(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who gets every record, at least once and in their order."""

    name: Annotated[Name, Meta(description="Once in all files; where it is, is kept under it.")]
    kind: Annotated[Kind, Meta(description="What it is.")]
    types: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...],
        Meta(
            min_length=1,
            description="Types of records: globs; those with a leading ! are left out.",
            examples=[["call.finished", "kill.*"], ["!call.*"]],
        ),
    ] = ("*",)
    begins: Annotated[
        Literal["now", "oldest"],
        Meta(description="A new one begins with what comes from now on, or with all there is."),
    ] = "now"
    upstream: Annotated[
        Name | UnsetType, Meta(description="gateway: the upstream whose tools are called.")
    ] = UNSET
    url: Annotated[PostUrl | UnsetType, Meta(description="webhook: where it is posted to.")] = UNSET
    secret: Annotated[
        Secret | UnsetType,
        Meta(
            description="webhook: its whsec_ secret; two with a space between while one is being "
            "replaced. Without it nothing is signed."
        ),
    ] = UNSET
    allow_private: Annotated[
        bool, Meta(description="webhook: it may be of this machine, or of a private network.")
    ] = False
    store: Annotated[
        StoreUrl | UnsetType,
        Meta(description="redis: another Redis than the store of the settings."),
    ] = UNSET
    stream: Annotated[
        Annotated[str, Meta(min_length=1, max_length=256)] | UnsetType,
        Meta(description="redis: the key of the stream. Default: holdfast:{FLEET}:records."),
    ] = UNSET
    maxlen: Annotated[
        int, Meta(ge=1, description="redis: entries that the stream keeps, or a few more.")
    ] = 1_000_000

    @property
    def keys(self) -> tuple[bytes, ...]:
        """What posts are signed with. Raises ValueError, which quotes nothing of it."""
        if self.secret is UNSET:
            return ()
        return tuple(key(text) for text in self.secret.revealed.split())
