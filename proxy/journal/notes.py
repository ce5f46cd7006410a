"""Signed notes and their keys (C2SP signed-note; golang.org/x/mod/sumdb/note): Ed25519.

A note is some lines of text, a blank line, and signature lines `— NAME BASE64(id ‖ signature)`. A
verifier key is `NAME+ID+BASE64(0x01 ‖ public key)`, where the id, four bytes, is the beginning of
SHA-256(NAME ‖ LF ‖ 0x01 ‖ public key). Any tool that knows these formats can check ours.
"""

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import NamedTuple

from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

_ED25519 = b"\1"
_SECRET = "PRIVATE+KEY+"  # noqa: S105 -- how such a line begins
_DASH = "\N{EM DASH} "


class BadKey(ValueError):
    """What should be a key is none."""


class Verifier:
    """Who can tell whether a note was signed by one key."""

    def __init__(self, name: str, key: VerifyKey) -> None:
        self.name = name
        self.id = _id(name, bytes(key))
        self._key = key

    @classmethod
    def parse(cls, line: str) -> "Verifier":
        """From a verifier-key line. Raises BadKey."""
        name, told, public = _parts(line.strip())
        found = cls(name, VerifyKey(public))
        if found.id.hex() != told:
            raise BadKey("the key is not the one that its id says")
        return found

    def line(self) -> str:
        """The verifier-key line, without a newline."""
        public = b64encode(_ED25519 + bytes(self._key)).decode()
        return f"{self.name}+{self.id.hex()}+{public}"

    def signed(self, text: bytes, signature: bytes) -> bool:
        """Is it this key's signature of the text?"""
        try:
            self._key.verify(text, signature)
        except (CryptoError, ValueError):
            return False
        return True


class Signer:
    """Who signs."""

    def __init__(self, name: str, seed: bytes) -> None:
        """`seed`: 32 bytes of chance. Raises BadKey for a name that no note may have."""
        if not name or "+" in name or any(sign.isspace() for sign in name):
            raise BadKey(f"a key cannot be named {name!r}: neither + nor white space may be in it")
        self._key = SigningKey(seed)
        self.verifier = Verifier(name, self._key.verify_key)

    @classmethod
    def parse(cls, line: str) -> "Signer":
        """From the line of a secret key. Raises BadKey; its text never holds the key."""
        if not line.startswith(_SECRET):
            raise BadKey("not a secret key: it does not begin with PRIVATE+KEY+")
        name, told, seed = _parts(line.strip().removeprefix(_SECRET))
        found = cls(name, seed)
        if found.verifier.id.hex() != told:
            raise BadKey("the secret key is not the one that its id says")
        return found

    def line(self) -> str:
        """The line of the secret key, without a newline."""
        seed = b64encode(_ED25519 + bytes(self._key)).decode()
        return f"{_SECRET}{self.verifier.name}+{self.verifier.id.hex()}+{seed}"

    def sign(self, text: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._key.sign(text).signature

    def note(self, text: str) -> str:
        """The signed note of a text, whose last line ends with a newline."""
        signature = b64encode(self.verifier.id + self.sign(text.encode())).decode()
        return f"{text}\n{_DASH}{self.verifier.name} {signature}\n"


class Note(NamedTuple):
    """A note as it stands, believed or not."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]  # name, id, signature

    def signed_by(self, keys: Iterable[Verifier]) -> bool:
        """Is there a good signature of one of the keys, and no bad one in its name?"""
        known = {(key.name, key.id): key for key in keys}
        judged = [
            known[name, told].signed(self.text.encode(), signature)
            for name, told, signature in self.signatures
            if (name, told) in known
        ]
        return bool(judged) and all(judged)


def read(whole: str) -> Note | None:
    """A note from its text; None: it is not one."""
    text, blank, tail = whole.rpartition("\n\n")
    if not blank or not tail.endswith("\n") or not text:
        return None
    signatures = [_signature(line) for line in tail[:-1].split("\n")]
    found = tuple(signature for signature in signatures if signature is not None)
    return Note(text + "\n", found) if len(found) == len(signatures) else None


def keys_of(text: str) -> tuple[Verifier, ...]:
    """The verifier keys of a file's lines; blank ones and comments (#) are none. Raises BadKey."""
    lines = [line.strip() for line in text.splitlines()]
    return tuple(Verifier.parse(line) for line in lines if line and not line.startswith("#"))


def new_signer(name: str, chance: Callable[[int], bytes]) -> Signer:
    """A new key."""
    return Signer(name, chance(32))


def _id(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def _parts(line: str) -> tuple[str, str, bytes]:
    name, _, rest = line.partition("+")
    told, _, key = rest.partition("+")
    found = _decoded(key)
    if not name or len(found) != 33 or found[:1] != _ED25519:
        raise BadKey("not the line of an Ed25519 key: NAME+ID+BASE64")
    return name, told, found[1:]


def _signature(line: str) -> tuple[str, bytes, bytes] | None:
    name, _, signature = line.removeprefix(_DASH).partition(" ")
    found = _decoded(signature)
    if not line.startswith(_DASH) or not name or len(found) < 5:
        return None
    return name, found[:4], found[4:]


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Error, ValueError):
        return b""
