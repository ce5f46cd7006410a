"""What is counted of the side store of payloads. Nothing, where none are kept."""

from collections.abc import Iterator

from proxy.journal.aside import Aside
from proxy.observe import catalogue
from proxy.observe.metrics import Family


def families(aside: Aside) -> Iterator[Family]:
    """Every metric of the side store, as it is now."""
    store, space = aside.store, aside.space
    if store is None:
        return
    yield Family(catalogue.PAYLOADS_KEPT, {(): aside.kept})
    yield Family(catalogue.PAYLOADS_LOST, {(why,): n for why, n in space.lost.copy().items()})
    yield Family(catalogue.PAYLOADS_HELD, {(): space.size - space.free})
    yield Family(catalogue.PAYLOADS_WRITABLE, {(): int(store.state.kind == "ok")})
