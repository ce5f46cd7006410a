"""proxy/journal/erasures.py"""

import msgspec

from proxy.journal.erasures import BEGUN, DONE, FAILED, Erasure, Erasures


def begun(name: str) -> Erasure:
    """One that somebody asked for."""
    return Erasure(name, BEGUN, "task", "t-1", "ann", "case 12")


def test_what_began_is_open_until_it_ends():
    """However it ended."""
    room = Erasures()
    for name in "abc":
        room.hear(begun(name))
    room.hear(msgspec.structs.replace(begun("a"), stage=DONE, payloads=0, keys=0))
    room.hear(msgspec.structs.replace(begun("b"), stage=FAILED, why="the disk"))
    room.hear(msgspec.structs.replace(begun("d"), stage=DONE))
    assert room.open == {"c": begun("c")}


def test_it_is_rebuilt_from_a_snapshot_and_records():
    """As it was; what is no such record changes nothing."""
    before, after = Erasures(), Erasures()
    before.hear(begun("a"))
    before.hear(begun("b"))
    after.load(msgspec.json.decode(msgspec.json.encode(before.dump())))
    after.apply({"id": "a", "stage": "done", "what": "task", "seq": 3, "prev": "00"})
    after.apply({"id": "b", "stage": 7})
    assert after.open == {"b": begun("b")}


def test_its_line_says_what_is_known():
    """Nothing destroyed is a number; what is not known is absent."""
    line = msgspec.json.encode(msgspec.structs.replace(begun("a"), stage=DONE, payloads=0, keys=0))
    assert msgspec.json.decode(line) == {
        "id": "a", "stage": "done", "what": "task", "whose": "t-1", "by": "ann",
        "reason": "case 12", "payloads": 0, "keys": 0,
    }  # fmt: skip
    assert b"payloads" not in msgspec.json.encode(begun("a"))
