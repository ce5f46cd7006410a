"""May a call be sent again without harm?"""

import pytest

from proxy.call import Effect
from proxy.protocols.safety import Safety
from tests.fakes import make_call

PROOFS = ("connect", "421", "425")


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("safe", ["auto", "never_executed", "always"])
@pytest.mark.parametrize("honours", [True, False])
@pytest.mark.parametrize("key", ["", "k"])
def test_a_write_needs_proof_or_a_key(effect: Effect, safe: str, honours: bool, key: str) -> None:
    """That nothing ran; or that its upstream knows it again. Others need neither, unless the policy
    asks for it."""
    call = make_call(idempotency_key=key)
    safety = Safety(effect, safe, (503,), honours_keys=honours)
    for proof in (*PROOFS, "503"):
        assert safety.allows(proof, call)
    trusted = effect is not Effect.WRITE or (honours and bool(key))
    for symptom in ("500", "timeout", "disconnect", "429", "truncated"):
        assert safety.allows(symptom, call) is (trusted and safe != "never_executed")
