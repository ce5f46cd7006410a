"""proxy/admin/bodies.py; what is not JSON at all is in test_api.py."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from proxy.admin.answers import NotDone
from proxy.admin.bodies import read


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    inside: dict[str, int] = {}


def sent(body: bytes) -> Any:
    """A request with this body."""

    async def read() -> bytes:
        return body

    return SimpleNamespace(read=read)


async def test_a_body_is_read_as_its_type():
    """With all that is in it."""
    assert await read(sent(b'{"name": "a", "inside": {"b": 1}}'), Wish) == Wish("a", {"b": 1})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"name": 1}', "Expected `str`, got `int`"),
        (b'{"name": "a", "inside": {"b": 1, "b": 2}}', "b: is given more than once"),
        (b'{"name": "a", "n\\u0061me": "b"}', "name: is given more than once"),
        (b'{"name": "a", "inside": ' + b"[" * 60_000, "cannot be used"),
        (b"\xff", "cannot be used"),
    ],
)
async def test_what_could_be_read_in_two_ways_is_refused(body, said):
    """And what cannot be read at all."""
    with pytest.raises(NotDone, match=said) as raised:
        await read(sent(body), Wish)
    assert raised.value.status == 400
