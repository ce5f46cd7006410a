"""The file `kill`, as it is read; `tests/test_control.py` has what is made of it."""

import codecs
from pathlib import Path

import pytest

from proxy.config.disk import LARGEST
from proxy.config.kill_file import MOST_PROBLEMS, Lines, read
from proxy.state.kills import LONGEST, PEOPLES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kill"


def lines(file: Path, text: str) -> Lines:
    file.write_text(text)
    found = read(file)
    assert isinstance(found, Lines)
    return found


def test_where_there_is_none_nothing_stands(file: Path) -> None:
    """Nor in an empty one."""
    assert read(file) == Lines()
    assert lines(file, "") == Lines()


def test_a_line_has_a_scope_and_perhaps_a_reason(file: Path) -> None:
    """What stands behind ` #`; a name may have a `#` within. Comments and empty lines say
    nothing, and of one scope the first line counts."""
    found = lines(file, "# all\n\n all  \ntool:a#b # c # d\nall # again\n#\n")
    assert [(str(scope), kill.reason, kill.place) for scope, kill in found.kills.items()] == [
        ("all", "it stands in the file kill", f"{file}:3"),
        ("tool:a#b", "c # d", f"{file}:4"),
    ]
    assert (found.problems, found.ended) == ((), True)
    assert lines(file, "all\nag").ended is False


def test_what_is_no_scope_is_told_with_its_line(file: Path) -> None:
    """The others count; a reason is cut."""
    found = lines(file, f"agnt:x\r\nall # {'x' * 600}\r\n")
    assert [len(kill.reason) for kill in found.kills.values()] == [LONGEST]
    (problem,) = found.problems
    assert problem.startswith(f"{file}:1: expected all, ")


@pytest.mark.parametrize("how", ["a folder", "too large"])
def test_what_cannot_be_read_says_so(file: Path, how: str) -> None:
    """In one line."""
    if how == "a folder":
        file.mkdir()
    else:
        file.write_bytes(b"#" * (LARGEST + 1))
    found = read(file)
    assert isinstance(found, str)
    assert str(file) in found


@pytest.mark.parametrize(
    "held",
    [
        b"\xef\xbb\xbfall\r\n",
        "all\r\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "all\r\n".encode("utf-16-be"),
        b"all\t# why\n",
    ],
    ids=["utf-8", "utf-16", "big-endian", "tab"],
)
def test_it_may_be_written_by_any_editor(file: Path, held: bytes) -> None:
    """A mark in front, or UTF-16, as shells of Windows write it."""
    file.write_bytes(held)
    found = read(file)
    assert isinstance(found, Lines)
    assert (list(found.kills), found.problems) == (["all"], ())


def test_junk_is_told_in_few_lines(file: Path) -> None:
    """Whatever somebody copied there by mistake."""
    found = lines(file, "x\n" * 1000)
    assert len(found.problems) == MOST_PROBLEMS + 1
    assert found.problems[-1] == f"{file}: 980 more lines kill nothing"


def test_behind_too_many_lines_all_is_still_read(file: Path) -> None:
    """It makes them needless."""
    found = lines(file, "".join(f"agent:{n}\n" for n in range(PEOPLES + 2)) + "all\n")
    assert (len(found.kills), "all" in found.kills) == (PEOPLES + 1, True)
    assert len(found.problems) == 2


def test_what_did_not_change_is_not_read_again(file: Path) -> None:
    """It is looked at more than twice a second."""
    found = lines(file, "all\n")
    assert read(file, found) is found
    file.write_text("tool:x\n")
    assert read(file, found) is not found
