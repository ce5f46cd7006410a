"""Calls of which their upstream is asked more than the agent asks."""

from proxy.attempt import Attempt
from proxy.call import Call, Message
from proxy.pipeline.amended import amending
from proxy.protocols.http import Http
from proxy.reply import Reply
from proxy.wire.compose import with_content
from tests.fakes import FakeBody, make_attempt, make_call, make_reply, run


class Curious(Http):
    """Asks everybody for more, but for who has said enough."""

    def amends(self, call: Call, content: bytes) -> bytes | None:
        """See Protocol."""
        return None if content == b"enough" else content + b" and more"


def sent(attempt: Attempt) -> Message | None:
    """What is sent in the place of its call's own head and body."""

    async def send(attempt: Attempt) -> Reply:
        return make_reply(200)

    run(amending(Curious(), send)(attempt))
    return attempt.sends


def of(content: bytes | None, **fields: bytes) -> Attempt:
    """At a call with this body."""
    named = {name.replace("_", "-").encode(): value for name, value in fields.items()}
    return make_attempt(make_call(named, body=FakeBody(content), model="m"))


def test_more_is_asked_in_the_place_of_the_body() -> None:
    """The rest of the head stays, but its answer must come without a coding."""
    message = sent(of(b"words", content_type=b"x", accept_encoding=b"gzip", content_length=b"5"))
    assert message is not None
    assert (message.content, message.model) == (b"words and more", "m")
    assert message.head.fields == {
        b"content-type": b"x", b"content-length": b"14", b"accept-encoding": b"identity",
    }  # fmt: skip
    assert b"Accept-Encoding: identity\r\n" in message.head.lines
    assert message.head.lines.count(b"ncoding") == 1


def test_who_is_sent_as_another_model_is_asked_too() -> None:
    """Of what is sent, not of what came."""
    attempt = of(b"words")
    attempt.sends = Message(with_content(attempt.call.head, b"other"), b"other", "n")
    message = sent(attempt)
    assert message is not None
    assert (message.content, message.model) == (b"other and more", "n")


def test_others_go_as_they_are() -> None:
    """Who has said enough, whose body still comes, is coded, or is vouched for."""
    assert sent(of(b"enough")) is None
    assert sent(of(None)) is None
    assert sent(of(b"words", content_encoding=b"gzip")) is None
    assert sent(of(b"words", content_digest=b"x")) is None
