"""proxy/lab/sandbox/catalogue.py"""

from proxy.lab.sandbox.catalogue import OFFERS, OPENING_BALANCES, PRICES
from proxy.lab.sandbox.tools import TOOLS


def test_every_tool_has_a_price() -> None:
    """estimate_cost can answer for each tool that can be called, and for no other."""
    assert PRICES.keys() == TOOLS.keys()


def test_services_are_sold_by_agents_with_wallets() -> None:
    """What is found can be paid for: each provider can receive money."""
    assert {offer.provider_agent_id for offer in OFFERS} <= OPENING_BALANCES.keys()


def test_services_have_ids_of_their_own() -> None:
    """No two services share an id."""
    assert len({offer.service_id for offer in OFFERS}) == len(OFFERS)


def test_an_offer_shows_its_price_exactly() -> None:
    """Listings carry the price as text and as micros."""
    shown = OFFERS[0].shown()
    assert (shown["price"], shown["price_micros"]) == ("0.02", 20_000)
