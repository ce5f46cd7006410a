"""Idempotency keys: the answer that was given once is given again.

Kept is what a tool did: the result of a call that ran. A call that was turned down changed
nothing, so its key stays free and the call may be tried again with it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from proxy.lab.sandbox.errors import GatewayError

MOST_KEYS = 100_000
"""Keys remembered; the oldest are forgotten first."""


class Keys:
    """Answers by key, and the keys of calls that are under way."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, Mapping[str, object]]] = {}
        self._under_way: dict[str, str] = {}

    def find(self, key: str, fingerprint: str) -> Mapping[str, object] | None:
        """The result kept for this request, or None.

        422 when the key belongs to another request, 409 while its first call is under way.
        """
        if key in self._kept:
            owner, result = self._kept[key]
            self._must_match(owner, fingerprint)
            return result
        if key in self._under_way:
            self._must_match(self._under_way[key], fingerprint)
            raise GatewayError(
                409, "idempotency_conflict", "a call with this idempotency key is under way"
            )
        return None

    def keep(self, key: str, fingerprint: str, result: Mapping[str, object]) -> None:
        """From now on the request with this key gets this result."""
        if len(self._kept) >= MOST_KEYS:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (fingerprint, result)

    @contextmanager
    def held(self, key: str, fingerprint: str) -> Iterator[None]:
        """Take the key while the call waits to run; raises as `find` does."""
        if self.find(key, fingerprint) is not None:
            yield
            return
        self._under_way[key] = fingerprint
        try:
            yield
        finally:
            del self._under_way[key]

    def _must_match(self, owner: str, fingerprint: str) -> None:
        if owner != fingerprint:
            raise GatewayError(
                422, "idempotency_mismatch", "this idempotency key belongs to another request"
            )
