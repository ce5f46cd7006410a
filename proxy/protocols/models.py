"""Calls of language models: what the APIs of all vendors have in common.

A POST to an operation that is known is a call of the model that its body names. Where the body
names none (a form with a file, a stored prompt, a server with one model only) the operation stands
for it, so that no call goes unseen by a policy for models. A JSON body that names a model makes any
other POST one too, of which nobody knows that it can be repeated. To ask which models there are
sets up calls. Everything else is plain HTTP.
"""

import abc
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import msgspec

from proxy.call import CONTROL, Call, Effect, RequestHead
from proxy.memo import remembered
from proxy.protocols.arguments import Arguments, read_arguments
from proxy.protocols.canonical import Canonical, of_body
from proxy.protocols.claims import claimed, may_be_json
from proxy.protocols.document import Ambiguous
from proxy.protocols.hearing import Hearing
from proxy.protocols.http import IS_LINE, Http, answer
from proxy.protocols.members import Members
from proxy.protocols.model_bodies import (
    ABSENT,
    LARGE_PICTURE,
    names_model,
    read_members,
    text,
    tokens_in,
)
from proxy.protocols.model_paths import Path, find_path, is_listing
from proxy.protocols.names import LONGEST_NAME
from proxy.protocols.posted import is_json, plain, refused
from proxy.protocols.protocol import Described, Reads, Rules, Spelled
from proxy.refusal import Refusal
from proxy.reply import Reply

_ASKING = frozenset({"GET", "HEAD"})


class Spoken(msgspec.Struct):
    """What is kept of a call, so that its answer is understood (`Call.spoken`)."""

    operation: str = ""
    choices: int = 1  # answers that it asks for
    injects: bool = False  # its stream would not say what it uses; its upstream may be asked to
    injected: bool = False  # and was


class Request(msgspec.Struct):
    """What a body says."""

    model: str = ""
    stream: bool = False
    lasts: bool = False  # it goes on though nobody reads its answer
    output: int = -1  # tokens that it lets its answer have, at most; -n: it says none, of n
    choices: int = 1
    says_usage: bool = True  # its answer says what it used, without being asked
    workflow: str = ""
    task: str = ""
    tokens: int = LARGE_PICTURE  # of what goes in, an estimate


class Models(Http, abc.ABC):
    """See the head of this file."""

    layer = "llm"
    names_tools = True
    has_kinds = True
    listens = True
    asks_for_streams = True

    operations: ClassVar[tuple[str, ...]]
    """By the ends of their paths; longer ones stand before those that they end with."""
    usual: ClassVar[bytes]
    """The target of a call of which only the model is known."""
    known: ClassVar[tuple[str, ...]]
    """Members of a body that are looked at; `model` is one."""
    bytes_per_token: ClassVar[float]
    """Of English text and JSON; a rule of thumb."""
    changing: ClassVar[frozenset[str]] = frozenset()
    """Operations that leave something behind."""
    id_header: ClassVar[bytes]
    """In which an answer has its id."""

    def __init__(self) -> None:
        self.find: Callable[[bytes], Path] = remembered(partial(find_path, self.operations))

    @abc.abstractmethod
    def request(self, body: Members, operation: str) -> Request:
        """What a body says, but for its model and its text."""

    @abc.abstractmethod
    def hearing(self, spoken: Spoken) -> Hearing | None:
        """Who listens to a good answer to this; None: nobody understands it."""

    @abc.abstractmethod
    def shaped(self, refusal: Refusal, call: Call, attempts: int) -> bytes:
        """A refusal, as clients of this API read it."""

    def knows(self, head: RequestHead, content: bytes | None) -> bool:
        """Is this a call of such an API? Where an upstream does not say what it speaks.

        An operation of one word may also be a tool's name: there the body must name a model.
        """
        if head.method != "POST":
            return False
        path = self.find(head.target)
        if "/" in path.operation or path.model or path.deceptive:
            return True
        return bool(path.operation) and content is not None and names_model(head, content)

    def reads(self, head: RequestHead) -> Reads:
        """The body of a POST, but for forms: they hold files; their model is not looked for."""
        if head.method != "POST":
            return Reads.NOTHING
        kind = head.fields.get(b"content-type", b"")
        if b"content-encoding" in head.fields or not kind or claimed(kind)[0]:
            return Reads.WHOLE
        form = kind.lower().startswith(b"multipart/")
        return Reads.WHOLE if self.find(head.target).operation and not form else Reads.BEGINNING

    def looks_read(self, beginning: bytes) -> bool:
        """See Protocol: it begins like JSON, or may still."""
        return may_be_json(beginning)

    def spell(self, tool: str, method: str, target: bytes, content: bytes) -> Spelled:
        """See Protocol: the content is the body, but for the model."""
        if not tool or IS_LINE.fullmatch(tool) or method not in {"", "POST"}:
            return super().spell(tool, method, target, content)
        given = msgspec.json.decode(content or b"{}")
        if not isinstance(given, dict):
            raise ValueError("the input of a model is an object")
        body = msgspec.json.encode({"model": tool} | given | {"model": tool})
        return Spelled("POST", target or self.usual, body)

    def recognise(self, call: Call, content: bytes | None, rules: Rules) -> Refusal | None:
        """See Protocol."""
        if call.head.method != "POST":
            refusal = super().recognise(call, content, rules)
            if refusal is None and call.head.method in _ASKING and is_listing(call.path):
                call.kind = CONTROL
            return refusal
        path = self.find(rules.base + call.target)
        if path.operation:
            call.protocol = self.name  # its client also understands why it cannot be read
        if path.deceptive:
            why = "the path around the model's name can be read in more than one way"
            return Refusal("ambiguous_call", why)
        said = self._said(call, content, path, rules)
        if isinstance(said, Refusal):
            return said
        refusal = super().recognise(call, None, rules)
        if refusal is None and (path.operation or said.model):
            self._is_for(call, path, said, rules)
        return refusal

    def _said(
        self, call: Call, content: bytes | None, path: Path, rules: Rules
    ) -> Request | Refusal:
        """What the body says, or why it cannot be read."""
        call.content = content
        read = b"" if content is None else plain(call.head, content, rules.body_buffer)
        if isinstance(read, Refusal):
            return read
        try:
            said = self._read(call.head, read, path) if read else Request()
            said.model = _checked(path.model or said.model)
        except Ambiguous as why:
            return refused(why, rules) or Request(model=path.model)
        return said

    def _read(self, head: RequestHead, content: bytes, path: Path) -> Request:
        """Raises Ambiguous."""
        body = read_members(content, self.known) if is_json(head, content) else None
        if body is None:
            return Request()
        model = text(body.get("model", ABSENT))
        if model is None and path.operation:
            raise Ambiguous("model is not a string")
        if not path.operation and not model:
            return Request()
        said = self.request(body, path.operation)
        said.model = model or ""
        said.tokens = tokens_in(content, self.bytes_per_token)
        return said

    def _is_for(self, call: Call, path: Path, said: Request, rules: Rules) -> None:
        call.protocol = self.name
        call.layer = "llm"
        call.model = said.model
        call.tool = said.model or path.operation
        call.tool_in_path = bool(path.model)
        call.usual_effect = Effect.READ
        if not path.operation or path.operation in self.changing:
            call.usual_effect = Effect.WRITE
        call.stream, call.lasts = said.stream, said.lasts
        call.tokens, call.output = said.tokens, said.output
        call.workflow = call.workflow or said.workflow
        call.task = call.task or said.task
        injects = rules.inject_usage and said.stream and not said.says_usage
        call.spoken = Spoken(path.operation, said.choices, injects)

    def describe(self, call: Call) -> Described:
        """See Protocol: the operation that its path names."""
        return Described(spoken_of(call).operation)

    def arguments(self, call: Call) -> Arguments:
        """See Protocol: the whole body."""
        return read_arguments(call.content, call.head.fields.get(b"content-encoding", b""))

    def canonical(self) -> Canonical:
        """See Protocol: all of the body. Its model is the tool, and a stream is not the answer to
        who asked for none."""
        return of_body

    def hears(self, call: Call, reply: Reply) -> Hearing | None:
        """See Protocol. Of an error the status says all, and of sounds and pictures nothing."""
        kind = reply.fields.get(b"content-type", b"json")
        if reply.status >= 300 or not (claimed(kind)[0] or self.streams(reply)):
            return None
        return self.hearing(call.spoken) if isinstance(call.spoken, Spoken) else None

    def refuse(self, refusal: Refusal, call: Call, attempts: int) -> Reply:
        """See Protocol. The id of the call is where SDKs look for that of a request."""
        reply = answer(refusal, b"application/json", self.shaped(refusal, call, attempts))
        reply.lines += b"%b: %b\r\n" % (self.id_header, call.id.encode())
        return reply


def spoken_of(call: Call) -> Spoken:
    """What is kept of a call; nothing, where it is none of a model."""
    return call.spoken if isinstance(call.spoken, Spoken) else Spoken()


def _checked(model: str) -> str:
    """Some servers cut blank ends off, or stop at a NUL. Raises Ambiguous."""
    if len(model) > LONGEST_NAME:
        raise Ambiguous(f"the model's name is longer than {LONGEST_NAME} characters")
    if model != model.strip() or not model.isprintable():
        raise Ambiguous("the model's name holds what is not printed, or begins or ends blank")
    return model
