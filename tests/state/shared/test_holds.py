"""What a pod holds, as the store knows it."""

from proxy.state.shared.fleet import LAST
from proxy.state.shared.holds import Holding, Holds
from proxy.state.shared.money import Close
from tests.state.shared import test_money
from tests.state.shared.test_money import NAME, WITHIN, A, B

pods, at_once = test_money.pods, test_money.at_once


async def test_what_a_pod_holds_and_has_told(pods):
    """Of each of its lines; what others hold is not in it."""
    await pods.draw(A, spent={7: 300, 8: 20}, keep=0, least=1, need=50, want=50)
    await pods.draw(B, spent={8: 9}, keep=0, least=1, need=60, want=60)

    assert await pods.store.ask(Holds("a"), WITHIN) == {NAME: Holding(50, {7: 300, 8: 20})}
    assert await pods.store.ask(Holds("nobody"), WITHIN) == {}


async def test_what_was_folded_was_told(pods):
    """A pod that left and came back is the same pod."""
    await pods.draw(A, spent=300, least=1, need=50, want=50)
    await pods.store.ask(Close(A, 99, leaves=True), WITHIN)
    pods.number = 99
    await pods.draw(A, spent=310)

    assert await pods.store.ask(Holds("a"), WITHIN) == {NAME: Holding(0, {0: 310})}


async def test_looking_changes_nothing(pods):
    """Nor is there anything of one who is gone."""
    await pods.draw(A, spent=300, least=1, need=50, want=50)
    before = [await pods.store.ask(Holds("a"), WITHIN) for _ in range(2)]
    await pods.store.ask(Close(A, LAST, leaves=True, lost=True), WITHIN)

    assert before[0] == before[1]
    assert await pods.store.ask(Holds("a"), WITHIN) == {}


async def test_a_line_that_ended_is_passed_over(pods):
    """Its window is over for long."""
    await pods.draw(A, name="line:short", least=1, need=50, want=50, kept=1)
    await pods.draw(A, spent=300)

    while "line:short" in (found := await pods.store.ask(Holds("a"), WITHIN)):
        clock = getattr(pods.store, "_memory", None)
        if clock is not None:  # that of the memory stands still
            clock._wall.__self__.advance(1.0)

    assert found == {NAME: Holding(0, {0: 300})}
