"""The policy file that the demo is played with. The play shows the parts of it, as they stand."""

from collections.abc import Mapping

from proxy.state.price import dollars

AGENT = "local-agent"
"""Who calls."""
PRICES = {
    "get_*": 100,
    "list_*": 100,
    "search_services": 1_000,
    "publish_event": 500,
    "deposit": 2_500,
    "create_audit_trail": 20_000,
    "create_escrow": 50_000,
}
"""Micro-dollars for each sending."""
PARTS: Mapping[str, str] = {
    "default": "{name: default, timeout: {connect: 1s, total: 8s}}",
    "reads": '{name: reads, match: {tool: "get_*"}, effect: read, retry: {attempts: 3}}',
    "events": "{name: events, match: {tool: publish_event}, breaker: {consecutive: 3, probes: 1, "
    "open: {base: 1s, jitter: 0}}}",
    "searches": "{name: searches, match: {tool: search_services}, effect: read, loop: {same: 5}}",
    "escrows": "{name: escrows, match: {tool: create_escrow}, risk: high, approval: {hold: 10s}}",
}
"""By name: policies."""
CAPS: Mapping[str, str] = {
    "all": "{name: all, per: agent, total: 5}",
    "trail": "{name: trail, per: agent, match: {tool: create_audit_trail}, limit: 0.10, "
    "window: 24h}",
}
"""By name: budgets."""


def policies(gateway_url: str, parts: Mapping[str, str] = PARTS) -> str:
    """The text of the file."""
    prices = ", ".join(f'"{tool}": {dollars(micros)}' for tool, micros in PRICES.items())
    return "\n".join((
        f'upstreams: {{gateway: {{url: "{gateway_url}", protocol: tools, path: /}}}}',
        "policies:",
        *(f"  - {part}" for part in parts.values()),
        f"prices: {{tools: {{{prices}}}}}",
        "budgets:",
        *(f"  - {cap}" for cap in CAPS.values()),
        "",
    ))  # fmt: skip
