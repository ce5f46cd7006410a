"""Prometheus itself, for tests: the programs `promtool` and `prometheus`.

They are looked for in the folder that HOLDFAST_TEST_PROMETHEUS names, else on the PATH. Debian's
package `prometheus` has both. Where they are missing such tests are skipped: what they would show
needs Prometheus, and most machines have none.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers import free_port

FOLDER = os.environ.get("HOLDFAST_TEST_PROMETHEUS")
PROMTOOL = shutil.which("promtool", path=FOLDER)
PROMETHEUS = shutil.which("prometheus", path=FOLDER)

needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="no promtool: see HOLDFAST_TEST_PROMETHEUS in CONTRIBUTING.md"
)
needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None, reason="no prometheus: see HOLDFAST_TEST_PROMETHEUS in CONTRIBUTING.md"
)


def promtool(
    *arguments: str | Path, given: bytes | None = None
) -> subprocess.CompletedProcess[str]:
    """What it said; it does not raise where it found something."""
    assert PROMTOOL is not None
    told = None if given is None else given.decode()
    command = [PROMTOOL, *map(str, arguments)]
    return subprocess.run(command, input=told, capture_output=True, text=True, check=False)


def rule_test(folder: Path, groups: list[dict[str, Any]], tests: list[dict[str, Any]]) -> str:
    """Have it run the tests of these rules; empty: all of them hold, else what it said."""
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    asked = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (folder / "tests.yaml").write_text(yaml.safe_dump(asked))
    ran = promtool("test", "rules", folder / "tests.yaml")
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


@contextlib.asynccontextmanager
async def prometheus(folder: Path, target: str, groups: list[dict[str, Any]]) -> AsyncIterator[str]:
    """One that scrapes `target` twice a second and follows these rules; its address."""
    assert PROMETHEUS is not None
    job = {"job_name": "holdfast", "static_configs": [{"targets": [target]}]}
    config = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [job],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    listen = f"127.0.0.1:{free_port()}"
    command = [
        PROMETHEUS,
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={listen}",
        "--enable-feature=exemplar-storage",
        "--log.level=error",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        running = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        yield listen
    finally:
        running.terminate()
        await running.wait()
