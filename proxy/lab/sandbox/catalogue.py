"""What the sandbox is born with: agents with money, services for sale, prices of the tools."""

from dataclasses import dataclass

from proxy.lab.sandbox.money import MICROS, shown

OPENING_BALANCES = {
    "local-agent": 1000 * MICROS,
    "pricing-01": 500 * MICROS,
    "seller-01": 0,
}
"""Micro-dollars of the wallets that exist after a reset."""

PRICES = {
    "get_balance": 0,
    "check_rate_limit": 0,
    "estimate_cost": 0,
    "list_escrows": 100,
    "search_services": 1_000,
    "publish_event": 500,
    "submit_metrics": 0,
    "create_audit_trail": 1_000,
    "set_budget": 0,
    "create_wallet": 10_000,
    "deposit": 2_500,
    "record_transaction": 2_500,
    "create_escrow": 50_000,
    "release_escrow": 25_000,
    "cancel_escrow": 0,
}
"""Micro-dollars for one call; `estimate_cost` quotes them, no wallet is charged."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that another agent does for money."""

    service_id: str
    name: str
    category: str
    provider_agent_id: str
    price_micros: int
    rating: str
    description: str

    def shown(self) -> dict[str, object]:
        """As `search_services` lists it."""
        return {
            "service_id": self.service_id,
            "name": self.name,
            "category": self.category,
            "provider_agent_id": self.provider_agent_id,
            **shown("price", self.price_micros),
            "rating": self.rating,
            "description": self.description,
        }


OFFERS = (
    Offer("svc_summary", "Document summary", "text", "seller-01", 20_000, "4.7",
          "Shortens reports and contracts to one page."),
    Offer("svc_translate", "Translation", "text", "seller-01", 15_000, "4.5",
          "Translates between forty languages."),
    Offer("svc_invoice", "Invoice extraction", "finance", "seller-01", 80_000, "4.8",
          "Reads line items and totals from scanned invoices."),
    Offer("svc_fx", "Exchange rates", "finance", "pricing-01", 1_000, "4.9",
          "Daily reference rates of thirty currencies."),
    Offer("svc_geocode", "Geocoding", "maps", "seller-01", 5_000, "4.2",
          "Turns postal addresses into coordinates."),
    Offer("svc_web_search", "Web search", "research", "seller-01", 10_000, "4.4",
          "Finds pages and returns short extracts."),
    Offer("svc_sentiment", "Sentiment analysis", "text", "pricing-01", 3_000, "4.1",
          "Scores the mood of reviews and messages."),
    Offer("svc_forecast", "Demand forecast", "research", "pricing-01", 250_000, "3.9",
          "Projects weekly demand from past sales."),
)  # fmt: skip
