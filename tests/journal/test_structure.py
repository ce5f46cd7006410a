"""Where in JSON secrets may be, by their place."""

import base64
import json

import pytest

from proxy.journal.redaction import Rules
from proxy.journal.structure import parse_path, unescaped
from tests.journal.planted import PEM


def kept(document: object) -> object:
    """What is stored of it."""
    text = document if isinstance(document, str) else json.dumps(document)
    clean = Rules().redact(text.encode()).content
    assert clean is not None
    return json.loads(clean)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("input.ssn", ("input", "ssn")),
        ("$.a.B", ("a", "b")),
        ("input.rows[*].ssn", ("input", "rows", "ssn")),
        ("rows[0].ssn", ("rows", "ssn")),
        ("a[\"b.c\"]['d e']", ("a", "b.c", "d e")),
        ("input.*.ssn", ("input", "*", "ssn")),
        (" x-y ", ("x-y",)),
    ],
)
def test_a_path_is_its_names(path, names):
    """Folded, and without lists, which are passed through."""
    assert parse_path(path) == names


@pytest.mark.parametrize("path", ["", "$", "[*]", "a..b", "a b", "a[", "a[x]", "a'b", "a.b*c"])
def test_what_is_no_path_is_refused(path):
    """When it is loaded, not when it matters."""
    with pytest.raises(ValueError, match=r"no path|names nothing"):
        parse_path(path)


@pytest.mark.parametrize(
    ("document", "left"),
    [
        ({"name": "password", "value": "x1"}, {"name": "password", "value": "[redacted]"}),
        ({"value": ["x1", 2], "name": "X-Api-Key"},
         {"value": ["[redacted]", "[redacted]"], "name": "X-Api-Key"}),
        ({"key": "color", "value": "blue"}, {"key": "color", "value": "blue"}),
        ([["Authorization", "x1"], ["Accept", "y"]],
         [["Authorization", "[redacted]"], ["Accept", "y"]]),
        (["Host", "h", "cookie", "x1"], ["Host", "h", "cookie", "[redacted]"]),
        ({"required": ["token", "id"]}, {"required": ["token", "id"]}),
        ({"kty": "OKP", "d": "x1", "x": "pub"}, {"kty": "OKP", "d": "[redacted]", "x": "pub"}),
        ({"d": "x1", "x": "pub"}, {"d": "x1", "x": "pub"}),
        ({"keys": [{"k": "x1", "kty": "oct"}]}, {"keys": [{"k": "[redacted]", "kty": "oct"}]}),
        ({"password": None, "token": True, "secret": 12},
         {"password": None, "token": True, "secret": "[redacted]"}),
        ({"value": {"name": "b", "value": "x1"}, "name": "pwd"},
         {"value": {"name": "[redacted]", "value": "[redacted]"}, "name": "pwd"}),
        ({"n": 4111111111111111, "m": 4111111111111112},
         {"n": "[redacted]", "m": 4111111111111112}),
        ({"a@b.io": 1}, {"[redacted]": 1}),
        ({"password": "", "b": ["pwd", ""]}, {"password": "", "b": ["pwd", ""]}),
        (PEM.split("\n"), ["[redacted]"] * 4),
        ([*PEM.split("\n"), "after"], ["[redacted]"] * 4 + ["after"]),
        ('{"password":"x1","password":"x2"}', {"password": "[redacted]"}),
    ],
)  # fmt: skip
def test_a_place_tells(document, left):
    """Beside its name, behind it in a list, in a key of JOSE, over lines; and nothing else."""
    assert kept(document) == left


def test_pieces_of_an_encoding_are_one():
    """A stream may cut Base64 as well as a text."""
    whole = base64.b64encode(b"password=hunter2 and so on").decode()
    lines = "".join(json.dumps({"t": whole[n : n + 8]}) + "\n" for n in range(0, len(whole), 8))

    clean = Rules().redact(lines.encode()).content

    assert clean is not None
    assert {line for line in clean.split(b"\n") if line} == {b'{"t": "[redacted]"}'}


def test_pieces_keep_what_is_theirs():
    """Each of them loses only what is secret in it."""
    lines = b'{"t":"a@b.io so"}\n{"t":" long"}\n{"t":" c@d.io"}\n'

    clean = Rules().redact(lines).content

    assert clean == b'{"t":"[redacted] so"}\n{"t":" long"}\n{"t":" [redacted]"}\n'


def test_every_secret_in_pieces_is_found():
    """Each piece has the mark where one begins or goes on in it."""
    assert kept(["see a@b", ".io or", " so ", "c@d", ".io"]) == [
        "see [redacted]", "[redacted] or", " so ", "[redacted]", "[redacted]",
    ]  # fmt: skip


def test_what_was_found_in_a_piece_stays_found():
    """Whatever is found in all of them together."""
    inner = r'{"pass\u0077ord":"x1", "pwd":"x2"}'

    assert kept(["see pwd=x3 so", inner, "b"]) == [
        "see pwd=[redacted] so",
        r'{"pass\u0077ord":"[redacted]", "pwd":"[redacted]"}',
        "b",
    ]


def test_both_of_two_keys_are_seen():
    """Whichever of them a receiver takes."""
    clean = Rules().redact(b'{"password":"x1","b":1,"password":"x2"}').content

    assert clean == b'{"password":"[redacted]","b":1,"password":"[redacted]"}'


def test_brackets_too_many_are_no_harm():
    """What resembles JSON is walked as far as it goes."""
    clean = Rules().redact(b']]}{"password":["x1", x2]').content

    assert clean is not None
    assert b"x1" not in clean
    assert b"x2" not in clean


def test_an_escape_that_is_none_hides_nothing():
    """What a strict reader refuses, another may read."""
    clean = Rules().redact(rb'{"\pass\u0077ord" : "x1\z"}').content

    assert clean == rb'{"\pass\u0077ord" : "[redacted]"}'


def test_escapes_are_undone():
    """Those of JSON, and those of its neighbours."""
    assert unescaped(r"\u0061\x62\n\/\q\"") == 'ab\n/\\q"'
