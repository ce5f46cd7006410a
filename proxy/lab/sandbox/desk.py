"""Where a call is carried out: the tool runs once, or the answer kept under its key is repeated."""

import contextlib
from collections.abc import Mapping

from proxy.lab.sandbox import tools
from proxy.lab.sandbox.calls import Calls, Received
from proxy.lab.sandbox.envelope import Asked
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.keys import Keys
from proxy.lab.sandbox.ledger import Ledger
from proxy.lab.sandbox.said import Answer


def refusal(error: GatewayError) -> Answer:
    """The answer of a call that was turned down."""
    return Answer(error.status, error.body(), error.headers)


class Desk:
    """Carries calls out on a ledger. Nothing here waits, so each call is atomic."""

    def __init__(self, ledger: Ledger, calls: Calls) -> None:
        self._ledger = ledger
        self._calls = calls
        self._keys = Keys()

    def answer(self, asked: Asked, received: Received) -> Answer:
        """Run the tool unless its key has an answer already; refusals are answers too."""
        try:
            return self._run_once(asked, received)
        except GatewayError as error:
            return refusal(error)

    def answer_twice(self, asked: Asked, received: Received) -> Answer:
        """As a faulty gateway does it: the tool runs again, whatever its key says."""
        answer = self.answer(asked, received)
        with contextlib.suppress(GatewayError):  # the second run of a release, say, is refused
            self._run(asked, received)
        return answer

    def held(self, asked: Asked) -> contextlib.AbstractContextManager[None]:
        """Take the key of a call that waits before it runs: a twin that comes meanwhile gets 409.

        Raises GatewayError where the key is taken already.
        """
        if asked.key is None:
            return contextlib.nullcontext()
        return self._keys.held(asked.key, asked.fingerprint())

    def _run_once(self, asked: Asked, received: Received) -> Answer:
        if asked.key is None:
            return Answer(200, {"result": self._run(asked, received)})
        fingerprint = asked.fingerprint()
        kept = self._keys.find(asked.key, fingerprint)
        if kept is not None:
            received.replayed = True
            return Answer(200, {"result": kept}, {"idempotency-replayed": "true"})
        result = self._run(asked, received)
        self._keys.keep(asked.key, fingerprint, result)
        return Answer(200, {"result": result})

    def _run(self, asked: Asked, received: Received) -> Mapping[str, object]:
        result = tools.run(self._ledger, asked.tool, asked.given)
        self._calls.ran(received)
        return result
