"""An upstream, where agents reach it."""

import pytest

from proxy.call import Whole
from proxy.pipeline.compile import Pipeline
from proxy.pipeline.mount import Mount, Unread
from proxy.protocols.protocol import Reads
from proxy.protocols.recognise import TOOLS
from proxy.refusal import Refusal
from proxy.wire.body import Body
from tests.tables import Desk, post, request

MOUNTS = """
upstreams:
  root: {url: 'http://h', protocol: http, path: /}
  shop: {url: 'http://h', protocol: tools, path: /shop}
  deep: {url: 'http://h', path: /shop/deep, unrecognised: pass, holdfast: {headers: minimal}}
"""


def mounted(target: bytes) -> Mount | None:
    """What is mounted there."""
    return Desk(mounts=MOUNTS).table.mount(target)


def test_a_mount_knows_its_upstreams_settings() -> None:
    """Its protocol, what happens to bodies that cannot be read, and how much is said in answers."""
    shop, deep = mounted(b"/shop"), mounted(b"/shop/deep")
    assert shop is not None
    assert deep is not None
    assert (shop.protocol, shop.rules.pass_unrecognised, shop.way.minimal) == (TOOLS, False, False)
    assert (deep.rules.pass_unrecognised, deep.way.minimal) == (True, True)
    assert shop.rules.body_buffer == 1 << 20
    assert shop.protocol.reads(post("x").head) is Reads.WHOLE


# --- a call at its mount ---


def shop() -> Mount:
    """One below a prefix."""
    mount = mounted(b"/shop")
    assert mount is not None
    return mount


@pytest.mark.parametrize(
    ("mount", "target"), [(shop(), b"/v1/search"), (Desk().table.mount(b"/"), b"/shop/v1/search")]
)
def test_a_call_enters_where_it_is_mounted(mount: Mount, target: bytes) -> None:
    """From there on it is for this upstream, and its target is what the upstream sees."""
    call = request("POST", "/shop/v1/search")
    mount.enter(call)
    assert (call.upstream, call.target) == (mount.name, target)


BUFFER = 1 << 20


@pytest.mark.parametrize(
    ("method", "body", "found"),
    [
        ("GET", Whole(b"{}"), None),
        ("GET", Body(), None),
        ("POST", Whole(b""), b""),
        ("POST", Whole(b"{}"), b"{}"),
        ("POST", Whole(b"x" * BUFFER), b"x" * BUFFER),
        ("POST", Whole(b"x" * (BUFFER + 1)), Unread()),
        ("POST", Body(), Unread()),
    ],
    ids=["no need", "no need to wait", "empty", "here", "just fits", "too large", "still comes"],
)
def test_what_is_at_hand_of_a_body(
    method: str, body: Body | Whole, found: bytes | Unread | None
) -> None:
    """Nothing where nothing need be read; all of it where it is here and not too large."""
    call = request(method, "/v1/search")
    call.body = body
    assert shop().at_hand(call) == found


def test_a_recognised_call_gets_the_pipeline_of_its_tool() -> None:
    """The same one as by any other way."""
    desk, call = Desk(), post("search")
    mount = desk.table.mount(call.target)
    assert mount is not None
    mount.enter(call)
    pipeline = mount.recognise(call, b"{}")
    assert (call.tool, call.protocol) == ("search", "tools")
    assert isinstance(pipeline, Pipeline)
    assert pipeline is desk.pipeline(post("search"))


def test_what_can_be_read_in_two_ways_gets_none() -> None:
    """Its refusal says why, and nothing is compiled."""
    mount, call = shop(), post("search")
    verdict = mount.recognise(call, b'{"tool": "pay"}')
    assert isinstance(verdict, Refusal)
    assert verdict.code == "ambiguous_call"
    assert mount.table._pipelines == {}


TRACE = {b"traceparent": b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01"}


@pytest.mark.parametrize(
    ("fields", "content", "workflow", "task"),
    [
        ({}, b"{}", "", ""),
        (TRACE, b"{}", "ab" * 16, "ab" * 16),
        ({}, b'{"tool": "search", "input": {"workflow_id": "w"}}', "w", "w"),
        (TRACE, b'{"tool": "search", "input": {"workflow_id": "w", "task_id": "t"}}', "w", "t"),
    ],
)
def test_a_call_is_named_before_its_pipeline_is_chosen(
    fields: dict[bytes, bytes], content: bytes, workflow: str, task: str
) -> None:
    """The trace stands in for a workflow that nobody named; a policy may match either."""
    desk = Desk("policies: [{name: p, match: {workflow: [w, 'ab*']}, timeout: {total: 1s}}]")
    call = post("search", fields)
    mount = desk.table.mount(call.target)
    assert mount is not None
    call.head.signs = bool(fields)
    pipeline = mount.recognise(call, content)
    assert isinstance(pipeline, Pipeline)
    assert (call.workflow, call.task) == (workflow, task)
    assert pipeline.policies == (("p",) if workflow else ())
