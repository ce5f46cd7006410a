"""An attempt: one sending of a call upstream. Hedges and retries have one each."""

from typing import Any

import msgspec

from proxy.call import Call, Message
from proxy.clock import NEVER
from proxy.reply import Failure, Result


class Attempt(msgspec.Struct):
    """One sending. Times are seconds on `Clock.now`."""

    call: Call
    number: int  # 1, 2, … of all sendings of its call
    of: int  # as many as there may be in all, as far as is known
    started: float
    deadline: float = NEVER
    connect_by: float = NEVER
    first_byte_by: float = NEVER
    stream_idle: float | None = None  # seconds without a byte that end a stream
    stream_progress: float | None = None  # the same without anything that matters
    stream_max: float | None = None  # seconds after which a stream ends in any case
    upstream: str = ""
    credential: int = -1  # which of its upstream's; -1: the one that worked last
    spare: int = -1  # the one to take if that is not accepted; -1: there is no other
    sent: bool = False  # a byte of it was handed to a connection
    first_byte: float | None = None
    ended: float | None = None
    status: int = 0  # 0: no answer came
    failure: Failure | None = None
    result: Result | None = None
    retry: bool = False  # sent again after another one failed
    hedge: bool = False  # sent beside another one that is slow to answer
    sends: Message | None = None  # instead of its call's own head and body
    span: str = ""  # by which its upstream knows it, where calls are traced
    taken: dict[Any, Any] = {}
    """What gates took for it and need to know when it settles, each under itself."""
