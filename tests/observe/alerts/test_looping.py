"""News of agents that repeat themselves."""

from proxy.news import Event, Looped, News
from proxy.observe.alerts.looping import MOST, LoopNews
from tests.fakes import FakeClock, make_call


def test_once_a_second_of_each() -> None:
    """However often it is stopped; at another step it is something else."""
    clock, news, heard = FakeClock(), News(), list[Event]()
    news.listeners.append(heard.append)
    looping = LoopNews(clock.now, news)
    call = make_call(tool="search")
    for _ in range(10_000):
        looping.hear(call, "same", "refuse")
    looping.hear(call, "same", "kill")
    assert [(each.step, each.rule) for each in heard if isinstance(each, Looped)] == [
        ("refuse", "same"),
        ("kill", "same"),
    ]
    clock.advance(1.0)
    looping.hear(call, "same", "refuse")
    assert len(heard) == 3


def test_names_that_agents_make_up() -> None:
    """So many in a second, and no more."""
    clock, news, heard = FakeClock(), News(), list[Event]()
    news.listeners.append(heard.append)
    looping = LoopNews(clock.now, news)
    call = make_call()
    for number in range(10 * MOST):
        call.tool = f"tool-{number}"
        looping.hear(call, "same", "refuse")
    assert len(heard) == MOST
