"""May a call be sent again without harm? By what it does, or by what its failure proves."""

from collections.abc import Iterable

from proxy.call import Call, Effect
from proxy.symptom import symptoms

SAYS_NOT_RUN = frozenset({"421", "425"})
"""Misdirected Request, Too Early (RFC 9110 15.5.20, RFC 8470 5.2): the upstream did not act, and
says that another attempt may do better."""


class Safety:
    """What one policy knows of the calls of one tool."""

    def __init__(
        self, effect: Effect, safe: str, proofs: Iterable[int | str], *, honours_keys: bool
    ) -> None:
        """`safe` and `proofs` are `safe` and `treat_as_not_executed` of a retry section.

        `always` on a write is an error where a policy says so without `idempotency`; where only an
        overlap of policies brings it about, it counts as `auto`.
        """
        trusts = safe != "never_executed"
        self._always = trusts and effect is not Effect.WRITE
        self._keyed = trusts and honours_keys
        self._proofs = SAYS_NOT_RUN | {"connect"} | symptoms(proofs)

    def allows(self, symptom: str, call: Call) -> bool:
        """By its effect, by its idempotency key, or because nothing ran."""
        return (
            self._always or symptom in self._proofs or (self._keyed and bool(call.idempotency_key))
        )

    def told(self, call: Call) -> str:
        """When a repetition would do no harm, in words."""
        if self._always or (self._keyed and call.idempotency_key):
            return "on whatever may pass"
        return "where it is proven that nothing ran"
