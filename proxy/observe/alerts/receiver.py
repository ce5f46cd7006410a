"""A receiver: somebody who is told of alerts, as delivery sees him."""

from typing import Literal, TypeAlias

import msgspec

from proxy.posts import Headers

Kind: TypeAlias = Literal["webhook", "alertmanager", "slack", "pagerduty", "gateway"]


class Receiver(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """Made of what policy files say (`config/receivers.py`). Its URL and its secrets are shown
    nowhere."""

    name: str
    kind: Kind
    url: str
    secrets: tuple[str, ...] = ()  # the first is the newest
    headers: Headers = ()  # that go with each post: how the gateway knows us
    private: bool = False  # it may be of this machine, or of a private network

    def __repr__(self) -> str:
        return f"Receiver({self.name!r}, {self.kind!r})"
