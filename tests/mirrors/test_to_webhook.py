"""proxy/mirrors/to_webhook.py: batches of CloudEvents, signed."""

import base64
import hashlib
import hmac
import json

import pytest
from msgspec.structs import replace

from proxy.mirrors.event import Event
from proxy.mirrors.to_webhook import ToWebhook
from proxy.posts import Answer
from tests.mirrors.scene import Posted

KEY = b"k" * 32


def event(seq: int) -> Event:
    return Event(seq, "start", f"id/start/{seq}", "2026-01-01T00:00:00Z", "s", b'{"seq":%d}' % seq)


def sink(post: Posted, private: bool = True) -> ToWebhook:
    return ToWebhook(post, "https://siem.example/in", (KEY,), lambda: 1000.5, private=private)


async def test_a_batch_is_one_signed_post():
    """As Standard Webhooks and CloudEvents say."""
    post = Posted()
    events = [event(1), event(2)]

    said = await sink(post).take(events)

    assert said == (2, "", 0, False, 0.0)
    [(url, content, headers, private)] = post.posts
    lines = dict(headers)
    assert url == "https://siem.example/in"
    assert private
    assert json.loads(content) == [json.loads(each.encoded()) for each in events]
    assert lines["Content-Type"] == "application/cloudevents-batch+json"
    signed = f"{lines['webhook-id']}.1000.".encode() + content
    expected = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    assert lines["webhook-timestamp"] == "1000"
    assert lines["webhook-signature"] == f"v1,{expected}"


async def test_a_long_record_is_hashed_beside_the_loop():
    """And comes as any other."""
    post = Posted()
    long = replace(event(1), line=b'{"x":"' + b"y" * (4 << 20) + b'"}')

    assert (await sink(post).take([long])).taken == 1

    assert post.posts[0][1] == b"[" + long.encoded() + b"]"


async def test_what_is_sent_again_has_the_same_id():
    """And something else has another one."""
    post = Posted(Answer(503, "it answered 503"))
    for events in ([event(1)], [event(1)], [event(2)]):
        await sink(post, private=False).take(events)

    first, again, other = (dict(headers)["webhook-id"] for _, _, headers, _ in post.posts)
    assert first == again != other


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(503, "it answered 503"), (0, "it answered 503", 0, False, 0.0)),
        (Answer(0, "no answer"), (0, "no answer", 0, False, 0.0)),
        (Answer(401, "it answered 401"), (0, "it answered 401", 0, False, 0.0)),
        (Answer(404, "it answered 404"), (0, "it answered 404", 0, False, 0.0)),
        (Answer(429, "it answered 429", 7.0), (0, "it answered 429", 0, False, 7.0)),
        (Answer(400, "it answered 400"), (0, "it answered 400", 2, False, 0.0)),
        (Answer(413, "it answered 413"), (0, "it answered 413", 2, False, 0.0)),
        (Answer(410, "it answered 410"), (0, "it answered 410", 0, True, 0.0)),
    ],
)
async def test_what_a_refusal_means(answer: Answer, said: tuple):
    """Of what was sent, of the receiver, or for ever."""
    assert await sink(Posted(answer)).take([event(1), event(2)]) == said


async def test_nothing_is_kept():
    """All that it knows is in the events."""
    made = sink(Posted())
    made.load(None)

    assert await made.idle() == (0, "", 0, False, 0.0)
    assert made.dump() is None
    await made.close()
