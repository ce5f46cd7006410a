"""Tables as the app builds them, from the text of a policy file, before scripted upstreams."""

import tempfile
from pathlib import Path

from proxy.call import Call, RequestHead, Whole
from proxy.clock import Clock
from proxy.config.load import load_policies
from proxy.config.loaded import Loaded
from proxy.counts import REFUSALS, Counted, Counts
from proxy.keep import Keep
from proxy.keys import shadowed
from proxy.pipeline.compile import Pipeline
from proxy.pipeline.conditional import Conditional
from proxy.pipeline.table import Table
from proxy.pipeline.walk import Grounds
from proxy.protocols.protocol import Rules
from proxy.refusal import Refusal
from proxy.reply import Reply
from proxy.stage import Sender, Trail
from tests.fakes import FakeClock, ScriptedUpstream, Step, run

GATEWAY = "upstreams:\n  gateway: {url: 'http://h', protocol: tools}\n"


def load(text: str) -> Loaded:
    """The policies of one file."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "p.yaml").write_text(text)
        return load_policies(name, environ={})


def post(tool: str, fields: dict[bytes, bytes] | None = None) -> Call:
    """A call of a tool by its path, not recognised yet."""
    return request("POST", f"/v1/{tool}", fields)


def give(tool: str, content: bytes, fields: dict[bytes, bytes] | None = None) -> Call:
    """A call of a tool by its path, with these arguments."""
    call = post(tool, fields)
    call.body = Whole(content)
    call.head.length = len(content)
    return call


def request(method: str, target: str, fields: dict[bytes, bytes] | None = None) -> Call:
    """A call, not recognised yet."""
    fields = fields or {}
    headers = [(name, name, value) for name, value in fields.items()]
    head = RequestHead(method, target.encode(), 1, headers, fields)
    return Call(id="c1", head=head, body=Whole(b""), started=1000.0, target=head.target)


class Desk:
    """A table, and what can be seen of what it does. `upstream` gets whatever is sent."""

    def __init__(
        self,
        text: str = "",
        *script: Step,
        clock: Clock | None = None,
        keep: Keep | None = None,
        mounts: str = GATEWAY,
        upstream: ScriptedUpstream | None = None,
        trail: Trail | None = None,
    ) -> None:
        self.clock = clock or FakeClock()
        self.keep = keep or Keep()
        self.upstream = upstream or ScriptedUpstream(*script)
        loaded = load(mounts + text)
        senders: dict[str, Sender] = dict.fromkeys(loaded.upstreams, self.upstream)
        self.table = Table(loaded, senders, Grounds.on(self.clock, self.keep, trail), 1 << 20)

    def pipeline(self, call: Call) -> Pipeline:
        """The pipeline for a call, once its protocol has recognised it."""
        found = self.found(call)
        pipeline = found.of(call) if isinstance(found, Conditional) else found
        assert isinstance(pipeline, Pipeline)
        return pipeline

    def found(self, call: Call) -> Pipeline | Conditional[Pipeline]:
        """The same, or what knows it by the policies' conditions."""
        mount = self.table.mount(call.target)
        assert mount is not None
        mount.enter(call)
        content = call.body.whole if call.head.method == "POST" else None
        assert mount.protocol.recognise(call, content, Rules()) is None
        return self.table.pipeline(call, mount)

    def call(self, call: Call | None = None) -> Reply:
        """A whole call, finished and closed."""
        call = call or post("search")
        call.started = self.clock.now()
        reply = run(self.found(call)(call))
        reply.finish()
        reply.close()
        return reply

    def codes(self, calls: int) -> list[str]:
        """What so many calls come to: statuses, and codes of refusals."""
        replies = [self.call() for _ in range(calls)]
        return [_code(reply.refusal) or str(reply.status) for reply in replies]

    def rows(self, metric: Counted) -> dict[tuple[str, ...], int]:
        """What was counted under this name."""
        counts = dict(self.keep.items()).get(metric.key, Counts(()))
        assert isinstance(counts, Counts)
        return counts.rows

    @property
    def shadowed(self) -> dict[tuple[str, ...], int]:
        """What shadow policies would have refused."""
        counts = dict(self.keep.items()).get(shadowed(REFUSALS.key), Counts(()))
        assert isinstance(counts, Counts)
        return counts.rows


def _code(refusal: Refusal | None) -> str:
    return "" if refusal is None else refusal.code
