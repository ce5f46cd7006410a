"""Nothing that was planted survives; what has no secrets stays byte for byte."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.journal.redaction import LARGEST, Rules
from tests.journal.planted import BY_FORM, CARDS, KEYS, NAMES, PASSWORDS, PEM, readings, spelled

RULES = Rules()
WORDS = st.text(alphabet="bcdfgh jlmnqrtxyz,.!", max_size=12)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-999, 999) | st.floats(-9, 9) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(alphabet="bcdfghjlmn", max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


def kept(content: str | bytes, rules: Rules = RULES) -> str:
    """What is stored."""
    clean = rules.redact(content.encode() if isinstance(content, str) else content)
    assert clean.content is not None, clean.note
    return clean.content.decode()


def survives(secret: str, text: str) -> bool:
    """Can it be read in it in any way?"""
    return any(secret in reading for reading in readings(text))


@st.composite
def around(draw: st.DrawFn, inner: str) -> str:
    """A document that has this piece of JSON somewhere in it."""
    text = inner
    for _ in range(draw(st.integers(0, 4))):
        other = json.dumps(draw(PLAIN), ensure_ascii=draw(st.booleans()))
        space = draw(st.sampled_from(["", " ", "\n  "]))
        text = draw(
            st.sampled_from(
                [
                    f'{{"b":{other},{space}"c":{space}{text}}}',
                    f'{{"c":{text},{space}"c":{other}}}',
                    f"[{other},{space}{text}]",
                    f"[{text},{other}]",
                ]
            )
        )
    return text


@settings(max_examples=150, deadline=None)
@given(data=st.data(), secret=st.sampled_from(BY_FORM))
def test_a_form_does_not_survive_in_json(data, secret):
    """Wherever it stands, in any spelling of its characters; the rest is the same JSON."""
    text = data.draw(around(data.draw(spelled("b " + secret + " c"))))

    clean = kept(text)

    assert not survives(secret, clean)
    assert "[redacted]" in clean
    json.loads(clean)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), secret=st.sampled_from(PASSWORDS), name=st.sampled_from(NAMES))
def test_what_is_named_a_secret_does_not_survive(data, secret, name):
    """Be it a text, a list, an object, or a text that holds JSON; the name in any spelling."""
    value = data.draw(spelled(secret))
    value = data.draw(
        st.sampled_from([value, f"[{value}]", f'{{"b":[1,{value}]}}', f'{{"{name}":{value}}}'])
    )
    member = f"{{{data.draw(spelled(name))} : {value}, {data.draw(spelled(name.upper()))}:{value}}}"
    if data.draw(st.booleans()):
        member = json.dumps(member)
    text = data.draw(around(member))

    assert not survives(secret, kept(text))
    assert not survives(secret, kept(text + ",]"))  # with a slip it is no JSON


@settings(max_examples=100, deadline=None)
@given(data=st.data(), secret=st.sampled_from((*KEYS, *CARDS, PEM)))
def test_a_form_does_not_survive_an_encoding(data, secret):
    """Base64, percent, escapes, JSON in a text: up to three in one another."""
    text = f"b {secret} c"
    for _ in range(data.draw(st.integers(1, 3))):
        text = data.draw(
            st.sampled_from(
                [
                    base64.b64encode(text.encode()).decode(),
                    base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
                    quote(text),
                    json.dumps({"b": text}),
                    "".join(f"\\u{ord(sign):04x}" for sign in text) if len(text) < 999 else text,
                ]
            )
        )

    assert not survives(secret, kept(text))
    assert not survives(secret, kept(json.dumps([text])))


@settings(max_examples=100, deadline=None)
@given(data=st.data(), secret=st.sampled_from((*KEYS, *CARDS)))
def test_a_form_does_not_survive_in_pieces(data, secret):
    """Cut anywhere into the events of a stream, as models answer; or into the items of a list."""
    cuts = sorted(data.draw(st.lists(st.integers(1, len(secret) - 1), min_size=1, max_size=6)))
    whole = f"here: {secret} so"
    pieces = [whole[6 + a : 6 + b] for a, b in zip([-6, *cuts], [*cuts, len(whole)], strict=True)]
    events = "".join(
        "event: delta\ndata: " + json.dumps({"i": n, "delta": {"text": piece}}) + "\n\n"
        for n, piece in enumerate(pieces)
    )
    clean = kept(events + "data: [DONE]\n\n")
    lines = [json.loads(line[6:]) for line in clean.splitlines() if line.startswith("data: {")]

    assert secret not in "".join(line["delta"]["text"] for line in lines)
    assert [line["i"] for line in lines] == list(range(len(pieces)))
    assert secret not in "".join(json.loads(kept(json.dumps(pieces))))


@settings(max_examples=200, deadline=None)
@given(document=PLAIN, indent=st.sampled_from([None, 1, 4]), ascii_only=st.booleans())
def test_json_without_secrets_stays(document, indent, ascii_only):
    """Byte for byte."""
    content = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()

    clean = RULES.redact(content)

    assert clean == (content, False, "")


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet="bcdfgh jlmn\n\t,.;!?(){}[]<>/\\'\"éß漢", max_size=200))
def test_text_without_secrets_stays(text):
    """Byte for byte, whatever brackets, quotes and backslashes it has."""
    clean = RULES.redact(text.encode())

    assert clean.content in (text.encode(), None)
    assert clean.content is not None or clean.note.endswith("encodings in one another")


@settings(max_examples=100, deadline=None)
@given(data=st.data(), secret=st.sampled_from(BY_FORM))
def test_once_is_enough(data, secret):
    """What was redacted has nothing more to take out."""
    once = RULES.redact(data.draw(around(json.dumps({"password": secret, "b": secret}))).encode())
    assert once.content is not None

    assert RULES.redact(once.content) == (once.content, False, "")


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (b"x" * (LARGEST + 1), "not kept: larger than is looked through"),
        (b"\x1f\x8b\x08 password=hunter2", "not kept: no text, cannot be looked through"),
        ("password=hunter2".encode("utf-16-le"), "not kept: no text, cannot be looked through"),
        (b"[" * 1000, "not kept: nested too deep"),
        (b"\\" * 1000, "not kept: too many encodings in one another"),
        (b"[1," * 100 + b"1,2,3," * 40_000, "not kept: too much to look through"),
    ],
)
def test_what_cannot_be_looked_through_is_not_kept(content, note):
    """The note says why."""
    clean = RULES.redact(content)

    assert clean == (None, True, note)


def test_a_bug_keeps_nothing():
    """Whatever fails, nothing is stored that was not looked through."""

    def fails() -> None:
        raise ZeroDivisionError

    clean = Rules(breathe=fails).redact(b"x " * 20_000)

    assert clean == (None, True, "not kept: ZeroDivisionError while looking through")


UNITS = ["a", "sk-", "-eyJ", "a.", "@", "x@a.a", "1", "4111 ", "pass:", "pass='", '{"a":', '"a",',
         "%25", "://a:", "-----BEGIN PRIVATE KEY ", "bearer aaaaaa ", "pass is 1 ", "YWJjZGVmZ2hp ",
         '{"password":"x"},', 'data: {"a":"sk-"}\n', "SG.aaaaaaaaaaaaaaaa", '[["', "\\u005c",
         ]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_the_agent_cannot_make_it_slow(unit):
    """The largest body of what an expression could stumble over is done in time (see timeout)."""
    content = (unit * LARGEST)[:LARGEST].encode()

    clean = RULES.redact(content)

    assert clean.content is None or len(clean.content) > 0


@pytest.mark.parametrize(
    ("document", "left"),
    [
        ('{"tool":"t","input":{"ssn":"1","b":[2]}}',
         '{"tool":"t","input":{"ssn":"[redacted]","b":[2]}}'),
        ('{"params":{"arguments":{"SSN":1}}}', '{"params":{"arguments":{"SSN":"[redacted]"}}}'),
        ('{"input":{"rows":[{"card":{"no":1}},{"card":{"no":2}}]}}',
         '{"input":{"rows":[{"card":{"no":"[redacted]"}},{"card":{"no":"[redacted]"}}]}}'),
        ('{"f":{"arguments":"{\\"ssn\\":7}"}}',
         '{"f":{"arguments":"{\\"ssn\\":\\"[redacted]\\"}"}}'),
        ('{"user":{"home":{"street":"x"}}}', '{"user":{"home":{"street":"[redacted]"}}}'),
        ('{"ssn":"1","street":"x"}', '{"ssn":"1","street":"x"}'),
        ('{"input":{"\\u0073sn":true,"ssn":[{"b":1}]}}',
         '{"input":{"\\u0073sn":true,"ssn":[{"b":"[redacted]"}]}}'),
        ("ssn=078-05-1120&b=1", "ssn=[redacted]&b=1"),
    ],
)  # fmt: skip
def test_configured_paths(document, left):
    """In the arguments of every protocol, through lists and JSON in a text, in any letters."""
    rules = Rules(["input.ssn", "input.rows[*].card.no", "$.user.*.street"])

    assert kept(document, rules).replace(" ", "") == left.replace(" ", "")


def test_entities_are_undone():
    """As a page spells an address to hide it."""
    assert kept("<p>jane&#64;example.com</p>") == "<p>[redacted]</p>"
    assert kept("fish &#38; chips") == "fish &#38; chips"


def test_a_lone_surrogate_is_no_obstacle():
    """Half a pair is no text, but JSON may say it."""
    assert "hunter2" not in kept('{"b":"\\ud800 {\\"password\\":\\"hunter2\\"}"}')


def test_json_in_a_text_of_json_is_found_where_it_begins():
    """Also where the whole document is a text."""
    inner = json.dumps({"password": ["hunter2"]})

    assert "hunter2" not in kept(json.dumps(inner))
    assert "hunter2" not in kept("result: " + inner)
    assert "hunter2" not in kept(json.dumps({"b": "see " + inner}))
