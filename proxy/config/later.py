"""Keys and words of the full product that this version does not have: an error can say so."""

LATER: dict[str, frozenset[str]] = {
    "Policy": frozenset({"canary", "chaos", "contract", "record"}),
    "Agent": frozenset({"version"}),
}
"""By the name of the type that would have them."""
