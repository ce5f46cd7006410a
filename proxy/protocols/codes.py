"""What a refusal is called in JSON-RPC: outside of what it, MCP and A2A keep for themselves.

What a client should go by is in `data`, the same problem as everywhere.
"""

CODES = {
    "killed": 7001,
    "denied": 7002,
    "approval_pending": 7003,
    "approval_denied": 7004,
    "approval_expired": 7005,
    "budget_exceeded": 7006,
    "loop_detected": 7007,
    "deadlock": 7008,
    "proxy_loop": 7009,
    "rate_limited": 7020,
    "bulkhead_full": 7021,
    "circuit_open": 7022,
    "overloaded": 7023,
    "journal_unavailable": 7024,
    "shutting_down": 7025,
    "store_unavailable": 7026,
    "deadline_exceeded": 7040,
    "upstream_timeout": 7041,
    "upstream_unreachable": 7042,
    "upstream_disconnected": 7043,
    "truncated": 7044,
    "bad_upstream_response": 7045,
    "internal_error": 7046,
    "bad_request": 7060,
    "ambiguous_call": 7061,
    "body_too_large": 7062,
    "head_too_large": 7063,
    "unsupported_encoding": 7064,
    "request_timeout": 7065,
    "no_route": 7066,
    "method_refused": 7067,
    "unknown_method": 7068,
}
"""What a refusal is called in JSON-RPC: 7001 to 7019 what somebody decided, 7020 to 7039 what waits
for better times, 7040 to 7059 what the upstream or we failed at, from 7060 on what was wrong with
the request."""
OTHER = 7000
"""A code that is not in the table."""
