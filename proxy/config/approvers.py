"""Approvals that nobody could give: they need more people than may approve (spec 1.3)."""

from collections.abc import Iterable, Iterator

from proxy.config.cascade import convert, merge
from proxy.config.places import Problem
from proxy.config.tokens import RESERVED, Role, Tokens
from proxy.config.types import Policy
from proxy.stages.approval import Approval


def too_few(policies: Iterable[Policy], tokens: Tokens) -> Iterator[Problem]:
    """Of each policy, what is in force for its own match. Without a tokens file there is one who
    approves: whoever reaches `admin.sock`."""
    known = list(policies)
    able = [token.groups for token in tokens.tokens if Role.APPROVER in token.roles]
    groups: list[tuple[str, ...]] = able if tokens.there else [()]
    for policy in known:
        over = [each for each in known if each is policy or each.match.covers(policy.match)]
        yield from _lacking(policy, over, groups, tokens.there)


def _lacking(
    policy: Policy, over: list[Policy], groups: list[tuple[str, ...]], there: bool
) -> Iterator[Problem]:
    effective = merge(over)
    section, risk = effective.sections.get("approval"), effective.risk
    said = policy.risk is not None or "approval" in policy.sections  # else it was said elsewhere
    if section is None or not said:
        return
    approval = convert(Approval, section.fields)
    assert isinstance(approval, Approval)  # it was made as one
    needs = (approval.approvers if risk is None else approval.needs(risk)) or 0
    may = sum(not approval.groups or not {*approval.groups}.isdisjoint(own) for own in groups)
    if may >= needs:
        return
    whose = f" of {' or '.join(approval.groups)}" if approval.groups else ""
    if there:
        do = "give more tokens the role approver, and its groups"
        found = f"the tokens file has {may}"
    else:
        do = "without a tokens file only --break-glass lets such a call go"
        found = f"there is {may} ({RESERVED})"
    place = policy.places.get("risk", policy.place)
    part = policy.sections.get("approval")
    place = place if part is None else part.place
    message = f"{needs} approvers{whose} must agree, and {found}: {do}"
    yield Problem(place, f"{policy.path}.approval", message)
