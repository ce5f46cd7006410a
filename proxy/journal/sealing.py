"""Keys of the side store: whose they are, how they are kept, what is made with them.

Each (task, agent, subject) has a key of its own for each day. From it come two more: one seals the
payloads (XChaCha20-Poly1305, bound to the record they belong to), the other gives each record the
salts of its commitments. So the one thing that must be destroyed for a payload to be unreadable and
for a commitment to be a number without a meaning is that key.

It is kept wrapped by the master key of the data dir, `keys/payload.key`.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt as _open,
)
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_encrypt as _seal,
)
from nacl.exceptions import CryptoError

from proxy.journal.disk import RealDisk, write_whole

_SIZE = 32
_NONCE = 24
_FORMAT = "holdfast-payload-key-1"
_BLIND = 16


class Trouble(Exception):
    """The side store cannot do what it was asked; the text says why, and what to do."""

    def __init__(self, kind: str, text: str) -> None:
        """`kind`: key | in_use | full | disk | damaged | busy | closed."""
        super().__init__(text)
        self.kind = kind


class Who(NamedTuple):
    """Whose a payload is. What is empty is not known."""

    task: str = ""
    agent: str = ""
    subject: str = ""  # the person that it is about


class Key:
    """Of one (task, agent, subject), for one day."""

    __slots__ = ("_salting", "_sealing", "day", "id", "secret", "who")

    def __init__(self, name: bytes, day: int, who: Who, secret: bytes) -> None:
        self.id = name
        self.day = day
        self.who = who
        self.secret = secret
        self._sealing = _derived(secret, b"holdfast seal")
        self._salting = _derived(secret, b"holdfast salt")

    def salt(self, record: str, part: str) -> bytes:
        """Of a commitment. It tells nothing of those of other records."""
        return hmac.digest(self._salting, _bytes(f"{record}\0{part}"), "sha256")

    def commit(self, record: str, part: str, content: bytes) -> str:
        """HMAC-SHA-256(salt, content), in hexadecimal."""
        return hmac.digest(self.salt(record, part), content, "sha256").hex()

    def seal(self, record: str, content: bytes) -> bytes:
        """Only for this record can it be opened again."""
        return sealed(self._sealing, content, _bytes(record))

    def open(self, record: str, content: bytes) -> bytes:
        """What was sealed. Raises Trouble where it is not as it was written."""
        return opened(self._sealing, content, _bytes(record), "a payload")


class Master(NamedTuple):
    """What wraps the other keys."""

    id: str
    secret: bytes

    def wrap(self, name: bytes, secret: bytes) -> bytes:
        """For the database."""
        return sealed(self.secret, secret, name)

    def unwrap(self, name: bytes, wrapped: bytes) -> bytes:
        """Raises Trouble where it is not this master's."""
        return opened(self.secret, wrapped, name, "a key")

    def line(self) -> str:
        """As it stands in the file."""
        return f"{_FORMAT} {self.id} {base64.b64encode(self.secret).decode()}\n"


def new_key(day: int, who: Who, chance: Callable[[int], bytes]) -> Key:
    """A key that nobody has yet."""
    return Key(chance(16), day, who, chance(_SIZE))


def new_master(chance: Callable[[int], bytes]) -> Master:
    """A master key that nobody has yet."""
    return Master(chance(4).hex(), chance(_SIZE))


def read_master(path: Path) -> Master:
    """The one in the file. Raises Trouble for a file that is none, or FileNotFoundError."""
    try:
        lines = path.read_text("ascii").splitlines()
        masters = [_master(line) for line in lines if line]
    except FileNotFoundError:
        raise
    except (OSError, ValueError, binascii.Error) as error:
        raise Trouble("key", f"{path} cannot be read as a payload key: {error}") from error
    if len(masters) != 1:
        found = f"{path} holds {len(masters)} payload keys, not one"
        text = f"{found}: put the payload key back from where it is kept"
        raise Trouble("key", text)
    return masters[0]


def write_master(path: Path, master: Master) -> None:
    """In one step, for the owner only, and durable. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(RealDisk(), path, master.line().encode())


def blind(index: bytes, kind: str, name: str) -> bytes:
    """By what rows of a task, an agent or a subject are found: says nothing without the key."""
    return hmac.digest(index, _bytes(f"{kind}\0{name}"), "sha256")[:_BLIND]


def sealed(key: bytes, content: bytes, about: bytes) -> bytes:
    """Encrypted and authenticated, together with what it is about."""
    nonce = os.urandom(_NONCE)
    return nonce + _seal(content, about, nonce, key)


def opened(key: bytes, content: bytes, about: bytes, what: str) -> bytes:
    """What was sealed. Raises Trouble."""
    try:
        return _open(content[_NONCE:], about, content[:_NONCE], key)
    except (CryptoError, ValueError, TypeError) as error:
        text = f"{what} of the side store cannot be opened: another key, or it was changed"
        raise Trouble("damaged", text) from error


def _bytes(text: str) -> bytes:
    """Of any text, also one that an agent's header was made into."""
    return text.encode("utf-8", "surrogatepass")


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return hashlib.blake2b(key=secret, person=purpose, digest_size=_SIZE).digest()


def _master(line: str) -> Master:
    form, name, secret = line.split(" ")
    content = base64.b64decode(secret, validate=True)
    if form != _FORMAT or len(content) != _SIZE:
        raise ValueError(f"a line does not begin with {_FORMAT}, or its key has not 32 bytes")
    return Master(name, content)
