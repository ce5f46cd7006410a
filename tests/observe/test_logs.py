"""proxy/observe/logs.py"""

import io
import json
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.news import AlertChange, CircuitChange, Escalation, Looped, ReloadChange
from proxy.observe.logs import CallLog, Log
from tests.fakes import FakeClock
from tests.observe.records import record


class Written:
    """A log, and the lines it wrote."""

    def __init__(self, form: str = "json", level: str = "info") -> None:
        self.clock = FakeClock()
        self.stream = io.StringIO()
        self.log = Log(self.clock, level, form, self.stream)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def written():
    made = Written()
    yield made
    made.log.close()


@pytest.fixture
def terminal():
    made = Written("text")
    yield made
    made.log.close()


def broken(value: str) -> Exception:
    """An error that quotes what it was given, as it was caught."""
    try:
        raise ValueError(f"cannot read {value}")
    except ValueError as error:
        return error


def test_an_event_is_one_line_of_json(written):
    """With its time, level, name and fields."""
    written.log.event("ready", listen="127.0.0.1:8700", upstreams=2)
    (line,) = written.lines
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("ts"))
    assert line == {"level": "info", "event": "ready", "listen": "127.0.0.1:8700", "upstreams": 2}


def test_an_event_is_one_line_of_text_on_a_terminal(terminal):
    """Words stand bare, all else in quotes."""
    terminal.log.event("ready", listen="127.0.0.1:8700", note="two words", count=2)
    assert terminal.text.endswith(
        "ready            listen=127.0.0.1:8700 note='two words' count=2\n"
    )


@given(st.text(), st.sampled_from(["json", "text"]))
def test_no_value_makes_a_second_line(value, form):
    """Nor does one raise: a name that an agent chose is not to be trusted."""
    written = Written(form)
    written.log.event("circuit", tool=value, problems=[value])
    written.log.close()
    assert written.text.count("\n") == 1
    assert written.text.endswith("\n")


def test_nothing_moves_the_cursor_of_a_terminal(terminal):
    """Escape sequences are written out."""
    terminal.log.event("circuit", tool="\x1b[2Jgone")
    assert "\x1b" not in terminal.text


def test_values_are_short(written):
    """A line stays a line."""
    written.log.event("circuit", tool="x" * 10_000)
    assert len(written.text) < 700


def test_an_error_is_told_without_its_words(written):
    """They often quote what was being read."""
    written.log.failure("bug", broken("sk-secret"), call="c-1")
    (line,) = written.lines
    assert (line["level"], line["error"], line["call"]) == ("error", "ValueError", "c-1")
    assert line["at"][-1].endswith("broken")
    assert "sk-secret" not in written.text


def test_an_error_of_the_system_says_why(written):
    """Its words are the system's own."""
    written.log.failure("listen_failed", OSError(98, "Address already in use"))
    assert written.lines[0]["why"] == "Address already in use"


def test_malformed_input_is_one_line_a_second_for_each_reason(written):
    """The next line says how many there were meanwhile."""
    for _ in range(5):
        written.log.limited("bad_request", "bare_lf")
    written.log.limited("bad_request", "obs_fold")
    written.clock.advance(1.0)
    written.log.limited("bad_request", "bare_lf")
    written.clock.advance(1.0)
    written.log.limited("bad_request", "bare_lf")
    assert [(line["reason"], line.get("suppressed")) for line in written.lines] == [
        ("bare_lf", None),
        ("obs_fold", None),
        ("bare_lf", 4),
        ("bare_lf", None),
    ]


def test_bugs_are_one_line_a_second_for_each_type(written):
    """An agent that found one can repeat it as fast as it likes; errors of other types are told."""
    for _ in range(5):
        written.log.bug(broken("sk-secret"))
    written.log.bug(KeyError("sk-secret"))
    written.clock.advance(1.0)
    written.log.bug(broken("sk-secret"))
    assert [(line["level"], line["error"], line.get("suppressed")) for line in written.lines] == [
        ("error", "ValueError", None),
        ("error", "KeyError", None),
        ("error", "ValueError", 4),
    ]
    assert written.lines[0]["at"]
    assert "sk-secret" not in written.text


def test_lines_under_the_level_are_not_written():
    """`log.level: warning` leaves only what needs a look."""
    written = Written(level="warning")
    written.log.event("ready")
    written.log.warning("reload_rejected")
    written.log.close()
    assert [line["event"] for line in written.lines] == ["reload_rejected"]


def test_nothing_is_made_of_what_nobody_reads():
    """A level over warning: a flood of malformed requests costs a comparison each."""
    written = Written(level="error")
    written.log.limited("bad_request", "bare_lf")
    written.log.close()
    assert written.text == ""


def test_a_library_is_quoted_up_to_its_first_value(written):
    """asyncio quotes the arguments of a callback that raised: the bytes of a request."""
    logger = logging.getLogger("asyncio")
    error = broken("sk-secret")
    message = "Exception in callback Wire.data_received(b'Authorization: sk-secret')"
    logger.error(message, exc_info=error)
    logger.warning("slow: %s", "sk-secret")
    assert [line["message"] for line in written.lines] == [
        "Exception in callback Wire.data_received",
        "slow",
    ]
    assert written.lines[0]["error"] == "ValueError"
    assert "sk-secret" not in written.text


def test_a_closed_log_hears_no_library(written):
    """Logs of proxies that are gone do not pile up in a process."""
    written.log.close()
    logging.getLogger("asyncio").error("too late")
    assert written.text == ""


def test_a_standard_error_that_is_gone_stops_nothing(written):
    """A log line is not worth a call."""
    written.stream.close()
    written.log.event("ready")
    assert written.stream.closed


def test_a_change_of_a_circuit_is_an_event(written):
    """An opening is a warning, what follows is not."""
    for before, after in (("closed", "open"), ("open", "half_open")):
        written.log.hear(CircuitChange("gateway", "deposit", before, after, "rate", 5.0))
    assert [(line["level"], line["event"], line["after"]) for line in written.lines] == [
        ("warning", "circuit", "open"),
        ("info", "circuit", "half_open"),
    ]


@pytest.mark.parametrize("bulkhead", ["", "core"])
def test_whose_circuit_it_is_stands_in_the_event(written, bulkhead):
    """Bulkheads have circuits of their own; who is in none need not know the word."""
    written.log.hear(CircuitChange("gateway", "", "closed", "open", "rate", 5.0, bulkhead))
    (line,) = written.lines
    assert line.get("bulkhead") == (bulkhead or None)
    assert line["tool"] == ""  # the upstream's own


def test_an_escalation_is_one_line_a_second(written):
    """A person is to see it, and an agent can cause as many as it likes."""
    for upstream in ("gateway", "gateway", "bank"):
        written.log.hear(Escalation(upstream, "deposit", "ann", 403))
    assert [(line["level"], line["event"], line["upstream"]) for line in written.lines] == [
        ("warning", "escalated", "gateway"),
        ("warning", "escalated", "bank"),
    ]
    assert (written.lines[0]["tool"], written.lines[0]["agent"]) == ("deposit", "ann")


def test_loops_are_limited_as_well(written):
    """An agent can run into the loop guard as often as it likes."""
    for upstream in ("gateway", "gateway", "bank"):
        written.log.hear(Looped("same", "refuse", "ann", upstream, "search"))
    assert [(line["event"], line["upstream"]) for line in written.lines] == [
        ("loop", "gateway"),
        ("loop", "bank"),
    ]
    assert "workflow" not in written.lines[0]


def test_of_a_reload_the_app_says_more(written):
    """So nothing is said twice."""
    written.log.hear(ReloadChange("failed", "ab12", ("p.yaml:1: x",)))
    assert written.lines == []


def test_an_alert_is_a_line(written):
    """What fires is a warning, unless it is for information only."""
    for state, severity in (("firing", "page"), ("firing", "info"), ("resolved", "page")):
        written.log.hear(AlertChange("i", state, "A", severity, "s", {"upstream": "u"}))
    assert [(line["level"], line["state"]) for line in written.lines] == [
        ("warning", "firing"),
        ("info", "firing"),
        ("info", "resolved"),
    ]


def test_a_call_is_one_line(written):
    """Who called what, and what came of it; what is empty is left out."""
    CallLog(written.log).note(record())
    (line,) = written.lines
    assert (line["event"], line["id"], line["tool"]) == ("call", "c-1", "get_balance")
    assert (line["outcome"], line["attempts"]) == ("ok", 1)
    assert "code" not in line
