"""What a pod asks for next, and what it gives back. How pods do together is in test_leases.py."""

from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.share import Share
from proxy.state.shared.money import Drawn

NOW = 1_700_000_000.0
CAP = Cap("fleet", "fleet", (Limit("day", 1_000_000),))


def made() -> tuple[Share, Account]:
    """Nothing is held yet."""
    account = Account(CAP, "default", NOW, leased=True)
    return Share(account, 0.0), account


def granted(share: Share, more: int) -> None:
    """The store gives that to each line."""
    lines = share.asks(0.0, NOW)
    told = {line.name: Drawn(line.keep + more, 0, line.keep + more, {}) for line in lines}
    share.takes(told)


def test_calls_that_wait_add_up() -> None:
    """What they need together, and what the cheapest of them would do with."""
    share, _ = made()
    share.waits(100)
    share.waits(40)

    (line,) = share.asks(0.0, NOW)
    assert (line.least, line.need, line.keep) == (40, 140, 0)
    assert line.want == 640

    share.waited(100)
    share.waited(40)
    (line,) = share.asks(0.0, NOW)
    assert (line.least, line.need) == (0, 0)


def test_each_question_is_for_twice_as_much() -> None:
    """As long as the last share was used up at once."""
    share, _ = made()
    wants = []
    for at in (0.0, 0.1, 0.2, 5.0):
        share.waits(100)
        wants.append(share.asks(at, NOW)[0].want)
        share.waited(100)

    assert wants == [1_600, 3_200, 6_400, 6_400]


def test_what_others_need_is_not_asked_for_again() -> None:
    """All that is idle goes back, and nothing ahead is wanted."""
    share, account = made()
    granted(share, 5_000)
    account.reserve(200)
    share.recalled = True

    (line,) = share.asks(0.0, NOW)

    assert (line.keep, line.need, line.want) == (200, 0, 0)
    assert account.windows()[0].share == 200


def test_a_share_is_a_fourth_of_a_limit_at_most() -> None:
    """However fast it is spent."""
    share, _ = made()
    wants = []
    for at in range(20):
        share.waits(10_000)
        wants.append(share.asks(at / 10, NOW)[0].want)
        share.waited(10_000)

    assert max(wants) == 250_000
