"""`holdfast audit verify`, on real folders."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.journal.checkpoint import Checkpoint
from proxy.journal.folder import Folder
from proxy.journal.notes import new_signer
from tests.journal.written import Written

COMMANDS = ("verify", "show", "tail", "query", "prove", "check-proof", "export")


@pytest.fixture
def log(here):
    """Some segments, of calls a0 to a5; stopped."""
    written = Written(here / "data", segment_bytes=900, records=5).open()
    for number in range(6):
        written.note(f"a{number}")
    written.stop()
    return here / "data"


def change(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def words(text):
    return " ".join(text.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_one_explains_itself(holdfast, command):
    """With an example and its exit codes, and it can speak JSON."""
    ran = holdfast("audit", command, "--help")

    assert ran.code == 0
    assert f"holdfast audit {command}" in ran.out
    assert "Exit codes: 0 " in ran.out
    assert "64 wrong usage." in words(ran.out)
    assert "--json" in ran.out


def test_help_does_not_read_the_journal_room():
    """Nor draw: it is quick."""
    code = "import sys, proxy.cli; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    loaded = set(ran.stdout.split())
    assert "proxy.cli.audit" in loaded
    assert not {"proxy.journal", "nacl", "rich"} & loaded


def test_a_whole_journal(holdfast, log):
    """Exit 0, each verdict on its line, nothing on standard error."""
    ran = holdfast("audit", "verify", log)

    assert (ran.code, ran.err) == (0, "")
    told = words(ran.out)
    assert told.startswith(f"journal {log} ok integrity ok ")
    assert "completeness ok seq 1 to " in told
    assert "anchoring ok " in told
    assert "--key takes one kept elsewhere" in told
    assert "recoveries ok 0 recoveries" in told


def test_the_data_dir_of_the_settings(holdfast, log, here):
    """Where none is named."""
    (here / "holdfast.yaml").write_text("data_dir: data\n")

    assert words(holdfast("audit", "verify").out).startswith("journal data ok")


@pytest.mark.parametrize("text", ["data_dir: [1]\n", None])
def test_settings_that_cannot_be_read_are_no_verdict(holdfast, here, monkeypatch, text):
    """Exit 3: neither tampered nor incomplete, which 1 and 2 would say."""
    if text is None:
        monkeypatch.setenv("HOLDFAST_CONFIG", "nowhere.yaml")
    else:
        (here / "holdfast.yaml").write_text(text)

    assert holdfast("audit", "verify").code == 3


def test_json(holdfast, log):
    """All of it, and whose key it was."""
    ran = holdfast("audit", "verify", log, "--json")
    told = json.loads(ran.out)

    assert (ran.code, told["verdict"], told["exit"], told["key"]) == (0, "ok", 0, "the folder's")
    assert [told[name]["ok"] for name in ("integrity", "completeness", "anchoring")] == [True] * 3
    assert told["recoveries"] == {"records": [], "pruned": 0, "torn": 0}


def test_a_changed_byte(holdfast, log):
    """Exit 1; file, line, seq and id are named, on both outputs."""
    change(Folder(log).segment(1), b'"id":"a0"', b'"id":"b0"')
    ran = holdfast("audit", "verify", log)
    told = json.loads(holdfast("audit", "verify", log, "--json").out)

    assert ran.code == 1
    assert "integrity NO" in words(ran.out)
    assert "00000001.jsonl, line 2, seq 2, id b0: its hash is not that" in words(ran.out)
    assert ran.err.startswith("holdfast: tampered: 00000001.jsonl line 2, seq 2, id b0: ")
    assert ran.err.count("\n") == 1
    first = told["integrity"]["bad"][0]
    assert (first["file"], first["line"], first["seq"], first["id"]) == (
        "00000001.jsonl", 2, 2, "b0",
    )  # fmt: skip


def test_what_a_record_says_does_not_reach_the_terminal(holdfast, log):
    """Not as it is: it may hold a terminal's commands."""
    change(Folder(log).segment(1), b'"id":"a0"', b'"id":"\\u001b[2J\\u202e\x7f"')
    for flags in ([], ["--json"]):
        ran = holdfast("audit", "verify", log, *flags)

        assert ran.code == 1
        assert not {"\x1b", "\u202e", "\x7f"} & {*ran.out, *ran.err}


def test_more_bad_records_than_fit(holdfast, here):
    """Are counted; JSON has them all."""
    written = Written(here / "data").open()
    for number in range(30):
        written.note(f"a{number}")
    written.stop()
    path = Folder(here / "data").segment(1)
    path.write_bytes(path.read_bytes().replace(b'"type":"call.f', b'"type":"call.F'))

    assert "and 10 more: --json has them all" in words(holdfast("audit", "verify", "data").out)


def test_a_cut_tail(holdfast, log):
    """Exit 2, and what to do."""
    path = Folder(log).segments()[-1].path
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    ran = holdfast("audit", "verify", log)

    assert ran.code == 2
    assert "completeness NO" in words(ran.out)
    assert "records are missing at the end" in words(ran.out)
    assert ran.err.startswith("holdfast: incomplete: 1 records are missing at the end")
    assert "; look for what is missing in a copy" in ran.err


def test_a_missing_segment(holdfast, log):
    """Exit 2."""
    Folder(log).segment(2).unlink()
    ran = holdfast("audit", "verify", log)

    assert ran.code == 2
    assert "records are missing before segment 3" in words(ran.out)


def test_tampering_beats_what_is_missing(holdfast, log):
    """Exit 1."""
    Folder(log).segment(2).unlink()
    change(Folder(log).segment(1), b'"id":"a0"', b'"id":"b0"')

    assert holdfast("audit", "verify", log).code == 1


def test_an_empty_folder_where_a_checkpoint_says_that_there_was_more(holdfast, log, here):
    """Exit 2: with the checkpoints of the folder, or with one and a key kept elsewhere."""
    (here / "kept").write_bytes((log / "checkpoints").read_bytes())
    (here / "pub").write_bytes((log / "keys" / "journal.vkey").read_bytes())
    for path in (log / "journal").iterdir():
        path.unlink()
    assert holdfast("audit", "verify", log).code == 2

    (here / "empty").mkdir()
    ran = holdfast("audit", "verify", "empty", "--checkpoint", "kept", "--key", "pub")
    assert ran.code == 2
    assert holdfast("audit", "verify", "empty", "--key", "pub").code == 3


def test_a_key_is_a_line_or_a_file_of_it(holdfast, log, here):
    """And then it is said that it was given."""
    line = (log / "keys" / "journal.vkey").read_text().strip()
    (here / "pub").write_text(f"# pod-1\n{line}\n")
    for key in (line, "pub"):
        ran = holdfast("audit", "verify", log, "--key", key)
        assert ran.code == 0
        assert "kept elsewhere" not in ran.out
    told = json.loads(holdfast("audit", "verify", log, "--key", line, "--json").out)
    assert told["key"] == "given"


def test_another_key(holdfast, log):
    """Exit 1: who has it did not sign this."""
    line = new_signer("holdfast/default/holdfast", lambda size: bytes(size)).verifier.line()
    ran = holdfast("audit", "verify", log, "--key", line)

    assert ran.code == 1
    assert "no key that is known signed checkpoint 1" in words(ran.out)


def test_a_log_cut_back_with_its_checkpoints(holdfast, log, here):
    """Is found by a checkpoint that was kept elsewhere."""
    (here / "kept").write_bytes((log / "checkpoints").read_bytes().rstrip(b"\n"))
    (log / "checkpoints").unlink()
    Folder(log).segments()[-1].path.unlink()

    assert holdfast("audit", "verify", log, "--checkpoint", "kept").code == 2


def test_a_checkpoint_by_a_key_that_is_not_known(holdfast, log, here):
    """Exit 1: it is of another journal than this. Beside ours, another's is no matter."""
    origin = "holdfast/shop/elsewhere"
    note = new_signer(origin, bytes).note(Checkpoint(origin, 3, bytes(32)).text())
    (here / "kept").write_text(note + "\n")
    ran = holdfast("audit", "verify", log, "--checkpoint", "kept")
    assert ran.code == 1
    assert f"no key that is known signed any of them: they are of {origin}" in ran.err

    (here / "kept").write_bytes(note.encode() + b"\n" + (log / "checkpoints").read_bytes())
    assert holdfast("audit", "verify", log, "--checkpoint", "kept").code == 0

    (here / "kept").write_text(note[:-9] + "\n\n")
    ran = holdfast("audit", "verify", log, "--checkpoint", "kept")
    assert ran.code == 3
    assert "none of the checkpoints that were given is whole; name a data dir" in ran.err


@pytest.mark.parametrize(
    ("flag", "content", "code", "why"),
    [
        ("--key", None, 64, "neither a verifier key (NAME+ID+BASE64) nor a file of them"),
        ("--key", b"", 3, "holds no verifier key; name another file"),
        ("--key", b"nonsense\n", 3, "is no file of verifier keys: not the line of"),
        ("--key", b"\xff", 3, "is no file of verifier keys: "),
        ("--key", "folder", 3, "cannot be read: Is a directory; name another file"),
        ("--checkpoint", None, 3, "cannot be read: No such file or directory; name another file"),
        ("--checkpoint", b"nonsense", 3, "holds no checkpoint; name another file"),
    ],
)
def test_a_flag_that_names_nothing_of_use(holdfast, log, here, flag, content, code, why):
    """One line that says what to do; never the exit code of a verdict."""
    if content == "folder":
        (here / "given").mkdir()
    elif content is not None:
        (here / "given").write_bytes(content)
    ran = holdfast("audit", "verify", log, flag, "given")

    assert (ran.code, ran.out) == (code, "")
    assert why in ran.err
    assert ran.err.count("\n") == 1


def test_nothing_to_read(holdfast, here):
    """Exit 3, also in JSON."""
    ran = holdfast("audit", "verify", "nowhere")

    assert ran.code == 3
    assert ran.err.startswith("holdfast: cannot be read: ")
    told = json.loads(holdfast("audit", "verify", "nowhere", "--json").out)
    assert told["verdict"] == "unreadable"


def test_wrong_usage(holdfast, log):
    """Exit 64."""
    assert holdfast("audit", "verify", log, "--nonsense").code == 64
    assert holdfast("audit", "verify", log, log).code == 64
    assert holdfast("audit").code == 64


def test_beside_a_running_writer(holdfast, here):
    """Which holds the lock; a line that is not whole yet is no tampering."""
    written = Written(here / "data", records=2).open()
    written.note("a", "b")
    with Folder(here / "data").segment(1).open("ab") as file:
        file.write(b'{"seq":4,')
    ran = holdfast("audit", "verify", "data")

    assert ran.code == 0
    assert "9 bytes of a last line that is not whole" in words(ran.out)
    written.die()


def test_recoveries_and_pruning_are_told(holdfast, here):
    """They are no verdict against it."""
    written = Written(here / "data").open()
    written.note("a")
    written.die()
    with Folder(here / "data").segment(1).open("ab") as file:
        file.write(b"torn")
    Written(here / "data").open().stop()
    ran = holdfast("audit", "verify", "data")

    assert ran.code == 0
    assert "recoveries ok 1 recovery torn 00000001.jsonl" in words(ran.out)


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
@pytest.mark.parametrize(("bad", "code"), [(False, 3), (True, 1)])
def test_a_verdict_that_cannot_be_written(log, bad, code):
    """Is not a verdict of tampering, unless it was one."""
    if bad:
        change(Folder(log).segment(1), b'"id":"a0"', b'"id":"b0"')
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "proxy", "audit", "verify", str(log)],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            cwd=Path(__file__).parent.parent.parent,
        )  # fmt: skip

    assert ran.returncode == code
    assert "cannot be written: No space left on device" in ran.stderr
    assert ran.stderr.count("\n") == 1
