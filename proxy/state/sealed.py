"""What pods tell each other of a call, under a key that the store does not have (spec 4.3).

The key comes from `fleet_key`, for this purpose only. XChaCha20-Poly1305: who can read and write
the store, but has no key, reads nothing and can put nothing there that is believed. Each message is
bound to what it is about, so that none can stand in the place of another.

Without a `fleet_key` nothing is encrypted, and what is told is anybody's word.
"""

import hashlib
import os

import msgspec
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt as _open,
)
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_encrypt as _seal,
)
from nacl.exceptions import CryptoError

LARGEST = 4 << 20
"""Bytes of a message; a longer one is not looked at."""
_NONCE = 24
_SEALED, _PLAIN = b"s", b"p"


class Envelope:
    """Closes and opens what goes from pod to pod."""

    def __init__(self, fleet_key: bytes) -> None:
        """An empty key: in plain."""
        made = hashlib.blake2b(fleet_key, person=b"holdfast asks 1", digest_size=32)
        self._key = made.digest() if fleet_key else b""

    @property
    def sealed(self) -> bool:
        """Is what it closes secret, and what it opens of the fleet?"""
        return bool(self._key)

    def close(self, content: bytes, *about: str) -> bytes:
        """To be opened by the fleet, and as this only."""
        if not self._key:
            return _PLAIN + content
        nonce = os.urandom(_NONCE)
        return _SEALED + nonce + _seal(content, _bound(about), nonce, self._key)

    def open(self, raw: bytes, *about: str) -> bytes | None:
        """What was closed; None: it is nothing of ours. Who has a key takes nothing in plain."""
        if len(raw) > LARGEST or raw[:1] != (_SEALED if self._key else _PLAIN):
            return None
        if not self._key:
            return raw[1:]
        nonce, content = raw[1 : 1 + _NONCE], raw[1 + _NONCE :]
        try:
            return _open(content, _bound(about), nonce, self._key)
        except (CryptoError, ValueError, TypeError):
            return None


def _bound(about: tuple[str, ...]) -> bytes:
    return msgspec.msgpack.encode(about)
