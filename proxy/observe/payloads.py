"""What is counted of the side store of payloads. It is not open where no policy keeps any."""

from collections.abc import Iterator

from proxy.journal.aside import Aside
from proxy.observe import catalogue
from proxy.observe.metrics import Family, Labels


def families(aside: Aside) -> Iterator[Family]:
    """Every metric of the side store, as it is now."""
    store, space = aside.store, aside.space
    writable: dict[Labels, int] = {} if store is None else {(): int(store.state.kind == "ok")}
    yield Family(catalogue.PAYLOADS_KEPT, {(): aside.kept})
    yield Family(catalogue.PAYLOADS_LOST, {(why,): n for why, n in space.lost.copy().items()})
    yield Family(catalogue.PAYLOADS_HELD, {(): space.size - space.free})
    yield Family(catalogue.PAYLOADS_WRITABLE, {**writable})
