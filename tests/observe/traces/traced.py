"""Calls that have ended, as spans are made from them."""

from typing import Any

from msgspec.structs import replace

from proxy.observe.traces.finished import Finished, Sent, Where
from proxy.protocols.protocol import Described
from proxy.protocols.trace import Trace
from proxy.record import Record
from tests.observe.records import record as record_of

TRACE, PARENT = "a" * 32, "b" * 16
REQUEST, CALL = "c" * 16, "d" * 16
WHERE = Where("https://up.test:8443/base", "up.test", 8443, "/llm")


def sent(**changes: Any) -> Sent:
    """A sending that went well."""
    return replace(Sent("e" * 16, 1.0, 2.0, "gateway", WHERE, 200), **changes)


def finished(
    *sendings: Sent, said: Described | None = None, record: Record | None = None, **changes: Any
) -> Finished:
    """A call that was sent so; `changes` are to what is noted of it."""
    made = Finished(
        record_of() if record is None else record,
        Trace(TRACE, PARENT, "01", True, True),
        REQUEST,
        True,
        CALL,
        0.5,
        2.5,
        1_700_000_000.0,
        "POST",
        "/v1/x",
        WHERE,
        said or Described(),
        sent=sendings,
    )
    return replace(made, **changes)
