"""`holdfast audit prove` and `check-proof`, on real folders."""

import io
import json
import shutil
import sys

import pytest

from proxy.journal.folder import Folder
from proxy.journal.notes import new_signer
from proxy.journal.retention import compress
from tests.journal.disks import QuickDisk
from tests.journal.written import Written, lines


@pytest.fixture
def log(here):
    """Calls a0 to a5, signed, and one that is not yet; the writer runs on."""
    written = Written(here / ".holdfast", segment_bytes=900, records=5).open()
    for number in range(6):
        written.note(f"a{number}", text="é")
    written.journal._checkpoint()
    written.note("last")
    yield here / ".holdfast"
    written.die()


@pytest.fixture
def proof(holdfast, log, here):
    """Of a3, in a file."""
    ran = holdfast("audit", "prove", "a3")
    assert (ran.code, ran.err) == (0, "")
    (here / "proof.json").write_text(ran.out)
    return here / "proof.json"


@pytest.mark.parametrize("arguments", [("prove", "a3"), ("check-proof", "proof.json")])
def test_a_data_dir_that_cannot_be_read(holdfast, proof, arguments):
    """It is told from a proof that does not hold: here its name is longer than any."""
    ran = holdfast("audit", *arguments, "--data-dir", "x" * 300)
    assert ran.code == 2
    assert "cannot be read" in ran.err


def test_a_proof_is_json(log, proof):
    """With the exact line, and nothing that a terminal would act upon."""
    told = json.loads(proof.read_text())

    assert list(told) == ["record", "index", "size", "path", "checkpoint"]
    assert told["record"].encode() in lines(log)
    assert json.loads(told["record"])["id"] == "a3"
    assert told["checkpoint"].startswith("holdfast/default/holdfast\n")
    assert all(len(bytes.fromhex(top)) == 32 for top in told["path"])
    assert proof.read_text().isascii()


def test_a_proof_holds_without_the_journal(holdfast, log, proof, here, monkeypatch):
    """With the key alone; from a file, or from standard input."""
    shutil.copy(log / "keys" / "journal.vkey", here / "pub")
    shutil.rmtree(log)
    ran = holdfast("audit", "check-proof", proof, "--key", "pub")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("holds: seq ")
    assert ran.out.endswith(" that holdfast/default/holdfast signed\n")

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(proof.read_bytes())))
    ran = holdfast("audit", "check-proof", "-", "--key", "pub", "--json")
    told = json.loads(ran.out)
    assert ran.code == 0
    assert (told["ok"], told["why"], told["id"]) == (True, "", "a3")
    assert told["origin"] == "holdfast/default/holdfast"


def test_the_key_of_the_data_dir(holdfast, log, proof, here):
    """Where none is given: the settings', or the one that is named."""
    assert holdfast("audit", "check-proof", proof).code == 0
    shutil.copytree(log, here / "copy")
    assert holdfast("audit", "check-proof", proof, "--data-dir", "copy").code == 0
    assert holdfast("audit", "prove", "a3", "--data-dir", "copy").code == 0


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_proof_that_was_changed(holdfast, proof, flags):
    """Exit 1, and why."""
    proof.write_text(proof.read_text().replace("a3", "a4"))
    ran = holdfast("audit", "check-proof", proof, *flags)

    assert ran.code == 1
    assert ran.err.startswith("holdfast: the proof does not hold: the record is not as it was")
    assert ran.err.count("\n") == 1
    assert [json.loads(ran.out)["ok"]] == [False] if flags else ran.out == ""


def test_a_proof_of_no_record(holdfast, proof):
    """Does not hold, whatever stands there."""
    told = json.loads(proof.read_text()) | {"record": "\x1b[2J", "checkpoint": "\x7f\x1b\n"}
    proof.write_text(json.dumps(told))
    ran = holdfast("audit", "check-proof", proof, "--json")

    assert (ran.code, json.loads(ran.out)["seq"]) == (1, 0)
    assert not {"\x1b", "\x7f"} & set(ran.out + ran.err)


def test_another_key(holdfast, proof):
    """Exit 1; of what it did not sign it makes no proof either."""
    line = new_signer("holdfast/default/holdfast", lambda size: bytes(size)).verifier.line()

    assert holdfast("audit", "check-proof", proof, "--key", line).code == 1
    assert holdfast("audit", "prove", "a3", "--key", line).code == 1


@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_proof(holdfast, log, here, content):
    """Exit 2, in one line."""
    if content is not None:
        (here / "given").write_bytes(content)
    ran = holdfast("audit", "check-proof", "given")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("holdfast: given ")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nobody", "there is no record nobody"),
        ("last", "no checkpoint covers seq "),
    ],
)
def test_what_cannot_be_proven(holdfast, log, name, why):
    """Exit 1, and why."""
    ran = holdfast("audit", "prove", name)

    assert (ran.code, ran.out) == (1, "")
    assert why in ran.err


def test_a_journal_that_is_not_whole_proves_nothing(holdfast, log):
    """Exit 1, and who can say more."""
    path = Folder(log).segment(1)
    first, _, *others = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"".join(others))
    assert "holdfast audit verify" in holdfast("audit", "prove", "a3").err

    assert compress(QuickDisk(), path, lambda: False)
    packed = path.with_name("00000001.jsonl.gz")
    packed.write_bytes(packed.read_bytes()[:12])
    ran = holdfast("audit", "prove", "a3")
    assert ran.code == 1
    assert "holdfast audit verify" in ran.err


def test_nothing_to_read(holdfast, here):
    """Exit 2: no key, no journal."""
    ran = holdfast("audit", "prove", "a3")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
