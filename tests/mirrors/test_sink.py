"""proxy/mirrors/sink.py"""

from proxy.mirrors.sink import PassesOn, Said


async def test_what_passes_events_on_keeps_nothing_of_them() -> None:
    """So nothing waits, and there is nothing to remember over a restart."""
    sink = PassesOn()
    sink.load({"calls": 1})
    assert (await sink.idle(), sink.dump()) == (Said(0), None)
