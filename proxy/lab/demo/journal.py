"""What happened is on the disk, adds up, and cannot be changed without being seen."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from proxy.journal.folder import Folder
from proxy.journal.records import Records
from proxy.journal.verify import Verdict, verify
from proxy.lab.demo.play import OPERATOR, Play
from proxy.lab.demo.policies import AGENT, PRICES
from proxy.record import Record
from proxy.state.price import dollars


async def journal(play: Play) -> None:
    """Verified, added up, forged."""
    # A write is answered when its own record is on the disk, and all before it are.
    last = await play.call("deposit", agent_id=AGENT, amount="5.00")
    play.tell("agent", "makes a last deposit: it is answered when its record is on the disk")
    play.tell("holdfast", last.told())
    play.expect(f"it went through: {last.status}", last.went)
    await _sums(play)
    verdict = await asyncio.to_thread(verify, play.cast.data_dir)
    play.tell("verify", verdict.why)
    play.expect("audit verify finds nothing wrong", verdict.exit == 0)
    told = _finished(play.cast.data_dir)
    told_of = play.calls <= {each["id"] for each in told}
    play.expect(f"each of the agent's {len(play.calls)} calls has its record", told_of)
    play.tell("mallory", "makes a refused call one that was let through, in a copy of it")
    forged = await asyncio.to_thread(_forged, play.cast.data_dir)
    play.tell("verify", forged.why)
    play.expect("the changed record is named", forged.exit == 1 and bool(forged.integrity.bad))


async def _sums(play: Play) -> None:
    _, page = await play.ask(OPERATOR, "GET", "/v1/budgets?budget=all")
    windows = [window for item in page.get("items", []) for window in item["windows"]]
    ledger = ", ".join(window["spent"] for window in windows)
    records = sum(each.get("cost_micros", 0) for each in _finished(play.cast.data_dir))
    heard = sum(count * _price(tool) for tool, count in play.gateway.calls.by_tool.items())
    sums = {"ledger": ledger, "records": dollars(records), "gateway": dollars(heard)}
    play.tell(
        "money",
        f"the ledger has {ledger} USD spent; the records add up to {sums['records']}; "
        f"what the gateway heard, at these prices, is {sums['gateway']}",
    )
    play.expect("the three are the same, to the micro-dollar", len(set(sums.values())) == 1)


def _price(tool: str) -> int:
    return next(micros for name, micros in PRICES.items() if fnmatchcase(tool, name))


def _finished(data_dir: Path) -> list[dict[str, Any]]:
    """The records of calls that have ended."""
    return [each for each in _lines(data_dir) if each.get("type") == Record.type]


def _lines(data_dir: Path) -> Iterator[dict[str, Any]]:
    for lines in Records(data_dir).oldest_first():
        yield from map(msgspec.json.decode, lines)


def _forged(data_dir: Path) -> Verdict:
    """What is said of a copy in which one word is another."""
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(data_dir, copy, ignore=shutil.ignore_patterns("*.sock", "*.tmp"))
        for file in Folder(copy).segments():
            content = file.path.read_bytes()
            file.path.write_bytes(
                content.replace(b'"decision":"refuse"', b'"decision":"allow" ', 1)
            )
        return verify(copy)
