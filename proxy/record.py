"""The record: the one fact kept of a finished call. Metrics and logs are drawn from it alone."""

import msgspec


class AttemptRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sending, as it ended; `ms` are whole milliseconds."""

    n: int
    result: str
    ms: int
    upstream: str
    status: int = 0  # 0: no answer came


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One finished call. No floats; durations are whole microseconds (`_us`)."""

    id: str
    agent: str
    upstream: str
    protocol: str
    layer: str
    tool: str
    method: str
    policy_version: str
    decision: str  # allow | refuse
    outcome: str  # ok | failed | refused | truncated | cancelled
    executed: str  # no | yes | unknown
    status: int
    attempts: tuple[AttemptRecord, ...]
    duration_us: int
    overhead_us: int  # our own time, without any waiting for others
    ttfb_us: int = -1  # -1: nothing was sent to the agent
    code: str = ""  # of a refusal, or why a call failed
    policy: str = ""  # the policy that refused
    workflow: str = ""
    task: str = ""
