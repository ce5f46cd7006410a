"""proxy/config/tokens.py."""

import hashlib
import json

import pytest

from proxy.config.places import ConfigError
from proxy.config.tokens import Role, Tokens, load_tokens


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


A, B = digest("a"), digest("b")


@pytest.fixture
def read(tmp_path, monkeypatch):
    """What is read of a file with this text."""
    monkeypatch.chdir(tmp_path)

    def reading(text, **environ):
        (tmp_path / "t.yaml").write_text(text)
        return load_tokens("t.yaml", environ)

    return reading


def problems(read, text):
    with pytest.raises(ConfigError) as raised:
        read(text)
    return list(map(str, raised.value.problems))


def test_roles_are_written_as_words():
    """In the file, and in what is said of a role that is needed."""
    assert [f"{role}" for role in Role] == ["viewer", "approver", "operator"]


def test_what_a_file_says(read):
    """People with roles and groups, agents by their digest."""
    told = read(
        f"""
tokens:
  - {{name: ann, roles: [viewer, approver], sha256: {A.upper()}, groups: [finance]}}
agents:
  - {{id: pricing-01, sha256: "${{PRICING}}"}}
""",
        PRICING=B,
    )
    (ann,) = told.tokens
    assert told.there
    assert (ann.name, ann.roles, ann.sha256) == ("ann", (Role.VIEWER, Role.APPROVER), A)
    assert ann.groups == ("finance",)
    assert told.agents == {bytes.fromhex(B): "pricing-01"}
    assert told.warnings == ()


def test_an_agent_may_have_two_while_its_credential_changes(read):
    """Else it could not change without a gap."""
    told = read(f"agents: [{{id: a, sha256: {A}}}, {{id: a, sha256: {B}}}]")

    assert list(told.agents.values()) == ["a", "a"]


def test_without_a_file_there_are_no_tokens(read, tmp_path):
    """Who named another than the usual one is told."""
    assert load_tokens("./tokens.yaml") == Tokens()
    (warned,) = load_tokens("elsewhere.yaml").warnings
    assert "elsewhere.yaml: there is no such file" in str(warned)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "tokens: []\n"])
def test_an_empty_file_is_one(read, text):
    """Nobody has a token then; that is not as if there were none."""
    assert read(text).there


def token(**changed):
    """A file with one token, as JSON, which YAML is."""
    return json.dumps({"tokens": [{"name": "a", "roles": ["viewer"], "sha256": A, **changed}]})


TWO = json.dumps({"agents": [{"id": "a", "sha256": A}, {"id": "b", "sha256": A}]})
BOTH = f"{{{token()[1:-1]}, agents: [{{id: b, sha256: {A}}}]}}"
SAME = f"tokens: [{token()[12:-2]}, {token(sha256=B)[12:-2]}]"
WRONG = [
    (token(sha256="my-token"), "t.yaml:1:58: tokens[0].sha256: expected 64 hex digits"),
    (token(roles=[]), "tokens[0].roles: expected at least 1"),
    (token(roles=["admin"]), "roles[0]: expected viewer, approver or operator, found 'admin'"),
    (token(group="b"), "tokens[0].group: unknown key; did you mean groups?"),
    (token(name="admin.sock"), "tokens[0].name: admin.sock is whoever"),
    (token(sha256=digest("")), "the SHA-256 of nothing"),
    (token().replace('"name"', '"name": "b", "name"'), "duplicate key"),
    (TWO, "agents[1].sha256: this digest stands at t.yaml:1 already"),
    (BOTH, "agents[0].sha256: this digest stands at t.yaml:1 already"),
    (SAME, "tokens[1].name: this name stands at t.yaml:1 already"),
    ("token: []", "token: unknown key; did you mean tokens?"),
    ("[]", "expected"),
    ("tokens: 1", "tokens: expected"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_wrong_is_told_with_its_place(read, text, said):
    """And never what may be a token."""
    (told,) = problems(read, text)

    assert said in told
    assert "my-token" not in told


def test_all_that_is_wrong_is_told_at_once(read):
    """Not one after the other."""
    told = problems(read, "tokens: [{name: a, roles: [b]}]\nagents: [{id: 1}]\nx: 1\n")

    assert len(told) == 5


def test_a_file_that_everybody_may_write_is_warned_of(read, tmp_path):
    """Whoever can write it can give himself a token."""
    read("tokens: []")
    (tmp_path / "t.yaml").chmod(0o666)

    assert "everybody may write it" in str(load_tokens("t.yaml").warnings[0])


def test_a_file_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    """It is there: that nobody may come in without a token must hold."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.yaml").symlink_to("nowhere")

    with pytest.raises(ConfigError, match="cannot be read"):
        load_tokens("t.yaml")
