"""Who calls, and for what work: read from the head, believed as far as the settings say."""

from proxy.call import Call, RequestHead

LONGEST = 128  # characters of a name


class Identity:
    """Names the agent, the workflow and the task of a call (spec 2.3)."""

    def __init__(self, agent: str, fleet: str, believed: tuple[str, ...] = ()) -> None:
        """`believed` are headers that name the agent; where none comes it is `agent`."""
        self.agent = agent  # who it is unless something says otherwise
        self.fleet = fleet
        self.static = not believed
        self._believed = tuple(name.lower().encode() for name in believed)

    def name(self, call: Call) -> None:
        """Fill in who it is.

        A `static` identity and a head without signs give just `agent` and `fleet`.
        """
        fields = call.head.fields
        call.agent = self.agent
        call.fleet = self.fleet
        for header in self._believed:
            if header in fields:
                call.agent = _text(fields[header]) or self.agent
                break
        call.workflow = _first(fields, b"holdfast-workflow", b"x-workflow-id", b"workflow.id")
        call.task = _first(fields, b"holdfast-task", b"x-task-id", b"task.id")


def complete(call: Call) -> None:
    """The trace stands in for a workflow that nobody named, the workflow for a task."""
    fields = call.head.fields
    if not call.workflow and b"traceparent" in fields:
        call.workflow = _trace(fields[b"traceparent"])
    call.task = call.task or call.workflow


def _first(fields: dict[bytes, bytes], own: bytes, usual: bytes, member: bytes) -> str:
    for name in (own, usual):
        if fields.get(name):
            return _text(fields[name])
    for entry in fields.get(b"baggage", b"").split(b","):
        key, _, value = entry.partition(b";")[0].partition(b"=")
        if key.strip() == member:
            return _text(value.strip())
    return ""


def _trace(traceparent: bytes) -> str:
    """The trace id of W3C Trace Context, if it is valid."""
    parts = traceparent.split(b"-")
    if (
        len(parts) < 4
        or len(parts[0]) != 2
        or len(parts[1]) != 32
        or parts[1].strip(b"0123456789abcdef")
    ):
        return ""
    return "" if parts[1] == b"0" * 32 else parts[1].decode()


def _text(value: bytes) -> str:
    """In UTF-8, as people write names; what is none is opaque (RFC 9110 5.5), byte by byte."""
    try:
        return value.decode()[:LONGEST]
    except UnicodeDecodeError:
        return value[:LONGEST].decode("latin-1")


def came_back(head: RequestHead, instance: bytes, most: int = 10) -> bool:
    """Has this call been here before: our own token twice in Via, or `most` proxies (spec 2.1)?"""
    entries = [
        entry for lower, _, value in head.headers if lower == b"via" for entry in value.split(b",")
    ]
    own = sum(instance in entry.split() for entry in entries)
    return own >= 2 or len(entries) >= most
