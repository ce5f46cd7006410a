"""proxy/lab/sandbox/keys.py"""

import pytest

from proxy.lab.sandbox import keys as keys_module
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.keys import Keys


def refused(keys: Keys, key: str, fingerprint: str) -> int:
    with pytest.raises(GatewayError) as caught:
        keys.find(key, fingerprint)
    return caught.value.status


def test_what_was_kept_is_found_again() -> None:
    """The same request gets the result that was kept."""
    keys = Keys()
    assert keys.find("k", "f") is None
    keys.keep("k", "f", {"n": 1})
    assert keys.find("k", "f") == {"n": 1}


def test_a_key_belongs_to_one_request() -> None:
    """Another request with a used key is 422, kept or under way."""
    keys = Keys()
    keys.keep("kept", "f", {})
    assert refused(keys, "kept", "other") == 422
    with keys.held("held", "f"):
        assert refused(keys, "held", "other") == 422


def test_a_duplicate_under_way_is_409() -> None:
    """While the first call waits its twin is refused; afterwards the key is free."""
    keys = Keys()
    with keys.held("k", "f"):
        assert refused(keys, "k", "f") == 409
    assert keys.find("k", "f") is None


def test_a_call_that_breaks_gives_its_key_back() -> None:
    """A held key is free again however the call ended."""
    keys = Keys()
    with pytest.raises(RuntimeError), keys.held("k", "f"):
        raise RuntimeError
    assert keys.find("k", "f") is None


def test_holding_a_kept_key_changes_nothing() -> None:
    """A repeat that waits does not stop other repeats."""
    keys = Keys()
    keys.keep("k", "f", {"n": 1})
    with keys.held("k", "f"):
        assert keys.find("k", "f") == {"n": 1}


def test_the_oldest_key_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded."""
    monkeypatch.setattr(keys_module, "MOST_KEYS", 2)
    keys = Keys()
    for key in "abc":
        keys.keep(key, "f", {})
    assert [keys.find(key, "f") for key in "abc"] == [None, {}, {}]
