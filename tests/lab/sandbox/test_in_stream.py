"""proxy/lab/sandbox/in_stream.py"""

import pytest

from proxy.lab.sandbox.faults import Fault, Script, ScriptError, parse_header, parse_script
from proxy.lab.sandbox.in_stream import InStream


@pytest.mark.parametrize(("text", "fault"), [
    ("cut=3", Fault("cut", in_stream=InStream(after=3))),
    ("stall=0; delay=0.5", Fault("stall", in_stream=InStream(after=0, delay_seconds=0.5))),
    ("garble=2; gzip", Fault("garble", in_stream=InStream(after=2, gzip=True))),
    ("no_end", Fault("no_end")),
    ("no_end=1", Fault("no_end", in_stream=InStream(after=1))),
    ("error=quota", Fault("error", in_stream=InStream(error="quota"))),
    ("error=server; after=4", Fault("error", in_stream=InStream(after=4, error="server"))),
    ("event_bytes=9", Fault("pass", in_stream=InStream(event_bytes=9))),
    ("gzip", Fault("pass", in_stream=InStream(gzip=True))),
])  # fmt: skip
def test_a_header_asks_for_one(text: str, fault: Fault) -> None:
    """The options stand alone or go along."""
    assert parse_header(text) == fault


def test_what_is_left_can_be_loaded_again() -> None:
    """The queue shows itself in the words of a script."""
    items: list[object] = [
        {"cut": 3, "gzip": True}, {"stall": 1}, {"garble": 0}, {"no_end": True}, {"no_end": 2},
        {"error": "overloaded"}, {"error": "rate_limit", "after": 2, "executed": True},
        {"pass": True, "delay": 0.5, "event_bytes": 7, "tool": "m"},
    ]  # fmt: skip
    shown = Script(parse_script(items)).shown()
    assert parse_script(shown) == parse_script(items)


@pytest.mark.parametrize(("item", "said"), [
    ({"cut": True}, "cut: must be a whole number"),
    ({"stall": -1}, "from 0"),
    ({"garble": "x"}, "whole number"),
    ({"no_end": 0}, "from 1"),
    ({"error": "bad luck"}, "must be one of server, overloaded, rate_limit, quota"),
    ({"error": "server", "after": -1}, "after: must be"),
    ({"cut": 1, "after": 1}, "after cannot go with cut"),
    ({"reset": True, "gzip": True}, "gzip cannot go with reset"),
    ({"cut": 1, "gzip": 1}, "gzip: must be true or false"),
    ({"cut": 1, "delay": "1"}, "delay: must be a number of seconds"),
    ({"cut": 1, "event_bytes": -1}, "event_bytes: must be"),
])  # fmt: skip
def test_a_wrong_item_is_named(item: object, said: str) -> None:
    """Errors say which item, and what is allowed."""
    with pytest.raises(ScriptError, match=said):
        parse_script([item])


def test_a_header_takes_no_second_fault() -> None:
    """Options only may follow the first."""
    with pytest.raises(ScriptError, match="may follow the fault"):
        parse_header("cut=3; stall=4")
