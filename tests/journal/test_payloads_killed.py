"""The side store is killed, loses power, and runs out of disk: at any step, for real."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.journal.kept import FULL, fetch
from proxy.journal.lookup import find
from proxy.journal.payloads import Payloads
from proxy.journal.rows import Places, Rows
from proxy.journal.sealing import Who
from tests.fakes import FakeClock
from tests.journal.stored import columns, found_in, key_of, put, row_of

ROOT = Path(__file__).resolve().parent.parent.parent
KILLS = int(os.environ.get("HOLDFAST_TEST_KILLS", "4"))

PUTS = """
import os, sys
from pathlib import Path
from proxy.clock import Clock
from proxy.journal.kept import FULL
from proxy.journal.payloads import Payloads
from proxy.journal.sealing import Who
from tests.journal.stored import put

payloads = Payloads(Path(sys.argv[1]), Clock())
payloads.open()
for number in range(1_000_000):
    name = f"{sys.argv[2]}-{number}"
    for part in "abc":
        put(payloads, f"{name}-{part}", Who(name), b"planted " * 100, os.urandom(500), FULL)
    assert payloads.flush()
    print("kept", name, flush=True)
    if number % 3 == 0:
        assert payloads.erase(task=name).payloads == 3
        print("erased", name, flush=True)
"""

DIES = """
import os, shutil, signal, sys
from pathlib import Path
from proxy.journal.lookup import find
from proxy.journal.rows import Places, Rows

def die_at(rows, number):
    left = [number]
    def traced(statement):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
    rows._db.set_trace_callback(traced)

WORK = {
    "erase": lambda rows: rows.erase("task", "t"),
    "prune": lambda rows: rows.prune(2),
}
data_dir, work = Path(sys.argv[1]), WORK[sys.argv[2]]
copy = data_dir.with_name("copy")
for number in range(1, 1000):
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(data_dir, copy)
    child = os.fork()
    if not child:
        rows = Rows(Places(copy))
        die_at(rows, number)
        work(rows)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    rows = Rows(Places(copy))  # the next start
    there = [find(Places(copy), f"r{n}") is not None for n in range(4)]
    assert there in ([True] * 4, [False] * 4), there
    count = rows._db.execute("SELECT count(*) FROM payloads").fetchone()
    assert there == [True] * 4 or count == (1,)
    assert find(Places(copy), "other") is not None
    assert work(rows) is not None
    rows.close()
    if status == 0:
        break
print("died", number - 1)
"""


def python(script: str, *arguments: object) -> list[str]:
    """The command that runs it."""
    return [sys.executable, "-c", script, *map(str, arguments)]


def environment() -> dict[str, str]:
    """So that it finds this tree."""
    return os.environ | {"PYTHONPATH": str(ROOT)}


def test_nothing_that_was_durable_is_lost_and_nothing_erased_comes_back(tmp_path):
    """kill -9 under load, again and again."""
    told: list[tuple[str, str]] = []
    for life in range(KILLS):
        with subprocess.Popen(
            python(PUTS, tmp_path, life), env=environment(), stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(11 + 7 * life)]
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.readlines()
        assert process.returncode == -signal.SIGKILL
        told += [(words[0], words[1]) for line in lines if len(words := line.split()) == 2]

    Rows(Places(tmp_path)).close()
    erased = {name for what, name in told if what == "erased"}
    last = {f"{life}-{max(int(n.split('-')[1]) for w, n in told if n[0] == str(life))}"
            for life in range(KILLS)}  # fmt: skip
    for _, name in told:
        if name not in last:  # of those an erasure may have been under way
            there = [fetch(Places(tmp_path), f"{name}-{part}") is not None for part in "abc"]
            assert there == [name not in erased] * 3, name
    assert found_in(tmp_path, b"planted") == []


@pytest.mark.parametrize("work", ["erase", "prune"])
def test_what_is_interrupted_is_done_or_not_begun(tmp_path, work):
    """Killed before each statement: after the next start all of it is there, or none."""
    data_dir = tmp_path / "data"
    rows = Rows(Places(data_dir))
    for number in range(4):
        key = key_of("t", day=1)
        rows.insert([key], [row_of(key, f"r{number}", b"x" * 3000)])
    key = key_of("other", day=9)
    rows.insert([key], [row_of(key, "other", b"x")])
    rows.close()

    done = subprocess.run(
        python(DIES, data_dir, work), env=environment(), capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert int(done.stdout.split()[1]) >= 5


def test_a_log_that_ends_anywhere_is_a_store(tmp_path):
    """After a loss of power: whole groups, up to one of them."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    rows = Rows(Places(whole))
    for number in range(6):
        key = key_of("t")
        rows.insert([key], [row_of(key, f"r{number}{part}", b"x" * 3000) for part in "ab"])
    size = Places(whole).database.with_name("payloads.db-wal").stat().st_size
    seen = set()
    for end in [*range(0, size, 2999), size]:
        shutil.rmtree(cut, ignore_errors=True)
        shutil.copytree(whole, cut)
        os.truncate(cut / "payloads" / "payloads.db-wal", end)
        (cut / "payloads" / "payloads.db-shm").unlink()
        Rows(Places(cut)).close()
        there = [find(Places(cut), f"r{number}{part}") is not None
                 for number in range(6) for part in "ab"]  # fmt: skip
        assert there == sorted(there, reverse=True)
        assert there[::2] == there[1::2]
        seen.add(sum(there))
    rows.close()

    assert seen == {0, 2, 4, 6, 8, 10, 12}


FILLS = """
import os, resource, signal, sys
from pathlib import Path
from proxy.clock import Clock
from proxy.journal.kept import FULL
from proxy.journal.payloads import Payloads
from proxy.journal.sealing import Who
from tests.journal.stored import put

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
payloads = Payloads(Path(sys.argv[1]), Clock())
payloads.open()
put(payloads, "first", Who("t"), b"asked", None, FULL)
assert payloads.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
number = 0
while payloads.flush():
    put(payloads, f"r{number}", Who("t"), os.urandom(50_000), None, FULL)
    number += 1
print(payloads.state.kind, number, flush=True)
assert payloads.get("first").request.content == b"asked"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert payloads.flush(), payloads.state
assert all(payloads.get(f"r{n}") is not None for n in range(number))
assert payloads.state.kind == "ok"
assert payloads.erase(task="t").payloads == number + 1
payloads.close()
"""


def test_a_disk_that_takes_no_more_is_told_and_survived(tmp_path):
    """The system refuses to write; when there is room again, what waited is written."""
    done = subprocess.run(
        python(FILLS, tmp_path), env=environment(), capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    kind, number = done.stdout.split()
    assert kind in ("full", "disk")
    assert 1 < int(number) < 10


READS = """
import sys
from pathlib import Path
from proxy.journal.kept import fetch
from proxy.journal.rows import Places, Rows
from proxy.journal.sealing import Trouble

print(fetch(Places(Path(sys.argv[1])), "r1").request.content)
try:
    Rows(Places(Path(sys.argv[1])))
except Trouble as trouble:
    print(trouble.kind)
"""


def test_another_process_reads_and_does_not_write(tmp_path):
    """While this one has the folder."""
    payloads = Payloads(tmp_path, FakeClock())
    payloads.open()
    put(payloads, "r1", Who("t"), b"asked", None, FULL)
    assert payloads.flush()

    done = subprocess.run(
        python(READS, tmp_path), env=environment(), capture_output=True, text=True, check=False
    )
    payloads.close()

    assert done.stdout.split() == ["b'asked'", "in_use"], done.stderr
    assert columns(tmp_path, "SELECT count(*) FROM payloads") == [1]
