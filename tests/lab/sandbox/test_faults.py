"""proxy/lab/sandbox/faults.py"""

from pathlib import Path

import pytest

from proxy.lab.sandbox.faults import (
    Fault,
    Script,
    ScriptError,
    parse_fault,
    parse_header,
    parse_script,
    read_script,
    script_items,
)


def kinds(script: Script, tool: str, calls: int) -> list[str | None]:
    taken = (script.take(tool) for _ in range(calls))
    return [None if fault is None else fault.kind for fault in taken]


def script(*items: object) -> Script:
    return Script(parse_script(items))


def test_faults_are_used_in_order_and_up() -> None:
    """Each call takes the next item; after the last one calls pass."""
    queue = script(503, {"reset": True, "times": 2}, {"pass": True})
    assert kinds(queue, "deposit", 5) == ["status", "reset", "reset", "pass", None]
    assert queue.shown() == []


def test_a_fault_waits_for_its_tool() -> None:
    """Items for other tools are passed over and stay."""
    queue = script({"reset": True, "tool": "get_*"}, {"hang": True, "tool": "deposit"})
    assert kinds(queue, "deposit", 2) == ["hang", None]
    assert kinds(queue, "get_balance", 1) == ["reset"]


def test_null_times_is_for_ever() -> None:
    """A fault without end stays in the queue."""
    queue = script({"reset": True, "times": None})
    assert kinds(queue, "x", 50) == ["reset"] * 50


def test_a_limit_lets_so_many_pass() -> None:
    """rate_limit_after spares N matching calls, then refuses all with a Retry-After."""
    queue = script({"rate_limit_after": 2, "tool": "deposit"})
    assert kinds(queue, "get_balance", 5) == [None] * 5
    assert kinds(queue, "deposit", 4) == [None, None, "rate_limit_after", "rate_limit_after"]
    fault = queue.take("deposit")
    assert fault is not None
    assert (fault.status, fault.headers) == (429, {"Retry-After": "1"})


def test_what_is_left_can_be_loaded_again() -> None:
    """The queue shows itself in the words of a script."""
    queue = script(
        {"status": 503, "times": 3, "headers": {"Retry-After": 1}, "body": {"a": 1}},
        {"slow": 0.5, "executed": True},
        {"stream": 0.25},
        {"rate_limit_after": 5},
        {"truncated": True, "tool": "deposit"},
    )
    queue.take("get_balance")
    shown = queue.shown()
    assert shown[0] == {
        "tool": "*", "times": 2, "status": 503, "headers": {"Retry-After": "1"}, "body": {"a": 1},
    }  # fmt: skip
    assert script(*shown).shown() == shown


@pytest.mark.parametrize(("item", "said"), [
    ("reset", "must be an object or a status"),
    (True, "must be an object or a status"),
    ({}, "exactly one of"),
    ({"reset": True, "hang": True}, "exactly one of"),
    ({"reset": True, "tiems": 2}, "tiems cannot go with reset"),
    ({"reset": True, "headers": {}}, "headers cannot go with reset"),
    ({"reset": False}, "must be true"),
    ({"status": 700}, "from 200 to 599"),
    ({"status": True}, "whole number"),
    ({"status": 503, "headers": []}, "object of strings"),
    ({"status": 503, "headers": {"a": "b\r\nc: d"}}, "on one line"),
    ({"status": 503, "headers": {"a": True}}, "object of strings"),
    ({"status": 503, "headers": {"a b": "c"}}, "no name of a header"),
    ({"status": 503, "headers": {"": "c"}}, "no name of a header"),
    ({"status": 503, "headers": {"Content-Length": 5}}, "use truncated or malformed"),
    ({"status": 503, "body": float("nan")}, "body: must be text or JSON"),
    ({"status": 503, "body": "\ud800"}, "body: must be text or JSON"),
    ({"status": 503, "body": {1, 2}}, "body: must be text or JSON"),
    ({"rate_limit_after": -1}, "from 0"),
    ({"slow": "1"}, "number of seconds"),
    ({"slow": -1}, "from 0"),
    ({"stream": -1}, "stream: must be from 0"),
    ({"slow": float("nan")}, "from 0"),
    ({"reset": True, "times": 0}, "from 1"),
    ({"reset": True, "tool": 7}, "tool: must be a string"),
    ({"reset": True, "executed": "yes"}, "true or false"),
])  # fmt: skip
def test_a_wrong_item_is_named(item: object, said: str) -> None:
    """Errors say which item, and what is allowed."""
    with pytest.raises(ScriptError, match=said) as caught:
        parse_script([503, item])
    assert str(caught.value).startswith("script[1]")


@pytest.mark.parametrize(("text", "fault"), [
    ("reset", Fault("reset")),
    ("status=503", Fault("status", status=503)),
    ("slow=0.5", Fault("slow", seconds=0.5)),
    ("stream=0.5", Fault("stream", seconds=0.5)),
    ("hang; executed", Fault("hang", executed=True)),
])  # fmt: skip
def test_a_header_asks_for_one_fault(text: str, fault: Fault) -> None:
    """x-sandbox-fault has a short form of the same items."""
    assert parse_header(text) == fault


@pytest.mark.parametrize("text", ["", "reset; now", "slow=soon", "explode"])
def test_a_wrong_header_is_refused(text: str) -> None:
    """What the header cannot mean is an error that names it."""
    with pytest.raises(ScriptError, match="x-sandbox-fault"):
        parse_header(text)


@pytest.mark.parametrize(("name", "text"), [
    ("s.json", '[{"status": 503, "headers": {"Retry-After": "1"}}]'),
    ("s.yaml", "- status: 503\n  headers: {Retry-After: 1}\n"),
    ("s.yml", "script:\n  - status: 503\n    headers: {Retry-After: 1}\n"),
])  # fmt: skip
def test_scripts_are_read_from_files(tmp_path: Path, name: str, text: str) -> None:
    """JSON and YAML, as a list or under `script`, mean the same."""
    path = tmp_path / name
    path.write_text(text)
    assert parse_script(read_script(path)) == [
        parse_fault({"status": 503, "headers": {"Retry-After": "1"}}, "")
    ]


@pytest.mark.parametrize(("name", "text"), [("s.json", "{"), ("s.yaml", "a: [")])
def test_a_broken_file_is_named(tmp_path: Path, name: str, text: str) -> None:
    """What cannot be parsed is an error with the file's name."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ScriptError, match=name.replace(".", r"\.")):
        read_script(path)


def test_an_empty_script_is_no_faults() -> None:
    """Nothing, as an empty file says it, is an empty list."""
    assert script_items(None) == []


def test_a_script_is_a_list() -> None:
    """Anything else is refused."""
    with pytest.raises(ScriptError, match="list"):
        script_items({"status": 503})
