"""What the spans of a call are made from: taken from it at its end, in plain structs."""

import msgspec

from proxy.protocols.protocol import Described
from proxy.protocols.trace import Trace
from proxy.record import Record


class Where(msgspec.Struct, frozen=True):
    """An upstream: where it is, and where agents reach it."""

    url: str = ""  # scheme, authority and base path
    host: str = ""
    port: int = 0
    route: str = ""  # the path that it is mounted at


NOWHERE = Where()


class Sent(msgspec.Struct, frozen=True, gc=False):
    """One sending. Times are seconds on `Clock.now`."""

    span: str
    began: float
    ended: float
    upstream: str
    where: Where
    status: int = 0  # 0: no answer came
    error: str = ""  # how it failed; empty: it did not
    again: int = 0  # how many were sent before it
    hedge: bool = False


class Finished(msgspec.Struct, frozen=True, gc=False):
    """A call that has ended, as far as its spans tell of it."""

    record: Record
    trace: Trace
    request: str  # the span of its request
    above: bool  # that one is told too; of calls that came in one message, once
    span: str  # that of the call itself
    began: float
    ended: float
    offset: float  # seconds from `Clock.now` to those since 1970
    method: str  # of HTTP
    path: str  # as its upstream sees it: without query, ids as `{id}`; empty: it is not known
    where: Where
    said: Described
    stream: bool = False
    sent: tuple[Sent, ...] = ()
