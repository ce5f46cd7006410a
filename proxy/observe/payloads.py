"""What is counted of the side store of payloads. It is not open where no policy keeps any."""

from collections.abc import Iterator

from proxy.journal.side_store import SideStore
from proxy.observe import catalogue
from proxy.observe.family import Family, Labels


def families(side_store: SideStore) -> Iterator[Family]:
    """Every metric of the side store, as it is now."""
    payloads, space = side_store.payloads, side_store.space
    writable: dict[Labels, int] = {}
    if payloads is not None:
        writable[()] = int(payloads.state.kind == "ok")
    yield Family(catalogue.PAYLOADS_KEPT, {(): side_store.kept})
    yield Family(catalogue.PAYLOADS_LOST, {(why,): n for why, n in space.lost.copy().items()})
    yield Family(catalogue.PAYLOADS_HELD, {(): space.size - space.free})
    yield Family(catalogue.PAYLOADS_WRITABLE, {**writable})
