"""The side store: what is put is kept, what is erased is gone, and no call waits for it."""

import hmac
import threading
from collections import deque

import pytest

from proxy.journal import payloads as module
from proxy.journal.kept import FULL, REDACTED
from proxy.journal.payloads import Commitments, Payloads, PayloadsState
from proxy.journal.redaction import Rules
from proxy.journal.rows import Erased
from proxy.journal.sealing import Trouble, Who
from tests.fakes import FakeClock
from tests.journal.planted import CARDS, KEYS, MAILS
from tests.journal.stored import DAY, Failing, columns, files, found_in, put

WHO = Who("task-1", "agent-1", "subject-1")


class Store:
    """A side store of a test."""

    def __init__(self, data_dir, **changes):
        self.clock = FakeClock()
        self.heard: list[PayloadsState] = []
        self.rows: Failing
        self.payloads = Payloads(
            data_dir, self.clock, heard=self.heard.append, rows=self._rows, **changes
        )
        self.payloads.open()

    def _rows(self, places):
        self.rows = Failing(places)
        return self.rows

    def put(self, record="r1", who=WHO, mode=FULL, request=b"asked", response=b"answered"):
        return put(self.payloads, record, who, request, response, mode)


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path)
    yield made
    made.payloads.close()


def test_what_is_put_is_kept(store):
    """And can be read once it was written; other records are not there."""
    store.put()

    assert store.payloads.flush()
    kept = store.payloads.get("r1")
    assert kept is not None
    assert kept.request is not None
    assert kept.response is not None
    assert (kept.request.content, kept.response.content) == (b"asked", b"answered")
    assert store.payloads.get("r2") is None
    assert store.payloads.state == PayloadsState()


def test_secrets_are_in_no_file(store, tmp_path):
    """Redacted or not, kept or erased: not in the database, its log, its free pages, or a key."""
    secrets = [secret.encode() for secret in (*KEYS, *CARDS, *MAILS)]
    for number, secret in enumerate(secrets):
        for mode in (FULL, REDACTED):
            who = Who(f"t{number}", "jane@example.com", "078-05-1120")
            store.put(f"{mode}{number}", who, mode, b"see " + secret, b'{"a":"%b"}' % secret)
    assert store.payloads.flush()

    def planted():
        return {
            name
            for secret in (*secrets, b"jane@", b"078-05")
            for name in found_in(tmp_path, secret)
        }

    assert planted() == set()
    kept = store.payloads.get("redacted3")
    assert kept is not None
    assert kept.request is not None
    assert kept.request.content == b"see [redacted]"
    store.payloads.erase(agent="jane@example.com")
    assert planted() == set()


def test_what_comes_while_others_hurry_hurries_too(store):
    """Who waits for all that was given waits for no lingering between two batches."""
    insert = store.rows.insert

    def comes_between(keys, rows):
        store.rows.insert = insert
        store.put("r2")
        assert not store.payloads.flush(0)
        insert(keys, rows)

    store.rows.insert = comes_between
    store.put("r1")

    assert store.payloads.flush()
    assert store.payloads.flush()  # the first one may have been asked before the second was put
    assert store.payloads.get("r1") is not None
    assert store.payloads.get("r2") is not None


def test_erasing_takes_what_waits_as_well(store):
    """Written or not yet: it is gone when the call returns, so is its key, and both are counted."""
    store.put("r1")
    assert store.payloads.flush()
    store.rows.broken = "full"
    store.put("r2")
    assert not store.payloads.flush()
    store.put("r3")
    store.put("r4", Who("task-1", "agent-2"))
    store.put("other", Who("task-2"))
    store.rows.broken = ""

    assert store.payloads.erase(task="task-1") == Erased(4, 2)

    assert store.payloads.flush()
    assert [store.payloads.get(record) is None for record in ("r1", "r2", "r3", "r4")] == [True] * 4
    assert store.payloads.get("other") is not None


def test_after_an_erasure_a_task_has_a_new_key(store):
    """What it still does is kept, and tells nothing of what it did."""
    before = store.put("r1")
    store.payloads.erase(task="task-1")
    after = store.put("r1")

    assert store.payloads.flush()
    assert before.request != after.request
    kept = store.payloads.get("r1")
    assert kept is not None
    assert hmac.digest(kept.request_salt, b"asked", "sha256").hex() == after.request


def test_puts_while_it_is_erased_are_before_or_after(store, tmp_path):
    """No row is left whose key is gone, no key comes back."""
    over = threading.Event()

    def puts():
        number = 0
        while not over.is_set():
            store.put(f"r{number}", request=b"x" * 100)
            number += 1

    thread = threading.Thread(target=puts)
    thread.start()
    erased = sum(store.payloads.erase(task="task-1").payloads for _ in range(20))
    over.set()
    thread.join()
    erased += store.payloads.erase(task="task-1").payloads

    assert erased > 0
    assert columns(tmp_path, "SELECT count(*) FROM keys") == [0]
    assert columns(tmp_path, "SELECT count(*) FROM payloads") == [0]


def test_a_long_erasure_keeps_nobody_waiting(store, monkeypatch):
    """What is put meanwhile is written between its transactions."""
    monkeypatch.setattr("proxy.journal.rows._CHUNK", 1)
    for number in range(5):
        store.put(f"r{number}", Who("task-1", f"a{number}"))
    assert store.payloads.flush()
    seen = []
    insert = store.rows.insert

    def inserted(keys, rows):
        seen.append([row.record for row in rows])
        insert(keys, rows)

    store.rows.insert = inserted
    between, puts = store.payloads._between, iter(range(3))

    def put_between():
        for number in puts:
            store.put(f"s{number}", Who("task-2"))
            break
        between()

    store.payloads._between = put_between

    assert store.payloads.erase(task="task-1") == Erased(5, 5)
    assert seen == [["s0"], ["s1"], ["s2"]]


@pytest.mark.parametrize("given", [{}, {"task": "t", "agent": "a"}, {"task": ""}])
def test_one_thing_is_erased_at_a_time(store, given):
    """What more than one name means, nobody should have to guess."""
    with pytest.raises(ValueError, match="one of"):
        store.payloads.erase(**given)


def test_a_key_is_for_one_day(store, tmp_path):
    """So that pruning takes keys as well."""
    store.put("r1")
    store.put("r2")
    store.clock.time += DAY
    store.put("r3")
    assert store.payloads.flush()
    assert columns(tmp_path, "SELECT count(*) FROM keys") == [2]

    assert store.payloads.prune(store.clock.wall()) == Erased(2, 1)

    assert store.payloads.get("r3") is not None
    assert store.payloads.get("r1") is None


def test_a_full_disk_is_told_once_and_over_when_there_is_room(store):
    """What was put meanwhile is written then."""
    store.rows.broken = "full"
    store.put("r1")
    assert not store.payloads.flush()
    assert not store.payloads.flush()
    assert store.payloads.state.kind == "full"
    store.rows.broken = ""

    assert store.payloads.flush()

    assert store.payloads.get("r1") is not None
    assert [state.kind for state in store.heard] == ["full", "ok"]


def test_memory_is_bounded(tmp_path):
    """What finds no room is lost and counted; commitments go on as long as keys find some."""
    store = Store(tmp_path, room=4000)
    store.rows.broken = "disk"
    kept = [store.put(f"r{n}", request=b"x" * 500) for n in range(20)]
    others = [store.put(f"s{n}", Who(f"t{n}"), request=b"x" * 500) for n in range(20)]
    full = store.put("last", Who("another"))

    assert 0 < sum(made.kept for made in kept) < 10
    assert all(made.request for made in kept)
    assert store.payloads.state.lost == 20 - sum(made.kept for made in kept) + 21
    assert 0 < sum(bool(made.request) for made in others) < 10
    assert not any(made.kept for made in others)
    assert full == Commitments(kept=False)
    store.rows.broken = ""
    store.payloads.close()


def test_keys_at_hand_are_bounded(store, tmp_path, monkeypatch):
    """Who comes again later has one more key; all of them are erased together."""
    monkeypatch.setattr(module, "_KEYS", 2)
    for number in (1, 2, 3, 1):
        store.put(f"r{number}", Who(f"t{number}"))
    assert store.payloads.flush()
    assert columns(tmp_path, "SELECT count(*) FROM keys") == [4]

    assert store.payloads.erase(task="t1") == Erased(1, 2)


def test_a_failed_erasure_is_told_and_can_be_repeated(store):
    """It never says that something is gone which is not."""
    store.put()
    assert store.payloads.flush()
    store.rows.broken = "disk"
    with pytest.raises(Trouble, match="the disk said so"):
        store.payloads.erase(task="task-1")
    assert store.payloads.get("r1") is not None
    store.rows.broken = ""

    assert store.payloads.erase(task="task-1") == Erased(1, 1)


def test_all_is_well_again_without_a_put(tmp_path, monkeypatch):
    """Somebody tries, now and then."""
    monkeypatch.setattr(module, "_RETRY", 0.001)
    store = Store(tmp_path)
    well, tried = threading.Event(), threading.Event()
    store.payloads._heard = lambda state: well.set() if state.kind == "ok" else None
    reopen = store.rows.reopen

    def fails():
        store.rows.reopen = reopens
        raise Trouble("disk", "still")

    def reopens():
        tried.set()
        reopen()

    store.rows.reopen = fails
    store.rows.broken = "disk"
    with pytest.raises(Trouble):
        store.payloads.erase(task="task-1")
    store.rows.broken = ""

    assert well.wait(10)
    assert tried.is_set()
    store.payloads.close()


def test_closing_writes_what_was_put(tmp_path):
    """What comes afterwards is refused; closing once more does nothing."""
    store = Store(tmp_path)
    store.put()
    store.payloads.close()
    store.payloads.close()

    assert not [path for path in files(tmp_path) if path.name.endswith("-wal")]
    assert store.payloads.get("r1") is not None
    assert store.put("r2", Who("new")) == Commitments(kept=False)
    assert store.payloads.state == PayloadsState("closed", "closed", 1)
    with pytest.raises(Trouble) as trouble:
        store.payloads.erase(task="task-1")
    assert trouble.value.kind == "closed"
    assert store.payloads.flush()


def test_closing_does_not_wait_for_a_disk_that_fails(tmp_path):
    """What could not be written is counted as lost."""
    store = Store(tmp_path)
    store.rows.broken = "disk"
    store.put()
    store.payloads.close()

    assert store.payloads.state == PayloadsState("closed", "closed", 1)


def test_a_store_that_was_never_opened_keeps_nothing(tmp_path):
    """It says so, and makes no files."""
    payloads = Payloads(tmp_path, FakeClock())

    assert put(payloads, "r", WHO, b"x", None) == Commitments(kept=False)
    with pytest.raises(Trouble):
        payloads.erase(task="t")
    payloads.close()
    assert files(tmp_path) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_ends_it_and_is_told(tmp_path):
    """Who waits is told as well; nothing is put any more."""
    store = Store(tmp_path)

    def fails(*given):
        raise ZeroDivisionError

    store.rows.erase = fails
    with pytest.raises(Trouble, match="closed meanwhile"):
        store.payloads.erase(task="task-1")
    store.payloads.close()

    assert store.heard == [PayloadsState("closed", "a bug")]
    assert not store.put().kept


def test_an_erasure_that_comes_while_a_write_fails(tmp_path):
    """What was being written does not come back."""
    store = Store(tmp_path)
    asked, writing = threading.Event(), threading.Event()

    def fails(keys, rows):
        writing.set()
        assert asked.wait(10)
        raise Trouble("disk", "no")

    insert, store.rows.insert = store.rows.insert, fails
    store.put()
    assert writing.wait(10)

    class Jobs(deque):
        def append(self, job):
            super().append(job)
            store.put("r3")
            asked.set()

    store.payloads._jobs = Jobs()
    store.rows.insert = insert

    assert store.payloads.erase(task="task-1") == Erased(1, 1)
    store.put("r2")
    assert store.payloads.flush()
    assert store.payloads.get("r1") is None
    assert store.payloads.get("r2") is not None
    assert store.payloads.get("r3") is not None
    store.payloads.close()


def test_rules_are_the_policy_s(store):
    """Its paths are taken out as well."""
    put(store.payloads, "r1", WHO, b'{"input":{"ssn":1}}', None, REDACTED, Rules(["input.ssn"]))

    assert store.payloads.flush()
    kept = store.payloads.get("r1")
    assert kept is not None
    assert kept.request is not None
    assert kept.request.content == b'{"input":{"ssn":"[redacted]"}}'
