"""What a secret looks like in a text."""

import pytest

from proxy.journal.forms import (
    WINDOW,
    Budget,
    TooMuch,
    hits,
    is_login,
    private_key,
    secret_name,
    splice,
)
from tests.journal.planted import BODY, CARDS, KEYS, MAILS, NAMES, PEM

ROOMY = 10_000_000


def clean(text: str) -> str:
    """The text without its secrets."""
    return splice(text, hits(text, secret_name, Budget(ROOMY, lambda: None)))


@pytest.mark.parametrize("key", [*KEYS, *CARDS, *MAILS])
@pytest.mark.parametrize(
    "around", [("", ""), ("see ", "."), ("(", ")"), ("x\\n", "\\n"), ("a=", ";")]
)
def test_known_forms_are_found(key, around):
    """Keys of vendors, cards and addresses; the rest of the text stays."""
    before, after = around
    found = clean(before + key + after)

    assert key not in found
    assert "[redacted]" in found
    assert BODY not in found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text", ["{}=hunter2", "{}: hunter2", '"{}": "hunter2"', "{} = 'hunter2'", "<{}>hunter2</x>",
             "'{}' => 'hunter2'", "export {}=hunter2", '\\"{}\\": \\"hunter2\\"',
             "?a=1&{}=hunter2&b=2"]
)  # fmt: skip
def test_what_stands_behind_a_name_is_found(name, text):
    """However the two are joined, and in any letters."""
    assert "hunter2" not in clean(text.format(name))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Basic dXNlcjpwYXNz\r\nAccept: */*",
         "Authorization: [redacted]\r\nAccept: */*"),
        ("Cookie: a=1; b=2\nX: 1", "Cookie: [redacted]\nX: 1"),
        ("curl -H 'authorization: bearer abc123' x", "curl -H 'authorization: [redacted]' x"),
        ("BEARER abc123def", "BEARER [redacted]"),
        ("basic dXNlcjpwYXNz", "basic [redacted]"),
        ("postgres://app:hunter2@db/x", "postgres://[redacted]@db/x"),
        ("my API key is abc123", "my API key is [redacted]"),
        ("curl -u jane:hunter2 https://x", "curl -u [redacted] https://x"),
        ("curl --user 'jane:hunter2' x", "curl --user '[redacted]' x"),
        ("x --password hunter2 --api-key abc --verbose yes",
         "x --password [redacted] --api-key [redacted] --verbose yes"),
        ('auth: {bearer: "x1"}\nb: 1', "auth: [redacted]}\nb: 1"),
        ("passwords: [x1, x2]", "passwords: [redacted]]"),
        ("auth = {\n  token: x1\n}", "auth = {\n  token: [redacted]\n}"),
        ("x --token --verbose", "x --token --verbose"),
        ("--token '--password x'", "--token '[redacted]'"),
        ("x -u jane", "x -u jane"),
        ("x --password", "x --password"),
        ("x --password &", "x --password &"),
        ("/a?X-Amz-Signature=0a&sig=b%2B&b=1", "/a?X-Amz-Signature=[redacted]&sig=[redacted]&b=1"),
        ("4111\u00a01111\u00a01111\u00a01111", "[redacted]"),
        ("the password was hunter2 then", "the password was [redacted] then"),
        ('password="a\\"b" x', 'password="[redacted]" x'),
        ("order 12345 4111111111111111 12/27", "order 12345 [redacted] 12/27"),
        (f"a {PEM} b", "a [redacted] b"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", "[redacted]"),
    ],
)  # fmt: skip
def test_only_the_secret_is_taken(text, left):
    """A header's line, a credential of a scheme or a URL, a key from its first line to its last."""
    assert clean(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "the password is required", "a token is invalid", "bearer certificates", "Basic training",
        "max_tokens: 5, total_tokens: 12", "nextPageToken: abc", "key: value, keys=3",
        "author: Jane",
        "task-management-system-for-all", "lodash@4.17.21", "at 12:30:45 on 2026-11-28",
        "2024-11-28 12-30-45-67", "ts 1732777777123",
        "ns 1732777777123456789", "0.4111111111111111", "4111111111111112",
        "41111111111111114111111111111111", "018f3b1c-1111-4222-8333-444455556666",
        "4111111111111111" + "ab" * 8, "compass: north", "[redacted]",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(text):
    """Words about secrets, counts of tokens, times, versions, ids and digests."""
    assert clean(text) == text


@pytest.mark.parametrize("name", NAMES)
def test_names_of_credentials_are_known(name):
    """In any case, and however their words are joined."""
    assert secret_name(name)
    assert secret_name(name.upper())
    assert secret_name("x" * 50 + "_" + name)


@pytest.mark.parametrize(
    "name", ["tokens", "key", "pageToken", "author", "compass", "name", "", "_"]
)
def test_other_names_are_not(name):
    """What resembles them."""
    assert not secret_name(name)


def test_a_form_is_found_over_the_edge_of_a_window():
    """Wherever in a long text it stands; others get their turn in between."""
    turns = []
    for at in range(WINDOW - 60, WINDOW + 60, 7):
        text = "x " * (at // 2) + KEYS[0] + " y" * WINDOW
        spans = hits(text, secret_name, Budget(ROOMY, lambda: turns.append(1)))
        assert spans == [(at // 2 * 2, at // 2 * 2 + len(KEYS[0]))]
    assert turns


def test_a_secret_longer_than_a_window_is_taken_whole():
    """To its end."""
    assert clean("sk-" + "a1" * 2 * WINDOW + " b") == "[redacted] b"


def test_an_end_of_the_window_is_no_end_of_a_number():
    """What goes on behind it is looked at."""
    text = "x" * (WINDOW + 8192 - 16) + "4111111111111111" + "1" * 20

    assert clean(text) == text


def test_a_budget_ends():
    """What costs too much is not looked through."""
    with pytest.raises(TooMuch):
        hits("a@b.io " * 100, secret_name, Budget(50, lambda: None))
    with pytest.raises(TooMuch):
        hits("a@b.io " * 5000, secret_name, Budget(3000, lambda: None))


def test_who_looks_at_little_does_not_pause():
    """Most texts are short, and others wait for what becomes of them."""
    turns = []

    hits("see a@b.io and pass=x1 " * 20, secret_name, Budget(ROOMY, lambda: turns.append(1)))
    assert turns == []
    hits("a@b.io " * 2000, secret_name, Budget(ROOMY, lambda: turns.append(1)))
    assert turns != []


def test_a_private_key_may_go_over_several_texts():
    """Where it begins, and where it ends."""
    assert private_key("-----BEGIN PRIVATE KEY-----") == "begin"
    assert private_key("-----END PRIVATE KEY-----") == "end"
    assert private_key(PEM) == ""
    assert private_key("MIIE") == ""


def test_a_login_is_a_name_and_a_password():
    """Not a URL, and nothing that cannot be printed."""
    assert is_login("user:hunter2")
    assert not is_login("https://example.com")
    assert not is_login("a\x00:b")
    assert not is_login("no colon")


def test_basic_without_base64_is_a_word():
    """What does not decode is no credential."""
    assert clean("basic a_b-c") == "basic a_b-c"
    assert clean("basic abcdefghi") == "basic abcdefghi"


def test_a_name_may_have_no_value():
    """Then there is nothing to take."""
    assert clean("password=") == "password="
