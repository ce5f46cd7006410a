"""proxy/cli/token.py."""

import hashlib
import io
import json
import sys
from types import SimpleNamespace

import pytest

from proxy.config.tokens import load_tokens


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_token_is_printed_once_and_its_digest_written(here, holdfast):
    """The file is its owner's alone, and holds no token."""
    ran = holdfast("token", "new", "ann", "--role", "viewer", "--role", "approver",
                   "--group", "finance", "--write")  # fmt: skip
    made = ran.out.strip()
    file = here / "tokens.yaml"
    (ann,) = load_tokens(str(file)).tokens

    assert ran.code == 0
    assert len(made) == 43
    assert (ann.name, ann.roles, ann.groups) == ("ann", ("viewer", "approver"), ("finance",))
    assert ann.sha256 == digest(made)
    assert made not in file.read_text()
    assert made not in ran.err
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in here.iterdir()] == ["tokens.yaml"]


def test_without_write_the_entry_is_shown(here, holdfast):
    """On standard error, so that the token alone is on the other."""
    ran = holdfast("token", "new", "ann", "--role", "viewer")
    (here / "tokens.yaml").write_text("tokens:\n" + ran.err.splitlines()[1] + "\n")

    assert load_tokens("tokens.yaml").tokens[0].sha256 == digest(ran.out.strip())


A, B = digest("a"), digest("b")
BOB = f"{{name: bob, roles: [viewer], sha256: {B}}}"


@pytest.mark.parametrize(
    "before",
    [
        f"# ours\nagents:\n  - {{id: a, sha256: {A}}}\n",
        f"# ours\ntokens:\n- {BOB}\n",
        f"# ours\ntokens:\n  # all\n    - {BOB}\n    # more\nagents: []\n",
        "# ours\nagents: []\n",
    ],
)
def test_what_people_wrote_stays(here, holdfast, before):
    """Comments, order, and whoever was there."""
    file = here / "tokens.yaml"
    file.write_text(before)
    known = load_tokens("tokens.yaml")
    assert holdfast("token", "new", "ann", "--role", "operator", "--write").code == 0
    found = load_tokens("tokens.yaml")

    assert {each.name for each in found.tokens} == {"ann", *(each.name for each in known.tokens)}
    assert found.agents == known.agents
    assert set(before.splitlines()) <= set(file.read_text().splitlines())


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (f"tokens: [{BOB}]\n", "add it by hand"),
        ("tokens: 1\n", "tokens: expected"),
        (f"tokens:\n- {BOB.replace('bob', 'ann')}\n", "this name stands"),
    ],
)
def test_what_cannot_be_added_to_stays_as_it_is(here, holdfast, before, said):
    """And no token is printed that would be good for nothing."""
    (here / "tokens.yaml").write_text(before)
    ran = holdfast("token", "new", "ann", "--role", "viewer", "--write")

    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert (here / "tokens.yaml").read_text() == before
    assert [path.name for path in here.iterdir()] == ["tokens.yaml"]


def test_the_settings_say_where_the_file_is(here, holdfast):
    """Unless a flag does."""
    (here / "holdfast.yaml").write_text("tokens: here.yaml\n")
    holdfast("token", "new", "ann", "--role", "viewer", "--write")
    holdfast("token", "new", "bob", "--role", "viewer", "--write", "--file", "there.yaml")

    assert [load_tokens(name).tokens[0].name for name in ("here.yaml", "there.yaml")] == [
        "ann",
        "bob",
    ]


def test_a_token_for_programs(here, holdfast):
    """All of it as JSON."""
    told = json.loads(holdfast("token", "new", "ann", "--role", "viewer", "--json").out)

    assert digest(told["token"]) in told["entry"]
    assert told["written"] is False


def test_who_is_known_is_listed(here, holdfast):
    """Without what is secret, or nearly."""
    agents = ", ".join(f"{{id: x, sha256: {each}}}" for each in (digest("c"), digest("d")))
    (here / "t.yaml").write_text(
        f"tokens: [{{name: ann, roles: [viewer], sha256: {A}, groups: [g]}}]\nagents: [{agents}]\n"
    )
    ran = holdfast("token", "list", "--file", "t.yaml")
    told = json.loads(holdfast("token", "list", "--file", "t.yaml", "--json").out)

    assert ran.out.splitlines() == ["ann  viewer  groups g", "agents: x"]
    assert told == {
        "tokens": [{"name": "ann", "roles": ["viewer"], "groups": ["g"]}],
        "agents": ["x"],
    }


def test_listing_says_what_is_wrong(here, holdfast):
    """With its place; and that there is none where it was said to be."""
    (here / "tokens.yaml").write_text("tokens: [{name: a}]")
    wrong = holdfast("token", "list")
    none = holdfast("token", "list", "--file", "elsewhere")

    assert (wrong.code, none.code) == (1, 0)
    assert "tokens.yaml:1:10: tokens[0]: the key roles is missing" in wrong.err
    assert "there is no such file" in none.err
    assert none.out == "agents: none\n"


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_credential_is_hashed_from_standard_input(holdfast, monkeypatch, ending):
    """As agents present it."""

    def given():
        return SimpleNamespace(buffer=io.BytesIO(b"s3cret" + ending.encode()))

    monkeypatch.setattr(sys, "stdin", given())
    assert holdfast("token", "hash").out.strip() == digest("s3cret")
    monkeypatch.setattr(sys, "stdin", given())
    assert json.loads(holdfast("token", "hash", "--json").out) == {"sha256": digest("s3cret")}


def test_nothing_has_no_hash(holdfast, monkeypatch):
    """An agent without a credential would else be known."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"\n")))

    assert holdfast("token", "hash").code == 64


def test_what_is_missing_is_told_in_one_line(holdfast):
    """With what is allowed."""
    ran = holdfast("token", "new", "bob")
    assert (ran.code, ran.err.count("\n")) == (64, 1)
    assert "Choose from: viewer, approver, operator (see" in ran.err
