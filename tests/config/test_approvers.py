"""Approvals that nobody could give."""

import pytest

from proxy.config.approvers import too_few
from proxy.config.tokens import Role, Token, Tokens
from tests.config.conftest import Folder

UPSTREAM = "upstreams: {gateway: {url: http://h, protocol: tools}}\n"


def token(name: str, *groups: str, roles: tuple[Role, ...] = (Role.APPROVER,)) -> Token:
    """Somebody."""
    return Token(name, roles, "0" * 64, groups)  # type: ignore[arg-type]  # any digest will do


def lacking(folder: Folder, policies: str, tokens: Tokens) -> list[str]:
    """What is wrong, without the folder's name."""
    loaded = folder.load(UPSTREAM + f"policies: [{policies}]")
    found = too_few(loaded.policies, tokens)
    return [str(problem).replace(f"{folder.path}/", "") for problem in found]


ONE = Tokens(there=True, tokens=(token("a"), token("v", "x", roles=(Role.OPERATOR,))))
TWO = Tokens(there=True, tokens=(token("a", "x", "y"), token("b", "y")))


@pytest.mark.parametrize(
    ("policy", "tokens", "said"),
    [
        ("{name: p, approval: {approvers: 2}}", ONE, "and the tokens file has 1"),
        ("{name: p, risk: critical, approval: {}}", ONE, "2 approvers must agree"),
        ("{name: p, approval: {approvers: 2, groups: [x]}}", TWO, "2 approvers of x must agree"),
        ("{name: p, approval: {approvers: 1, groups: [z, w]}}", TWO, "1 approvers of z or w"),
        ("{name: p, risk: critical, approval: {}}", Tokens(), "there is 1 (admin.sock): without"),
    ],
)  # fmt: skip
def test_more_must_agree_than_there_are(
    folder: Folder, policy: str, tokens: Tokens, said: str
) -> None:
    """Whoever else has a token."""
    (found,) = lacking(folder, policy, tokens)
    assert said in found
    assert found.startswith("p.yaml:2:")
    assert "policies[0].approval: " in found


@pytest.mark.parametrize(
    ("policy", "tokens"),
    [
        ("{name: p, approval: {approvers: 2, groups: [x, y]}}", TWO),
        ("{name: p, risk: high, approval: {}}", ONE),
        ("{name: p, risk: high, approval: {}}", Tokens()),
        ("{name: p, approval: {}}", Tokens(there=True)),
        ("{name: p, risk: medium, approval: {}}", Tokens(there=True)),
        ("{name: p, risk: critical}", Tokens(there=True)),
        ("{name: p, approval: {approvers: 2}}, {name: q, approval: {approvers: 1}}", ONE),
    ],
)
def test_there_are_enough(folder: Folder, policy: str, tokens: Tokens) -> None:
    """Or nobody is asked."""
    assert lacking(folder, policy, tokens) == []


def test_it_is_said_where_it_comes_from(folder: Folder) -> None:
    """The policy that gives the risk; not those that only match as well."""
    policies = "{name: all, approval: {}}, {name: p, match: {tool: x}, risk: critical}, {name: q, match: {tool: x}, retry: {}}"  # noqa: E501 -- a set of policies
    (found,) = lacking(folder, policies, ONE)
    assert "policies[1].approval" in found
