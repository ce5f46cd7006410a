"""proxy/lab/sandbox/said.py"""

from decimal import Decimal

from proxy.lab.sandbox.calls import Calls
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.said import Answer, Event, Said, Stream, question, written


def refused(error: GatewayError) -> Answer:
    return Answer(error.status, None)


def test_an_event_names_what_it_has() -> None:
    """Its type and its id only where there are some."""
    assert Event(b"{}").encoded() == b"data: {}\n\n"
    assert Event(b"x", "ping", "7").encoded() == b"event: ping\nid: 7\ndata: x\n\n"


def test_a_stream_at_once_has_its_end() -> None:
    """In order."""
    stream = Stream([Event(b"1")], (Event(b"2"),), lambda error: Event(b""))
    assert stream.encoded() == b"data: 1\n\ndata: 2\n\n"


def test_fractions_are_written_as_numbers() -> None:
    """They were read exactly; and no body is no bytes."""
    assert written({"a": Decimal("1.5")}) == b'{"a": 1.5}'
    assert Answer(202, None).encoded() == b""


def test_what_is_refused_did_not_run() -> None:
    """Only an answer counts as having run, and one given twice counts twice."""
    calls = Calls(lambda: 0.0)
    received = calls.came("/", {})
    calls.understood(received, "t", None)

    def fail() -> Said:
        raise GatewayError(404, "x", "y")

    assert question(calls, refused, "t", fail).run(received) == Answer(404, None)
    assert calls.executed["t"] == 0
    sound = question(calls, refused, "t", lambda: Answer(200, {}))
    assert sound.run_twice(received) == Answer(200, {})
    assert calls.executed["t"] == 2
