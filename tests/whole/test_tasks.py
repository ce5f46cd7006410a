"""Tasks and what follows from budgets that are used up, over real sockets."""

import hashlib
import json
import signal
from typing import Any

import pytest

from tests.harness import (
    OK,
    Proxy,
    RawUpstream,
    answer,
    breathe,
    holdfast,
    raw_call,
    request,
    within,
)
from tests.harness.process import Process, holdfast_process
from tests.journal.written import lines
from tests.whole.test_slos import again, put

pytestmark = pytest.mark.asyncio(loop_scope="module")

BROKEN = answer(500, body=b"{}")
POLICIES = """
policies: [{name: p, effect: read, retry: false, breaker: false}]
slos:
  - {name: done, sli: success, per: task, objective: 0.5, idle: 5s, terminal_tools: [release_*]}
"""


async def call(process: Process | Proxy, task: str, *headers: str, tool: str = "get_x") -> bytes:
    """One of a task."""
    own = (f"holdfast-task: {task}", *headers)
    return await raw_call(
        process.listen, request(f"/v1/{tool}", "Connection: close", *own, method="POST", body=b"{}")
    )


async def admin(process: Process | Proxy, path: str, body: Any = None, *headers: str) -> Any:
    """What the admin side says; to a change at the socket of its owner."""
    method = "GET" if body is None else "POST"
    content = b"" if body is None else json.dumps(body).encode()
    if body is not None and not headers:
        return await _by_socket(process, path, content)
    told = await raw_call(
        process.admin, request(path, "Connection: close", *headers, method=method, body=content)
    )
    head, _, rest = told.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(rest)
