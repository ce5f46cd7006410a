"""The search itself: a secret that is there is found, however it is spelled."""

import base64
import gzip
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.leaks.planted import Secrets, files_below, own_lines

SECRETS = Secrets()
SECRET = SECRETS("one")
SECRETS("another")


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        SECRET.upper(),
        SECRET.replace("+", " ")[:14],
        quote(SECRET),
        quote(quote(SECRET)),
        json.dumps({"x": SECRET}),
        SECRET.encode().hex(),
        *(base64.b64encode(b"x" * n + SECRET.encode() + b"x" * n).decode() for n in range(5)),
        *(base64.urlsafe_b64encode(b"x" * n + SECRET.encode()).decode() for n in range(5)),
    ],
)
def test_a_secret_is_found(spelled: str) -> None:
    """In the middle of something else; and no other is."""
    found = SECRETS.found_in("here", b'{"x":"' + spelled.encode() + b'"}')

    assert found
    assert all(each.startswith("one (") for each in found)
    assert SECRETS.found_in("here", b"nothing") == []


def test_what_is_packed_is_looked_into(tmp_path: Path) -> None:
    """And so are the names of files."""
    (tmp_path / "x.gz").write_bytes(gzip.compress(SECRET.encode()))
    (tmp_path / SECRET).touch()
    found = files_below(tmp_path)

    assert SECRETS.found_in("", found["x.gz"])
    assert SECRETS.found_in("", found["the names of files"])


def test_of_an_answer_our_own_lines_are_looked_at() -> None:
    """The others are the upstream's."""
    head = b"HTTP/1.1 200 OK\r\nholdfast-call: c\r\nX: theirs\r\nVia: 1.1 v\r\n\r\n"

    assert own_lines(head) == b"holdfast-call: c\nVia: 1.1 v"
