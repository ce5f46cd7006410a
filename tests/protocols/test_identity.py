"""Who calls, and for what work (spec 2.3): read from the head, believed as far as settings say."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Call
from proxy.protocols.identity import Credentials, Identity, came_back, complete
from tests.fakes import make_call

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def named(fields: dict[str, str], *believed: str) -> Call:
    """A call with these headers, named and completed as the gateway does it."""
    call = make_call({name.encode(): value.encode("latin-1") for name, value in fields.items()})
    Identity("pod", "fleet", believed or ("static",)).name(call)
    complete(call)
    return call


# the agent


def test_the_agent_is_the_settings():
    """`static`: what a header says of it is not believed; nor is it of the fleet."""
    call = named({"x-agent": "forged", "holdfast-agent": "forged", "holdfast-fleet": "forged"})
    assert (call.agent, call.fleet) == ("pod", "fleet")


def test_a_header_is_believed_where_it_is_listed():
    """`header:NAME`, in any letters; the first of the list that is there."""
    assert named({"x-agent": "scout"}, "header:X-Agent").agent == "scout"
    assert named({"b": "2", "a": "1"}, "header:a", "header:b").agent == "1"
    assert named({"b": "2"}, "header:a", "header:b").agent == "2"


@pytest.mark.parametrize("fields", [{}, {"x-agent": ""}, {"x-other": "scout"}])
def test_without_the_header_the_next_source_is_asked(fields):
    """Where that is `static`, it is the settings'; where there is none, nobody knows."""
    assert named(fields, "header:x-agent", "static").agent == "pod"
    assert named(fields, "header:x-agent").agent == ""


def test_what_stands_behind_static_is_not_believed():
    """It always answers."""
    assert named({"x-agent": "forged"}, "static", "header:x-agent").agent == "pod"


def known(*sources: str) -> Identity:
    """One that knows the credentials of two agents."""
    made = Identity("pod", "fleet", sources)
    made.credentials = Credentials(
        {sha256(b"s3cret").digest(): "ann", sha256(b"x").digest(): "bob"}
    )
    return made


@pytest.mark.parametrize(
    ("fields", "agent"),
    [
        ({"authorization": "Bearer s3cret"}, "ann"),
        ({"authorization": "bearer  s3cret "}, "ann"),
        ({"x-api-key": "s3cret"}, "ann"),
        ({"authorization": "Bearer mine", "x-api-key": "x"}, "bob"),
        ({"authorization": "Basic s3cret"}, ""),
        ({"authorization": "s3cret"}, ""),
        ({"authorization": "Bearer", "x-api-key": ""}, ""),
        ({"authorization": "Bearer S3cret"}, ""),
        ({"holdfast-agent": "ann", "x-agent-id": "ann"}, ""),
        ({}, ""),
    ],
)
def test_an_agent_is_known_by_its_credential(fields, agent):
    """`key`: what it presents as a bearer, or as x-api-key; nothing else is believed."""
    call = make_call({name.encode(): value.encode() for name, value in fields.items()})
    known("key").name(call)
    assert call.agent == agent


def test_sources_are_asked_in_their_order():
    """The first that answers counts."""
    fields = {b"x-agent": b"scout", b"x-api-key": b"x"}
    call = make_call(fields)
    for sources, agent in (
        (("key", "header:x-agent"), "bob"),
        (("header:x-agent", "key"), "scout"),
        (("static", "key"), "pod"),
    ):
        known(*sources).name(call)
        assert call.agent == agent


def test_a_new_tokens_file_counts_for_heads_that_were_seen_before():
    """What was worked out of the old one is not asked for."""
    identity, call = known("key"), make_call({b"x-api-key": b"x"})
    identity.name(call)
    identity.name(call)
    assert call.agent == "bob"
    for name in (*"abcdefghijklmnopqr", "carol"):
        identity.credentials = Credentials({sha256(b"x").digest(): name})
        identity.name(call)
        assert call.agent == name
    assert len(call.head.worked_out) <= 16
    identity.credentials = Credentials({})
    identity.name(call)
    assert call.agent == ""


def test_nobody_is_told_what_to_do():
    """By every source that was asked."""
    refusal = Identity("pod", "fleet", ("key", "header:X-Agent")).nobody
    assert (refusal.code, refusal.scope, refusal.retryable) == ("denied", "agent", False)
    assert "x-api-key" in refusal.detail
    assert "send the header X-Agent" in refusal.detail


# the workflow and the task


@pytest.mark.parametrize(
    "fields",
    [
        {"holdfast-workflow": "w"},
        {"x-workflow-id": "w"},
        {"holdfast-workflow": "w", "x-workflow-id": "other", "baggage": "workflow.id=other"},
        {"x-workflow-id": "w", "baggage": "workflow.id=other", "traceparent": PARENT},
        {"holdfast-workflow": "", "x-workflow-id": "w"},
        {"baggage": "workflow.id=w"},
        {"baggage": "a=b, workflow.id = w , c=d"},
        {"baggage": "workflow.id=w;property;other=x"},
        {"baggage": "a=workflow.id=x,workflow.id=w"},
        {"baggage": "workflow.id=w", "traceparent": PARENT},
    ],
)
def test_where_the_workflow_is_named(fields):
    """Our header, the usual one, the baggage: in that order; and it stands for the task."""
    call = named(fields)
    assert (call.workflow, call.task) == ("w", "w")


@pytest.mark.parametrize(
    "fields",
    [{"holdfast-task": "t"}, {"x-task-id": "t"}, {"baggage": "workflow.id=w,task.id=t"}],
)
def test_where_the_task_is_named(fields):
    """The same places; it has its own name beside the workflow's."""
    call = named({"x-workflow-id": "w"} | fields)
    assert (call.workflow, call.task) == ("w", "t")


@pytest.mark.parametrize(
    "baggage", ["", ",", "workflow.id", "workflow.id=", "xworkflow.id=w", "WORKFLOW.ID=w", ";;=,="]
)
def test_baggage_that_names_no_workflow(baggage):
    """Keys are what they are, letter for letter (W3C Baggage 3.2.1.1); garbage is no name."""
    assert named({"baggage": baggage}).workflow == ""


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("t-é☃".encode(), "t-é☃"),
        (b"t-\xe9", "t-é"),
        (b"\xed\xa0\x80", "\xed\xa0\x80"),
        ("☃".encode() * 200, "☃" * 128),
        (b"\xff" * 200, "ÿ" * 128),
    ],
)
def test_a_name_is_read_as_it_was_written(value, name):
    """In UTF-8: as the same name in a body, so that who erases a task by its name finds it."""
    call = make_call({b"holdfast-task": value, b"x-agent": value})
    Identity("pod", "fleet", ("header:x-agent", "static")).name(call)
    assert (call.task, call.agent) == (name, name)


def test_no_workflow_is_no_workflow():
    """And no task."""
    call = named({"accept": "*/*"})
    assert (call.workflow, call.task) == ("", "")


def test_a_task_does_not_name_its_workflow():
    """The other way round it does."""
    call = named({"x-task-id": "t"})
    assert (call.workflow, call.task) == ("", "t")


def test_the_trace_stands_in_for_the_workflow():
    """Calls of one trace belong together."""
    call = named({"traceparent": PARENT})
    assert (call.workflow, call.task) == (TRACE, TRACE)
    assert named({"traceparent": PARENT, "x-task-id": "t"}).task == "t"
    assert named({"traceparent": "01" + PARENT[2:] + "-more"}).workflow == TRACE


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "garbage",
        TRACE,
        f"00-{TRACE}",
        f"00-{TRACE}-00f067aa0ba902b7",
        f"0-{TRACE}-00f067aa0ba902b7-01",
        f"000-{TRACE}-00f067aa0ba902b7-01",
        f"00-{TRACE[1:]}-00f067aa0ba902b7-01",
        f"00-{TRACE}a-00f067aa0ba902b7-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{TRACE[:-1]}g-00f067aa0ba902b7-01",
        f"00-{TRACE[:-1]} -00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
    ],
)
def test_a_trace_that_is_not_valid_names_nothing(parent):
    """W3C Trace Context 2.2.2: too short, too long, other letters, all zeros."""
    assert named({"traceparent": parent}).workflow == ""


@given(
    st.dictionaries(
        st.sampled_from(["x-agent", "x-workflow-id", "holdfast-task", "baggage", "traceparent"]),
        st.text(st.characters(max_codepoint=255), max_size=300)
        | st.just("workflow.id=" + "w" * 999),
    )
)
def test_names_are_short_and_never_an_error(fields):
    """At most 128 characters, whatever came."""
    call = named(fields, "header:x-agent", "static")
    assert call.agent
    assert max(map(len, (call.agent, call.workflow, call.task))) <= 128


# calls that come back


def passed_by(*via: str) -> bool:
    """Is a call with these Via lines one that came back?"""
    call = make_call()
    call.head.headers = [(b"via", b"Via", line.encode()) for line in via]
    return came_back(call.head, b"holdfast-me")


@pytest.mark.parametrize(
    "via",
    [
        ("1.1 holdfast-me", "1.1 holdfast-me"),
        ("1.1 holdfast-me, 1.1 other, 1.0 holdfast-me",),
        ("1.1 holdfast-me (a comment),HTTP/1.1 holdfast-me",),
        (", ".join(f"1.1 p{number}" for number in range(10)),),
        tuple(f"1.1 p{number}" for number in range(10)),
    ],
)
def test_a_call_that_came_back(via):
    """Our own token twice, on one line or two, or ten proxies."""
    assert passed_by(*via)


@pytest.mark.parametrize(
    "via",
    [
        (),
        ("1.1 holdfast-me",),
        ("1.1 holdfast-me, 1.1 holdfast-me2, 1.1 xholdfast-me",),
        ("1.1 holdfast-you, 1.1 holdfast-you",),
        (", ".join(f"1.1 p{number}" for number in range(9)),),
    ],
)
def test_a_call_that_did_not(via):
    """Once is an agent that an upstream called through us; other tokens are not ours."""
    assert not passed_by(*via)


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("success", "success"),
        (" Failure ", "failure"),
        ("", ""),
        ("done", ""),
        ("success, failure", ""),  # two headers
    ],
)
def test_a_call_may_end_its_task(said, end):
    """One of two words; anything else says nothing."""
    assert named({"holdfast-task-end": said}).task_end == end
    assert named({"x-agent": "a"}).task_end == ""


def test_a_credential_says_whose_it_is_beside_a_call():
    """Only where calls are told apart by it; no credential is nobody's."""
    assert known("key").agent_of(b"s3cret") == "ann"
    assert known("header:x-agent", "key", "static").agent_of(b"x") == "bob"
    assert known("key").agent_of(b"") == known("key").agent_of(b"other") == ""
    assert known("static", "key").agent_of(b"s3cret") == ""
