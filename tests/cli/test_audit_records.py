"""`holdfast audit show`, `tail`, `query` and `export`, on real folders."""

import csv
import io
import json
from typing import Any

import pytest

from proxy.cli import audit_records
from proxy.cli.audit_records import following
from proxy.journal.folder import Folder
from proxy.record import AttemptRecord, Record
from tests.journal.noted import Intent
from tests.journal.written import Written, lines

EVIL = "\x1b]0;owned\x07\u202e\x9b31m\x7f"


def call(name, **members):
    given: dict[str, Any] = {
        "agent": "pricing-01", "upstream": "gateway", "protocol": "tools", "layer": "tool",
        "tool": "deposit", "method": "POST", "policy_version": "v", "decision": "allow",
        "outcome": "ok", "executed": "yes", "status": 200, "duration_us": 12_345,
        "overhead_us": 3, "attempts": (AttemptRecord(1, "success", 12, "gateway", 200),),
    }  # fmt: skip
    return Record(id=name, **(given | members))


@pytest.fixture
def log(here):
    """Two segments, one compressed, each call a second after the other; the writer runs on."""
    written = Written(here / ".holdfast", segment_bytes=2500).open()
    for entry in (
        call("c0"),
        call("c1", tool="create_escrow", outcome="failed", status=502, cost_micros=50_000),
        call("c2", agent="buyer-é", workflow="w1", cost_micros=2_000_000),
        Intent("c3"),
        call("c3", tool=EVIL, agent="=cmd", code="deny", outcome="refused"),
        call("c4", workflow="w1"),
    ):
        written.clock.advance(1)
        written.journal.note(entry)
        written.round()
    written.tidy()
    assert [file.closed for file in written.folder.segments()] == [True, False]
    yield here / ".holdfast"
    written.die()


def words(text):
    return " ".join(text.split())


def told(ran):
    return [json.loads(line) for line in ran.out.splitlines()]


def found(holdfast, *arguments):
    ran = holdfast("audit", "query", *arguments, "--json")
    assert (ran.code, ran.err) == (0, "")
    return [record["id"] for record in told(ran) if record["type"] != "checkpoint"]


def test_show_by_id(holdfast, log):
    """Each member on its line; of a call, its intent and its end."""
    ran = holdfast("audit", "show", "c3")

    assert (ran.code, ran.err) == (0, "")
    intent, end = ran.out.split("\n\n")
    assert intent.startswith("seq   ")
    assert "type    call.intent\n" in intent
    assert 'attempts        [{"n": 1, "result": "success"' in end


def test_show_by_seq(holdfast, log):
    """The exact line, where it holds nothing that a terminal would act upon."""
    ran = holdfast("audit", "show", "2", "--json")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.encode() == lines(log)[1] + b"\n"


def test_show_of_what_is_not_there(holdfast, log):
    """Exit 1, and what to do."""
    for name in ("nobody", "9999", "0", "9" * 30, "²"):
        ran = holdfast("audit", "show", name)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith(f"holdfast: there is no record {name}; ")


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_show_of_what_is_no_record(holdfast, log, flags):
    """Exit 1: the line begins as one, and is none."""
    with Folder(log).segments()[-1].path.open("ab") as file:
        file.write(b'{"seq":50,"id":\n')
        file.write(b'{"seq":51,"id":"","ts":"","type":"","x":%b}\n' % (b"9" * 5000))
    ran = holdfast("audit", "show", "50", *flags)

    assert (ran.code, ran.out) == (1, "")
    assert "see holdfast audit verify" in ran.err


def test_nothing_reaches_the_terminal_as_it_was_written(holdfast, log):
    """Whatever an agent wrote, whatever the form."""
    for arguments in (
        ["show", "c3"], ["show", "c3", "--json"], ["tail"], ["tail", "--json"], ["query"],
        ["query", "--json"], ["query", "--csv"], ["export", "--cloudevents"],
    ):  # fmt: skip
        ran = holdfast("audit", *arguments)

        assert ran.code == 0
        assert "owned" in ran.out
        assert not set(EVIL) - set("]0;owned31m") & set(ran.out)
    assert told(holdfast("audit", "show", "c3", "--json"))[1]["tool"] == EVIL


def test_tail(holdfast, log):
    """The last ones, the newest last, under a head."""
    head, *rows = holdfast("audit", "tail", "-n", "2").out.splitlines()

    assert words(head) == "SEQ TIME (UTC) AGENT WHAT OUTCOME HTTP MS CODE"
    assert [int(row.split()[0]) for row in rows] == [len(lines(log)) - 1, len(lines(log))]
    assert rows[1].split()[3:] == ["pricing-01", "deposit", "ok", "200", "12.3"]
    assert rows[0].endswith("  deny")
    assert [record["id"] for record in told(holdfast("audit", "tail", "-n", "1", "--json"))] == [
        "c4"
    ]
    assert len(holdfast("audit", "tail").out.splitlines()) == 1 + len(lines(log))


def test_tail_follows(holdfast, log, monkeypatch):
    """What is written from then on, until interrupted; then it is done."""
    looks = iter(range(2))

    def pause():
        for _ in looks:
            path = Folder(log).segments()[-1].path
            last = lines(log)[-1].replace(b'"id":"', b'"id":"d').replace(b'"seq":', b'"seq":1')
            with path.open("ab") as file:
                file.write(last + b"\n")
            return
        raise KeyboardInterrupt

    monkeypatch.setattr(audit_records, "_pause", pause)
    ran = holdfast("audit", "tail", "-n", "1", "--follow", "--json")

    assert (ran.code, ran.err) == (0, "")
    assert [record["id"] for record in told(ran)] == ["c4", "dc4", "ddc4"]


def test_following_writes_all_that_is_new(capsys):
    """Without a head, and nothing twice that was shown before."""
    old, new = (b'{"seq":%d,"id":"a","ts":"","type":"start"}' % seq for seq in (1, 2))
    looks = iter([[[old, new]], []])

    def more():
        for blocks in looks:
            return iter(blocks)
        raise KeyboardInterrupt

    assert following(more, audit_records._write_table, lambda: None, after=1) == 0
    assert capsys.readouterr().out.split() == ["2", "start"]


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ([], ["c0", "c1", "c2", "c3", "c3", "c4"]),
        (["--newest"], ["c4", "c3", "c3", "c2", "c1", "c0"]),
        (["--newest", "-n", "2"], ["c4", "c3"]),
        (["--agent", "pricing-01"], ["c0", "c1", "c4"]),
        (["--agent", "buyer-*", "--agent", "=cmd"], ["c2", "c3"]),
        (["--tool", "create_*"], ["c1"]),
        (["--outcome", "failed"], ["c1"]),
        (["--workflow", "w1"], ["c2", "c4"]),
        (["--upstream", "gateway", "--task", "t"], []),
        (["--type", "call.intent"], ["c3"]),
        (["--min-cost", "0.05"], ["c1", "c2"]),
        (["--min-cost", "0.05", "--max-cost", "1"], ["c1"]),
        (["--agent", "*", "--until", "2023-11-14T22:30:02"], ["c0"]),
        (["--since", "2023-11-14T22:30:05+00:00"], ["c3", "c4"]),
        (["--since", "1h"], []),
        (["--until", "1h", "--outcome", "refused"], ["c3"]),
        (["--since", "999999999999d", "--workflow", "w1"], ["c2", "c4"]),
    ],
)
def test_query(holdfast, log, asked, ids):
    """All that is asked for must fit."""
    assert found(holdfast, *asked) == ids


def test_query_as_a_table(holdfast, log):
    """For people: one line each."""
    ran = holdfast("audit", "query", "--type", "call.*")
    rows = ran.out.splitlines()

    assert len(rows) == 7
    assert " create_escrow  " in rows[2]
    assert rows[4].endswith(" call.intent")


def test_query_as_csv(holdfast, log):
    """For a spreadsheet, in which text never becomes a formula."""
    ran = holdfast("audit", "query", "--csv", "--type", "call.finished")
    rows = list(csv.DictReader(io.StringIO(ran.out)))

    assert [row["id"] for row in rows] == ["c0", "c1", "c2", "c3", "c4"]
    assert (rows[1]["cost_micros"], rows[1]["outcome"]) == ("50000", "failed")
    assert rows[3]["agent"] == "'=cmd"
    assert rows[2]["agent"] == "buyer-é"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["query", "--json", "--csv"], "exclude each other"),
        (["query", "--since", "yesterday"], "--since must be a time such as"),
        (["query", "--until", "2026-13-01"], "--until must be a time such as"),
        (["query", "--since", "0001-01-01T00:00+14:00"], "--since must be a time such as"),
        (["query", "--min-cost", "-1"], "--min-cost must be money such as"),
        (["query", "--max-cost", "0.0000001"], "--max-cost must be money such as"),
        (["query", "-n", "0"], "--limit"),
        (["export"], "choose a form: --cloudevents or --focus"),
        (["export", "--focus", "--cloudevents"], "choose a form"),
    ],
)
def test_wrong_usage(holdfast, log, arguments, why):
    """Exit 64, in one line."""
    ran = holdfast("audit", *arguments)

    assert (ran.code, ran.out) == (64, "")
    assert why in ran.err
    assert ran.err.count("\n") == 1


def test_events(holdfast, log):
    """CloudEvents 1.0: one for each record, which is its data."""
    events = told(holdfast("audit", "export", "--cloudevents"))

    assert [event["data"] for event in events] == [json.loads(line) for line in lines(log)]
    assert len({event["id"] for event in events}) == len(events)
    last = events[-1]
    assert last.pop("data")["hash"] == last.pop("id")
    assert last == {
        "specversion": "1.0",
        "source": "holdfast/default/holdfast",
        "type": "dev.holdfast.call.finished",
        "subject": "c4",
        "time": "2023-11-14T22:30:06.000000000Z",
        "sequence": f"{len(events):020}",
        "datacontenttype": "application/json",
    }
    assert len(told(holdfast("audit", "export", "--cloudevents", "--since", "1h"))) == 0


def test_costs_come_later(holdfast, log):
    """And it says so."""
    ran = holdfast("audit", "export", "--focus")

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "holdfast: no FOCUS rows: this version keeps no costs; use --cloudevents\n"


COMMANDS = (["show", "c4"], ["tail"], ["query"], ["export", "--cloudevents"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_where_there_is_no_journal(holdfast, here, command):
    """Exit 2, and how to name another."""
    ran = holdfast("audit", *command)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "holdfast: there is no journal in .holdfast; --data-dir names another\n"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_segment_that_is_broken(holdfast, log, command):
    """The rest is shown, and the exit code is 1."""
    path = Folder(log).segments()[0].path
    path.write_bytes(path.read_bytes()[:-9])
    ran = holdfast("audit", *command)

    assert ran.code == 1
    assert "c4" in ran.out or "deposit" in ran.out
    assert "not all was read: 00000001.jsonl.gz cannot be unpacked: " in ran.err


def test_lines_that_are_no_records(holdfast, log):
    """Are left out, and counted."""
    with Folder(log).segments()[-1].path.open("ab") as file:
        file.write(b"nonsense\n\xff\n")
    ran = holdfast("audit", "query", "--json")

    assert ran.code == 1
    assert len(told(ran)) == len(lines(log)) - 2
    assert "2 lines are no records, and were left out; see holdfast audit verify" in ran.err


def test_another_data_dir(holdfast, log, here):
    """Whose place it is, whatever the settings say."""
    log.rename(here / "elsewhere")
    ran = holdfast("audit", "tail", "--json", "--data-dir", "elsewhere")

    assert told(ran)[-1]["id"] == "c4"
