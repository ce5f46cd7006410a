"""proxy/mirrors/event.py: a record in the envelope of CloudEvents 1.0."""

import json
from pathlib import Path

from proxy.journal.tail import Hole
from proxy.mirrors.event import event_of, hole_of
from tests.journal.written import Written, lines


def test_a_record_in_its_envelope(tmp_path: Path):
    """All that CloudEvents requires, and the record as it stands in the journal."""
    written = Written(tmp_path).open()
    written.note('a"b')
    line = lines(tmp_path)[1]

    event = event_of(line, "holdfast/shop/pod-1")

    assert event is not None
    told = json.loads(event.encoded())
    record = json.loads(line)
    assert told == {
        "specversion": "1.0",
        "id": 'a"b/call.finished/2',
        "source": "holdfast/shop/pod-1",
        "type": "holdfast.call.finished",
        "time": record["ts"],
        "datacontenttype": "application/json",
        "sequence": "00000000000000000002",
        "data": record,
    }
    assert event.encoded().endswith(b',"data":' + line + b"}")
    assert b"\n" not in event.encoded()


def test_what_is_no_record():
    """It goes nowhere."""
    digits = b"0" * 64

    assert event_of(b"no record", "s") is None
    assert event_of(b'{"seq":1,"hash":"%b"}' % digits, "s") is not None
    assert event_of(b'{"seq":0,"hash":"%b"}' % digits, "s") is None
    assert event_of(b'{"seq":1,"hash":"%b' % digits, "s") is None
    assert event_of(b'{"seq":1,"hash":"none"}', "s") is None
    assert event_of(b'{"seq":1,"id":2,"hash":"%b"}' % digits, "s") is None


def test_a_hole_says_what_is_missing():
    """Its id is the same each time it is told."""
    event = hole_of(Hole("missing", 3, 9), "s")

    told = json.loads(event.encoded())
    assert told["type"] == "holdfast.mirror.gap"
    assert told["id"] == "missing/3-9"
    assert "time" not in told
    assert told["data"] == {"kind": "missing", "first": 3, "last": 9}
    assert event == hole_of(Hole("missing", 3, 9), "s")
