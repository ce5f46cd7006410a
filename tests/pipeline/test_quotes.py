"""What a call costs and what is left, as expressions ask."""

from proxy.call import Call
from proxy.expression import Expression
from proxy.pipeline.quotes import Quotes
from proxy.stage import Ground
from proxy.stages.budget import Budgets, Covered
from proxy.state.caps import Cap, Limit
from proxy.state.ledger import Ledger
from proxy.state.price import Price
from tests.fakes import FakeBody, FakeClock, make_call, make_ground, make_target

CAP = Cap("cap", "agent", (Limit("day", 1_000_000),))


def quoted(section: Budgets, call: Call, ground: Ground | None = None) -> tuple[float, float]:
    """Of a call, by what is in force."""
    return Quotes(section, make_target(), ground or make_ground())(call)


def test_what_is_known_before_is_told_in_dollars() -> None:
    """A fixed price; one by size, as far as the request goes."""
    assert quoted(Budgets(price=Price(250_000)), make_call()) == (0.25, 1.0)
    by_size = Budgets(price=Price(100_000, per_kb=10_000))
    assert quoted(by_size, make_call(body=FakeBody(b"x" * 1025))) == (0.12, 1.0)


def test_the_price_hangs_on_its_condition() -> None:
    """Where that does not hold, it is the other one."""
    section = Budgets(
        price=Price(500_000), otherwise=Price(1_000), when=Expression.parse("tool == 'deep'")
    )
    assert quoted(section, make_call(tool="deep"))[0] == 0.5
    assert quoted(section, make_call(tool="flat"))[0] == 0.001


def test_what_is_left_is_that_of_now() -> None:
    """Of the budget that has least, in the window that is on; and no account is opened."""
    clock = FakeClock()
    ground = make_ground(clock)
    wide = Cap("wide", "fleet", (Limit("day", 9_000_000),))
    section = Budgets(caps=(Covered(CAP), Covered(wide)), price=Price(1))
    call = make_call(agent="ann")
    quotes = Quotes(section, make_target(), ground)
    assert quotes(call)[1] == 1.0
    ledger = Ledger.on(ground)
    assert list(ledger.accounts()) == []
    account = ledger.account(CAP, "ann")
    account.reserve(750_000)
    assert quotes(call)[1] == 0.25
    account.settle(750_000, 1_500_000, clock.wall())
    assert quotes(call)[1] == 0.0
    clock.advance(86_400)
    assert quotes(call)[1] == 1.0


def test_whether_there_is_room_is_asked_without_taking_any() -> None:
    """A cap that lets people decide does not stand in the way."""
    ground, call = make_ground(), make_call(agent="ann")
    asks = Cap("asks", "agent", (Limit("day", 1),), on_exceed="approve")
    section = Budgets(caps=(Covered(CAP), Covered(asks)), price=Price(600_000))
    quotes = Quotes(section, make_target(), ground)
    account = Ledger.on(ground).account(CAP, "ann")
    assert quotes.full(call) is None
    account.reserve(600_000)
    refusal = quotes.full(call)
    assert refusal is not None
    assert refusal.code == "budget_exceeded"
    assert account.reserved == 600_000
