"""Traces: spans of calls, by OpenTelemetry.

A call has three kinds of them. One for its request (SERVER), below it one for what was asked for (a
model's answer, a tool), and below that one for each sending (CLIENT), whose id is the only one that
an upstream sees. `tracer.py` writes what goes upstream and, when a call has ended, notes what its
spans are made from (`finished.py`); a thread makes them (`spans.py`, by the names in `names.py`)
and posts them (`outbox.py`). Only `otlp.py` knows OpenTelemetry.
"""
