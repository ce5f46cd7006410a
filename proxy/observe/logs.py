"""Logs: one line on standard error for each event that a person should know.

JSON, or text for terminals. Never a payload and never a credential: fields are named one by one by
whoever logs, and an exception is logged by its type and place, for its message often quotes what it
was given. Events that an agent can cause at will are limited to one line a second for each reason.
"""

import contextlib
import logging
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any, TextIO

import msgspec

from proxy.clock import Clock
from proxy.news import Change, Escalation, Event, Looped, ReloadChange
from proxy.record import Record
from proxy.units import in_utc

_EACH_SECONDS = 1.0
_LONGEST = 500  # characters of one value
_FRAMES = 5  # of an exception: the innermost places it came through
_BEFORE_A_VALUE = re.compile(r"[\n<({\['\":%]")
_PLAIN = re.compile(r"[\w./:@+-]+")

Fields = dict[str, Any]


class Log:
    """Where events are written. `close` it: it also listens to the libraries' own loggers."""

    def __init__(
        self,
        clock: Clock,
        level: str = "info",
        form: str | None = None,
        stream: TextIO | None = None,
    ) -> None:
        """`form`: json or text; None: text if `stream` (standard error) is a terminal."""
        stream = sys.stderr if stream is None else stream
        text = form == "text" or (form is None and stream.isatty())
        self._clock = clock
        self._handler = _Lines(stream, _Text() if text else _Json())
        self._handler.setLevel(level.upper())  # for the libraries' loggers
        self._logger = logging.Logger("holdfast")  # noqa: LOG001 -- two Holdfasts are two logs
        self._logger.setLevel(level.upper())
        self._logger.addHandler(self._handler)
        self._limits: dict[tuple[str, str], _Limit] = {}
        logging.getLogger().addHandler(self._handler)

    def close(self) -> None:
        """Leave the libraries' loggers alone."""
        logging.getLogger().removeHandler(self._handler)

    def event(self, name: str, **fields: Any) -> None:
        """Something that a person should know."""
        self._write(logging.INFO, name, fields)

    def warning(self, name: str, **fields: Any) -> None:
        """Something that a person should look at soon."""
        self._write(logging.WARNING, name, fields)

    def error(self, name: str, **fields: Any) -> None:
        """Something that a person must mend."""
        self._write(logging.ERROR, name, fields)

    def failure(self, name: str, error: BaseException, **fields: Any) -> None:
        """Something broke. Of the error its type and place are told."""
        self._write(logging.ERROR, name, {**fields, **_told(error)})

    def limited(self, name: str, reason: str, **fields: Any) -> None:
        """A warning that an agent can cause at will: one line a second for each of *our* reasons.

        The next line says how many were `suppressed` since the last.
        """
        self._limited(logging.WARNING, name, reason, lambda: {"reason": reason, **fields})

    def bug(self, error: BaseException, call: str = "") -> None:
        """A call met an error of ours; the same limit, for each type of error. `call`: its id."""
        about = {"call": call} if call else {}
        self._limited(logging.ERROR, "bug", type(error).__name__, lambda: about | _told(error))

    def hear(self, event: Event) -> None:
        """Listens to the news."""
        if isinstance(event, Escalation | Looped):
            self._asked_for(event)
        elif not isinstance(event, ReloadChange):  # of which the log has more to say
            self._changed(event)

    def _changed(self, change: Change) -> None:
        fields: Fields = msgspec.to_builtins(change)
        self._write(logging.WARNING if change.grave else logging.INFO, change.word, fields)

    def _asked_for(self, event: Escalation | Looped) -> None:
        """An agent can cause them at will: one line a second for each upstream."""
        told = {name: value for name, value in msgspec.structs.asdict(event).items() if value}
        self._limited(logging.WARNING, event.word, event.upstream, lambda: told)

    def _limited(self, level: int, name: str, reason: str, told: Callable[[], Fields]) -> None:
        limit = self._limits.setdefault((name, reason), _Limit())
        now = self._clock.now()
        if now < limit.until:
            limit.suppressed += 1
            return
        suppressed, limit.suppressed = limit.suppressed, 0
        limit.until = now + _EACH_SECONDS
        more = {"suppressed": suppressed} if suppressed else {}
        self._write(level, name, told() | more)

    def _write(self, level: int, name: str, fields: Fields) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, name, extra={"fields": fields})


class CallLog:
    """A recorder that logs each call; only made when `log.calls` asks for it."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def note(self, record: Record) -> None:
        """One line: who called what, and what came of it."""
        fields = {name: getattr(record, name) for name in _OF_A_CALL if getattr(record, name) != ""}
        self._log.event("call", **fields, attempts=len(record.attempts))


_OF_A_CALL = (
    "id", "agent", "upstream", "layer", "tool", "method", "workflow", "task", "outcome", "code",
    "policy", "executed", "status", "duration_us", "overhead_us", "detail", "trace",
)  # fmt: skip


class _Limit:
    """When the next line of one reason may be written, and how many were not."""

    __slots__ = ("suppressed", "until")

    def __init__(self) -> None:
        self.until = float("-inf")
        self.suppressed = 0


class _Lines(logging.Handler):
    """Writes lines. A standard error that is closed or full must not stop a call."""

    def __init__(self, stream: TextIO, formatter: logging.Formatter) -> None:
        super().__init__()
        self._stream = stream
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(self.format(record) + "\n")
            self._stream.flush()


class _Json(logging.Formatter):
    """`{"ts": …, "level": …, "event": …, fields…}`; `ts` is RFC 3339, UTC, to the millisecond."""

    def format(self, record: logging.LogRecord) -> str:
        name, fields = _event_of(record)
        head = {"ts": _time(record), "level": record.levelname.lower(), "event": name}
        return msgspec.json.encode(head | fields, enc_hook=str).decode()


class _Text(logging.Formatter):
    """`12:00:01 level event  field=value …`; a value that is more than a word stands in quotes."""

    def format(self, record: logging.LogRecord) -> str:
        name, fields = _event_of(record)
        values = " ".join(f"{key}={_word(value)}" for key, value in fields.items())
        return f"{_time(record)[11:19]} {record.levelname.lower():7} {name:16} {values}".rstrip()


def _event_of(record: logging.LogRecord) -> tuple[str, Fields]:
    fields: Fields | None = getattr(record, "fields", None)
    if fields is None:
        return "library", _of_library(record)
    return record.getMessage(), {key: _shown(value) for key, value in fields.items()}


def _of_library(record: logging.LogRecord) -> Fields:
    """A library's line: the fixed words it begins with, and where its exception came from.

    Values are put into such messages by people who do not know what may stand in them; asyncio, for
    one, quotes the arguments of a callback that raised: the bytes of a request.
    """
    words = _BEFORE_A_VALUE.split(_shown(str(record.msg)), maxsplit=1)[0].strip()
    error = record.exc_info[1] if record.exc_info else None
    return {"logger": record.name, "message": words} | (_told(error) if error else {})


def _told(error: BaseException) -> Fields:
    """Type and places of an exception; its words only where the system wrote them."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    told: Fields = {"error": type(error).__name__}
    if isinstance(error, OSError) and error.strerror:
        told["why"] = _shown(error.strerror)
    if frames:
        told["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return told


def _shown(value: Any) -> Any:
    """Short, and encodable, whatever was passed."""
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    if not isinstance(value, str):
        return value
    text = value if len(value) <= _LONGEST else value[:_LONGEST] + "…"
    return text.encode("utf-8", "backslashreplace").decode()


def _word(value: Any) -> str:
    """A value on a terminal: nothing that moves the cursor or begins a new line."""
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    return text if _PLAIN.fullmatch(text) else ascii(text)


def _time(record: logging.LogRecord) -> str:
    return in_utc(record.created)
