"""docs/sandbox.md: its calls are answered as it says, and it knows every fault."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from proxy.lab.sandbox import faults, in_stream
from proxy.lab.sandbox.gateway import start

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "sandbox.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)```\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("line", "answer"), EXAMPLES)
async def test_its_calls_are_answered_as_it_says(line: str, answer: str) -> None:
    """To the byte: answers are made of the request and the seed."""
    sandbox = await start("127.0.0.1:0")
    try:
        here = line.replace("http://127.0.0.1:8790", sandbox.url)
        child = await asyncio.create_subprocess_shell(here, stdout=asyncio.subprocess.PIPE)
        printed, _ = await child.communicate()
    finally:
        await sandbox.close()
    assert printed.decode().strip() == answer.strip()


def test_it_knows_every_fault() -> None:
    """And every option of a stream."""
    known = (*faults.KINDS, *in_stream.OPTIONS, *in_stream.FAILURES)
    assert [name for name in known if not re.search(rf"[`\"]{name}[`\"]", PAGE)] == []
