"""Who can be told of alerts, as policy files write it; and as delivery takes it."""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.config.addresses import Url
from proxy.config.types import Name, Secret, Upstream
from proxy.observe.alerts import receiver as told
from proxy.protocols import standard_webhooks

_AT_ITS_URL = frozenset({"webhook", "alertmanager", "slack"})
_MOST_SECRETS = 4


class PostUrl(Secret):
    """Where something is posted to: http or https, with a path and a query. It is never shown, for
    whoever knows the path of such a URL can post to it too."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "PostUrl":
        """Raises ValueError, with what is wrong; never with what was found."""
        if not isinstance(text, str):
            raise ValueError("expected a URL such as https://example.org/hook")
        if "#" in text:
            raise ValueError("a fragment cannot be part of the URL")
        address = text.partition("?")[0]
        try:
            _ = Url.parse(address).origin
        except ValueError as error:
            raise ValueError(str(error).replace("an upstream's URL", "the URL")) from None
        if not (text.isascii() and text.isprintable() and " " not in text):
            raise ValueError("expected a URL of printable ASCII without spaces")
        return cls(text)

    @property
    def place(self) -> str:
        """Scheme, host and port: what may be shown of it."""
        parts = urlsplit(self.revealed)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def host(self) -> str:
        """A name or an address; that of IPv6 without its brackets."""
        return urlsplit(self.revealed).hostname or ""


class Receiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who is told."""

    name: Annotated[Name, Meta(description="Once in all files.")]
    kind: Annotated[
        Literal["webhook", "alertmanager", "slack", "pagerduty", "gateway"],
        Meta(description="How it wants to be told."),
    ]
    url: Annotated[
        PostUrl | UnsetType,
        Meta(description="Where; of pagerduty the usual one is known. It is shown nowhere."),
    ] = UNSET
    secret: Annotated[
        Secret | UnsetType,
        Meta(
            description="webhook: its whsec_ secret; while it is replaced the new one, a space and "
            "the old one. pagerduty: its routing key. alertmanager: a bearer token."
        ),
    ] = UNSET
    upstream: Annotated[
        Name | UnsetType, Meta(description="gateway: the upstream whose publish_event is called.")
    ] = UNSET
    allow_private: Annotated[
        bool, Meta(description="It may be of this machine, or of a private network.")
    ] = False

    def __post_init__(self) -> None:
        """Raises ValueError for what its kind lacks, or has no use for."""
        if self.kind in _AT_ITS_URL and self.url is UNSET:
            raise ValueError(f"a receiver of kind {self.kind} needs a url")
        if (self.kind == "gateway") != (self.upstream is not UNSET):
            raise ValueError("upstream: a receiver of kind gateway has one, and no other")
        if self.kind == "gateway" and self.url is not UNSET:
            raise ValueError("url: a receiver of kind gateway has that of its upstream")
        if self.kind in {"gateway", "slack"} and self.secret is not UNSET:
            raise ValueError(f"secret: a receiver of kind {self.kind} has none")
        if self.kind == "pagerduty" and not self.secrets:
            raise ValueError("secret: a receiver of kind pagerduty needs its routing key")
        if self.secret is not UNSET and not self.secrets:  # a variable that was not set, perhaps
            raise ValueError("secret: it is empty; without one, leave the key out")
        if self.kind == "webhook":
            self._judge_secrets()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The newest first."""
        return () if self.secret is UNSET else tuple(self.secret.revealed.split())

    def _judge_secrets(self) -> None:
        if len(self.secrets) > _MOST_SECRETS:
            raise ValueError(f"secret: expected {_MOST_SECRETS} secrets at most")
        for secret in self.secrets:
            try:
                standard_webhooks.key(secret)
            except ValueError as error:
                raise ValueError(f"secret: {error}") from None


def receivers_of(
    written: Collection[Receiver], upstreams: Mapping[str, Upstream]
) -> tuple[told.Receiver, ...]:
    """As delivery takes them."""
    return tuple(_as_told(each, upstreams) for each in written)


def _as_told(written: Receiver, upstreams: Mapping[str, Upstream]) -> told.Receiver:
    if written.upstream is not UNSET:
        upstream = upstreams[written.upstream]
        return told.Receiver(
            name=str(written.name),
            kind=written.kind,
            url=str(upstream.url).rstrip("/") + "/",
            # Of several credentials one is sent: two of a kind would contradict each other.
            headers=tuple((n.decode(), value.decode()) for n, value in upstream.credentials[:1]),
            private=True,  # agents' calls go there as well
        )
    return told.Receiver(
        name=str(written.name),
        kind=written.kind,
        url="" if written.url is UNSET else written.url.revealed,
        secrets=written.secrets,
        private=written.allow_private,
    )
