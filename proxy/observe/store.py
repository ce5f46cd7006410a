"""What is counted of the store that pods share, where the settings name one."""

from collections.abc import Iterator

from proxy.observe import catalogue
from proxy.observe.family import Family, Spread
from proxy.state.link import TOOK, Link


def families(link: Link) -> Iterator[Family]:
    """Every metric of the store, as it is now."""
    counts = link.counts
    spread = Spread(TOOK, tuple(counts.took), counts.us)
    yield Family(catalogue.STORE_UP, {(): int(link.up)})
    yield Family(catalogue.STORE_GATHERING, {(): int(link.up and not link.fleet.open)})
    yield Family(catalogue.STORE_PODS, {(): link.live})
    yield Family(catalogue.STORE_SECONDS, {(): spread})
    yield Family(catalogue.STORE_FAILURES, {(why,): n for why, n in counts.failed.items()})
    yield Family(catalogue.STORE_WAITED, {(): counts.waited})
    yield Family(catalogue.STORE_LEASES, {(of,): n for of, n in link.leases.items()})
