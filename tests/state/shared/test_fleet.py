"""The fleet: who is there, and when what the store knows is complete."""

import pytest

from proxy.state.shared import fleet
from proxy.state.shared.fleet import LAST, Beat, End, Leave, Pod
from proxy.state.shared.money import Close

WITHIN = 5.0
A, B = Pod("a", 1, "m1", "host-a"), Pod("b", 1, "m2", "host-b")


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Where nobody is known, nobody is waited for."""
    monkeypatch.setattr(fleet, "SETTLE", 0)


async def opened(store, *pods):
    """All of them have told what they hold."""
    told = await store.ask(Beat(pods[0]), WITHIN)
    for pod in pods[1:]:
        await store.ask(Beat(pod), WITHIN)
    for pod in pods:
        told = await store.ask(Beat(pod, told.epoch), WITHIN)
    return told


async def test_a_store_opens_when_all_have_told(store):
    """Until then it grants nothing new."""
    first = await store.ask(Beat(A), WITHIN)
    second = await store.ask(Beat(B), WITHIN)
    assert not first.open
    assert second.epoch == first.epoch

    assert not (await store.ask(Beat(A, first.epoch), WITHIN)).open
    told = await store.ask(Beat(B, first.epoch, whole=True), WITHIN)

    assert told.open
    assert told.live == 2
    assert [known.pod for known in told.pods] == [A, B]
    assert all(known.gathered and known.seen for known in told.pods)


async def test_who_told_of_another_epoch_has_not_told(store):
    """A number of before is no answer."""
    first = await store.ask(Beat(A), WITHIN)

    assert not (await store.ask(Beat(A, first.epoch - 1), WITHIN)).open


async def test_who_comes_to_an_open_store_closes_nothing(store):
    """A new pod holds nothing, and nobody waits for it."""
    await opened(store, A)

    assert (await store.ask(Beat(B), WITHIN)).open


async def test_an_earlier_life_is_void(store):
    """A pod came back, and something of before is still on its way."""
    later = Pod("a", 2, "m9", "host-a")
    await store.ask(Beat(later), WITHIN)

    assert not (await store.ask(Beat(A), WITHIN)).ours
    assert (await store.ask(Beat(later), WITHIN)).ours


async def test_a_copy_is_turned_away(store):
    """Two processes with one data dir, copied: the first one speaks for the pod."""
    await store.ask(Beat(A), WITHIN)

    assert not (await store.ask(Beat(Pod("a", 1, "other", "host-c")), WITHIN)).ours


async def test_a_pod_that_others_name_is_waited_for(store):
    """The store knows nobody; somebody has heard of another pod."""
    first = await store.ask(Beat(A, peers=("b",)), WITHIN)
    told = await store.ask(Beat(A, first.epoch, whole=True), WITHIN)
    assert not told.open
    assert told.live == 1
    assert [known.pod.id for known in told.pods] == ["a", "b"]

    await store.ask(Beat(B, first.epoch), WITHIN)

    assert (await store.ask(Beat(A, first.epoch), WITHIN)).open


async def test_who_left_is_not_waited_for(store):
    """It holds nothing, or a person says so."""
    first = await store.ask(Beat(A, peers=("b",)), WITHIN)
    await store.ask(Leave(("b", "never there")), WITHIN)

    told = await store.ask(Beat(A, first.epoch, whole=True), WITHIN)

    assert told.open
    assert [known.pod.id for known in told.pods] == ["a"]


async def test_a_store_that_has_an_older_epoch_begins_anew(store):
    """It was emptied, or is one that lost its place: whoever has heard of a newer one says so."""
    told = await opened(store, A, B)

    later = await store.ask(Beat(A, told.epoch, knows=told.epoch + 9), WITHIN)
    assert later.epoch > told.epoch + 9
    assert not later.open

    assert not (await store.ask(Beat(A, later.epoch, knows=later.epoch), WITHIN)).open
    assert (await store.ask(Beat(B, later.epoch, knows=later.epoch), WITHIN)).open


async def test_a_life_that_was_given_up_is_over(store):
    """It is not counted again, and nobody waits for it; its next life is as good as any."""
    told = await opened(store, A, B)
    await store.ask(Close(B, LAST, leaves=True, lost=True), WITHIN)
    await store.ask(Leave(("b",)), WITHIN)

    back = await store.ask(Beat(B, told.epoch), WITHIN)
    assert (back.ours, back.ended) == (False, True)
    assert (await store.ask(Beat(A, told.epoch), WITHIN)).live == 1

    later = await store.ask(Beat(Pod("b", 2, "m3", "host-b"), told.epoch), WITHIN)
    assert (later.ours, later.ended, later.live) == (True, False, 2)


async def test_a_life_is_over_when_a_later_one_was_here(store):
    """It has settled all, and left; nothing is known of it but that."""
    later = Pod("a", 2, "m9", "host-a")
    await store.ask(Beat(later), WITHIN)
    await store.ask(Close(later, 7, leaves=True), WITHIN)
    await store.ask(Leave(("a",)), WITHIN)

    assert (await store.ask(Beat(A), WITHIN)).ended


async def test_who_left_is_not_named_again_by_those_who_have_not_heard(store):
    """Else a store that gathers would wait for it for ever."""
    first = await store.ask(Beat(A, peers=("b",)), WITHIN)
    await store.ask(Leave(("b",)), WITHIN)

    assert (await store.ask(Beat(A, first.epoch, peers=("b",)), WITHIN)).open


async def test_a_life_that_the_store_does_not_know_is_ended(store):
    """Others remember it; a later one is not ended by that."""
    await store.ask(End("b", 1), WITHIN)
    assert (await store.ask(Beat(B), WITHIN)).ended

    later = Pod("b", 3, "m3", "host-b")
    assert (await store.ask(Beat(later), WITHIN)).ours
    await store.ask(End("b", 2), WITHIN)
    assert (await store.ask(Beat(later), WITHIN)).ours
    await store.ask(End("b", 3), WITHIN)
    await store.ask(End("b", 1), WITHIN)
    assert (await store.ask(Beat(later), WITHIN)).ended
