"""Who calls, and for what work: read from the head, believed as far as the settings say."""

import hashlib
from collections.abc import Mapping, Sequence

from proxy.call import Call, RequestHead
from proxy.refusal import Refusal

LONGEST = 128  # characters of a name
STATIC, KEY = "static", "key"
"""Sources beside headers."""
_HEADER = "header:"
_MOST_WORKED_OUT = 16
_ENDS = {b"success": "success", b"failure": "failure"}
"""What may be said of a task with its last call; anything else says nothing."""


class Credentials:
    """Which agent a credential is, by its SHA-256 (the tokens file). Never changed: a file that was
    read anew makes another, and so what was worked out of this one is asked for no more."""

    __slots__ = ("_agents",)

    def __init__(self, agents: Mapping[bytes, str]) -> None:
        self._agents = agents

    def holder(self, head: RequestHead) -> str:
        """Who presents one of them; empty: nobody does.

        Worked out once for a head, which is remembered by its bytes (`wire/head.py`) for a while
        anyhow: so nothing secret is kept that was not, and nothing is kept longer.
        """
        worked_out = head.worked_out
        if self not in worked_out:
            if len(worked_out) >= _MOST_WORKED_OUT:
                worked_out.clear()
            worked_out[self] = self._found(head.fields)
        return worked_out[self]  # type: ignore[no-any-return]  # the line above put it there

    def of(self, credential: bytes) -> str:
        """Whose it is; empty: nobody's."""
        return self._agents.get(hashlib.sha256(credential).digest(), "") if credential else ""

    def _found(self, fields: dict[bytes, bytes]) -> str:
        scheme, _, bearer = fields.get(b"authorization", b"").partition(b" ")
        shown = (bearer.strip() if scheme.lower() == b"bearer" else b"", fields.get(b"x-api-key"))
        for credential in shown:
            if credential:
                agent = self._agents.get(hashlib.sha256(credential).digest())
                if agent is not None:
                    return agent
        return ""


class Identity:
    """Names the agent, the workflow and the task of a call (spec 2.3)."""

    def __init__(self, agent: str, fleet: str, sources: Sequence[str] = (STATIC,)) -> None:
        """`sources` say who calls, as in the settings; the first that answers counts."""
        self.agent = agent  # who it is where `static` answers
        self.fleet = fleet
        self.static = sources[0] == STATIC
        self.credentials = Credentials({})
        """Those in force. Replaced when the tokens file was read."""
        self._sources = tuple(sources[: [*sources, STATIC].index(STATIC) + 1])
        self._headers = {each: each.removeprefix(_HEADER).lower().encode() for each in sources}
        self.nobody = Refusal(
            "denied",
            f"nobody says which agent this is: {' or '.join(map(_wanted, self._sources))}",
            scope="agent",
            final=True,
            next_step="ask_owner",
        )
        """What calls are told whose agent has no name."""

    def agent_of(self, credential: bytes) -> str:
        """Whose it is, where agents are told apart by what they present; empty: nobody's."""
        return self.credentials.of(credential) if KEY in self._sources else ""

    def name(self, call: Call) -> None:
        """Fill in who it is. Where no source answers the agent's name is empty.

        A `static` identity and a head without signs give just `agent` and `fleet`.
        """
        fields = call.head.fields
        call.agent = self.agent if self.static else self._who(call.head)
        call.fleet = self.fleet
        call.workflow = _first(fields, b"holdfast-workflow", b"x-workflow-id", b"workflow.id")
        call.task = _first(fields, b"holdfast-task", b"x-task-id", b"task.id")
        ends = fields.get(b"holdfast-task-end")
        if ends is not None:
            call.task_end = _ENDS.get(ends.strip().lower(), "")

    def _who(self, head: RequestHead) -> str:
        for source in self._sources:
            if source == STATIC:
                return self.agent
            if source == KEY:
                name = self.credentials.holder(head)
            else:
                name = _text(head.fields.get(self._headers[source], b""))
            if name:
                return name
        return ""


def _wanted(source: str) -> str:
    """What it needs of a call to answer."""
    if source == KEY:
        return (
            "present a credential (Authorization: Bearer …, or x-api-key) whose SHA-256 is among "
            "the agents of the tokens file"
        )
    return f"send the header {source.removeprefix(_HEADER)}"


def complete(call: Call) -> None:
    """The trace stands in for a workflow that nobody named, the workflow for a task."""
    fields = call.head.fields
    if not call.workflow and b"traceparent" in fields:
        call.workflow = trace_of(fields[b"traceparent"])
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


def trace_of(traceparent: bytes) -> str:
    """The trace id of W3C Trace Context; empty: it is not valid."""
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
