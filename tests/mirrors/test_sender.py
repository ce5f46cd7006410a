"""proxy/mirrors/sender.py: nothing is imported before something is sent."""

import asyncio
import subprocess
import sys

from proxy.mirrors.sender import Sender
from tests.fakes import FakeClock
from tests.harness import RawUpstream, within

SCRIPT = """
import sys
from proxy.clock import Clock
from proxy.mirrors.sender import Sender
Sender(Clock())
print("aiohttp" in sys.modules)
"""


def test_nothing_is_imported_at_the_start() -> None:
    """aiohttp takes longer than all the rest."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=30
    )
    assert ran.stdout == "False\n"


async def test_it_sends() -> None:
    """Also where two begin at once."""
    async with RawUpstream() as far:
        sender = Sender(FakeClock())
        both = [sender(far.url, b"a", (), private=True) for _ in range(2)]
        assert [each.taken for each in await within(asyncio.gather(*both))] == [True, True]
        await sender.close()
        await sender.close()
