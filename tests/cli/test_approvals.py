"""`holdfast approvals`."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.admin import Pages, serving

ITEM: dict[str, Any] = {
    "id": "4f1cab00-1", "state": "pending", "why": "approval", "agent": "ann", "workflow": "w1",
    "task": None, "upstream": "gateway", "tool": "pay", "method": "POST", "policy": "money",
    "detail": None, "needs": 2, "groups": ["treasury"],
    "decided": [{"decision": "approve", "by": "bob", "reason": "ok", "break_glass": True}],
    "call": "c1", "sent_as": None, "digest": "d", "asked": "2026-11-28T11:00:00.000Z",
    "expires_in": 840.5,
}  # fmt: skip
PASSED = {
    **ITEM, "id": "9be2", "state": "review", "needs": 0, "groups": [], "decided": [],
    "expires_in": 80_000.0,
}  # fmt: skip
REQUEST: dict[str, Any] = {
    "method": "POST", "path": "/pay?x=1", "headers": [["content-type", "application/json"]],
    "body": '{"amount": 5}', "decoded": None, "base64": False,
}  # fmt: skip


@pytest.fixture
def pages(here: Any) -> Iterator[Pages]:
    """A proxy where two things are listed."""
    (here / ".holdfast").mkdir()
    with serving(f"{here}/.holdfast/admin.sock") as found:
        found.put("/v1/approvals", {"items": [ITEM, PASSED], "next": None})
        found.put(f"/v1/approvals/{ITEM['id']}", {**ITEM, "request": REQUEST})
        found.put(f"/v1/approvals/{ITEM['id']}/decision", {**ITEM, "state": "approved"})
        yield found


@pytest.mark.parametrize("words", [(), ("list",)])
def test_what_waits_is_listed(holdfast: Any, pages: Pages, words: tuple[str, ...]) -> None:
    """In columns that people read; what passed is a list of its own."""
    ran = holdfast("approvals", *words)
    assert (ran.code, ran.err) == (0, "")
    head, row = ran.out.splitlines()
    assert head.split() == ["ID", "STATE", "AGENT", "TOOL", "AGREED", "LEFT", "WHY"]
    assert row.split() == [
        "4f1cab00", "pending", "ann", "gateway/pay", "1/2", "14", "min", "0", "s", "money",
    ]  # fmt: skip
    (row,) = holdfast("approvals", "review").out.splitlines()[1:]
    assert row.split() == [
        "9be2", "review", "ann", "gateway/pay", "–", "22", "h", "13", "min", "money",
    ]  # fmt: skip


def test_what_waits_at_another_pod_says_which(holdfast: Any, pages: Pages) -> None:
    """Where none does, there is no such column."""
    afar = {**ITEM, "id": "7a", "pod": "c0ffee0011223344", "host": "node-3"}
    pages.put("/v1/approvals", {"items": [ITEM, afar], "next": None, "unseen": None})
    head, own, other = holdfast("approvals").out.splitlines()
    assert head.split()[-2:] == ["POD", "WHY"]
    assert own.split()[-2:] == ["s", "money"]
    assert other.split()[-3:] == ["node-3", "(c0ff)", "money"]
    pages.put("/v1/approvals", {"items": [{**afar, "id": "7a00"}], "next": None})
    pages.put("/v1/approvals/7a00", {**afar, "id": "7a00", "request": REQUEST})
    assert "node-3 (c0ff)" in holdfast("approvals", "show", "7a00").out


def test_a_call_that_runs_has_no_end_yet(holdfast: Any, pages: Pages) -> None:
    """It is listed nonetheless."""
    pages.put("/v1/approvals", {"items": [{**ITEM, "expires_in": None}], "next": None})
    assert holdfast("approvals").out.split()[-2:] == ["–", "money"]


def test_what_is_not_seen_is_said(holdfast: Any, pages: Pages) -> None:
    """Or nothing would seem to wait."""
    why = "what waits at other pods is not known: it is down\x1b[0m"
    pages.put("/v1/approvals", {"items": [], "next": None, "unseen": why})
    ran = holdfast("approvals")
    assert (ran.code, ran.out) == (0, "nothing waits for people\n")
    assert "holdfast: what waits at other pods is not known: it is down" in ran.err
    assert "\x1b" not in ran.err


def test_programs_get_json(holdfast: Any, pages: Pages) -> None:
    """The items as they are."""
    told = json.loads(holdfast("approvals", "list", "--json").out)
    assert told == {"items": [ITEM], "next": None}
    told = json.loads(holdfast("approvals", "show", "4f1c", "--json").out)
    assert told["request"] == REQUEST
    told = json.loads(holdfast("approvals", "approve", "4f1c", "--json").out)
    assert told["state"] == "approved"


def test_alone_it_lists_wherever_it_is_asked_to(holdfast: Any, pages: Pages, here: Any) -> None:
    """And no option is taken for another command's."""
    assert json.loads(holdfast("approvals", "--json").out)["items"] == [ITEM]
    ran = holdfast("approvals", "--data-dir", f"{here}/nothing")
    assert (ran.code, "nothing/admin.sock" in ran.err) == (1, True)
    ran = holdfast("approvals", "--data-dir", "x", "approve", "4f1c")
    assert (ran.code, "options stand behind the command" in ran.err) == (64, True)
    assert pages.posted == []


def test_nothing_waits(holdfast: Any, pages: Pages) -> None:
    """It is said."""
    pages.put("/v1/approvals", {"items": [], "next": None})
    assert holdfast("approvals").out == "nothing waits for people\n"
    assert holdfast("approvals", "review").out == "no call is listed for review\n"


def test_the_exact_call_is_shown(holdfast: Any, pages: Pages) -> None:
    """By the beginning of its id; with all that is known of the request."""
    out = holdfast("approvals", "show", "4f1c").out
    for said in (
        "approval 4f1cab00-1", "2 of treasury", "bob said approve (broken glass): ok",
        "POST /pay?x=1", "content-type: application/json", '{"amount": 5}', "14 min 0 s",
    ):  # fmt: skip
        assert said in out


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (None, "The call cannot be shown"),
        ({**REQUEST, "body": "/w==", "base64": True}, "this is its Base64"),
        ({**REQUEST, "body": "x" * 4_010}, "and 10 characters more"),
        ({**REQUEST, "decoded": "gzip"}, "without its coding, gzip"),
    ],
)
def test_a_call_that_is_not_plain_text(
    holdfast: Any, pages: Pages, request_: Any, said: str
) -> None:
    """What is missing is said."""
    shown = {**ITEM, "request": request_, "groups": [], "decided": [], "expires_in": 5.0}
    pages.put(f"/v1/approvals/{ITEM['id']}", shown)
    assert said in holdfast("approvals", "show", ITEM["id"]).out


def test_a_yes_is_told_on(holdfast: Any, pages: Pages) -> None:
    """With its reason."""
    ran = holdfast("approvals", "approve", "4f1c", "--break-glass", "--reason", "fire")
    assert (ran.code, ran.out) == (0, "approved 4f1cab00 gateway/pay of ann\n")
    assert pages.posted == [{"decision": "approve", "reason": "fire", "break_glass": True}]


def test_the_first_of_two_is_told_that_there_is_another(holdfast: Any, pages: Pages) -> None:
    """It is not sent yet."""
    pages.put(f"/v1/approvals/{ITEM['id']}/decision", ITEM)
    out = holdfast("approvals", "approve", "4f1c").out
    assert out.endswith(": 1 of 2 agreed, another person must\n")


def test_a_no_needs_a_reason(holdfast: Any, pages: Pages) -> None:
    """The agent is told."""
    assert holdfast("approvals", "deny", "4f1c").code == 64
    pages.put(f"/v1/approvals/{ITEM['id']}/decision", {**ITEM, "state": "denied"})
    ran = holdfast("approvals", "deny", "4f1c", "--reason", "no")
    assert (ran.code, ran.out) == (0, "denied 4f1cab00 gateway/pay of ann\n")
    assert pages.posted == [{"decision": "deny", "reason": "no"}]


def test_an_id_may_be_short_but_must_say_which(holdfast: Any, pages: Pages) -> None:
    """What the proxy does not know is told in its words."""
    pages.put("/v1/approvals", {"items": [ITEM, {**ITEM, "id": "4f1cab00-2"}], "next": None})
    ran = holdfast("approvals", "show", "4f1c")
    assert (ran.code, "2 requests begin with 4f1c" in ran.err) == (1, True)
    assert holdfast("approvals", "show", ITEM["id"]).code == 0
    problem = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "it is over"}
    pages.put("/v1/approvals/zzzz", problem, status=404)
    ran = holdfast("approvals", "show", "zzzz")
    assert (ran.code, "it is over" in ran.err) == (1, True)


@pytest.mark.parametrize("name", ["", "4", "4f1"])
def test_a_script_whose_variable_is_empty_decides_nothing(
    holdfast: Any, pages: Pages, name: str
) -> None:
    """Though only one request waits, and begins like that."""
    for words in (("approve", name), ("deny", name, "--reason", "no"), ("show", name)):
        ran = holdfast("approvals", *words)
        assert (ran.code, "ID: expected at least its first 4 characters" in ran.err) == (64, True)
    assert pages.posted == []


def test_no_line_of_a_body_looks_like_ours(holdfast: Any, pages: Pages) -> None:
    """Nor does it command the terminal, or hide behind an odd end of a line."""
    body = "a\n(without its coding, gzip)\r\x1b[2J\u2028\u202eb"
    shown = {**ITEM, "request": {**REQUEST, "body": body}, "groups": [], "decided": []}
    pages.put(f"/v1/approvals/{ITEM['id']}", {**shown, "expires_in": 5.0})
    out = holdfast("approvals", "show", ITEM["id"]).out
    assert out.endswith("\n  a\n  (without its coding, gzip)\\r\\x1b[2J\\u2028\\u202eb\n")


def test_nobody_answers(holdfast: Any, here: Any) -> None:
    """What to do is said."""
    ran = holdfast("approvals", "list", "--admin", "127.0.0.1:1", "--token", "t")
    assert (ran.code, "no proxy answers" in ran.err) == (1, True)
