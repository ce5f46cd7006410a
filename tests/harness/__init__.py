"""What the tests of the wire stand on: raw sockets at both ends of a real proxy.

`RawUpstream` is the far end, `Connection` the agent's, `holdfast` the proxy between them. No HTTP
library takes part, so that every byte is the test's own. Every wait is bounded by `PATIENCE`.
"""

from tests.harness.agent import Connection, raw_call
from tests.harness.messages import Message, answer, chunked, request
from tests.harness.proxy import Proxy, holdfast, upstream_yaml
from tests.harness.upstream import OK, RawUpstream, UpstreamConnection
from tests.harness.wire import PATIENCE, Ended, breathe, within

__all__ = [
    "OK",
    "PATIENCE",
    "Connection",
    "Ended",
    "Message",
    "Proxy",
    "RawUpstream",
    "UpstreamConnection",
    "answer",
    "breathe",
    "chunked",
    "holdfast",
    "raw_call",
    "request",
    "upstream_yaml",
    "within",
]
