"""`make bench`: Holdfast, a bare relay and Envoy, measured in one run on one machine.

python -m tests.bench [--quick] [--only NAME]... [--base COMMIT] [--json FILE]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tests.bench import (
    before,
    budgets,
    calls,
    cold_start,
    dashboards,
    journal,
    scrape,
    sections,
    smooth,
    store,
    streams,
    told,
    traces,
    upload,
)
from tests.bench.load import Load
from tests.bench.peers import STARTERS, Peer, Yard
from tests.bench.process import Cores, Missing, raise_file_limit
from tests.bench.report import report
from tests.bench.targets import Results, targets
from tests.servers import RedisServer

MEASUREMENTS = (
    *("calls", "sections", "journal", "budgets", "store", "traces", "told", "dashboards"),
    *("upload", "streams", "models", "scrape", "start"),
)
LARGE_PEERS = ("direct", "holdfast", "relay", "envoy-plain")  # for uploads and streams
STREAMS = 1000
MODELS = 500
SPEAKS = {"holdfast": "http", "openai": "openai", "auto": "auto"}


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about half a minute, less certain")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        choices=[*STARTERS, *MEASUREMENTS],
        help=f"a peer ({', '.join(STARTERS)}) or a measurement ({', '.join(MEASUREMENTS)}); "
        "may be repeated",
    )
    parser.add_argument(
        "--base",
        default=os.environ.get("BASE", before.BASE),
        metavar="COMMIT",
        help="what `sections` compares with: a commit, or a folder; default: BASE in the "
        f"environment, else {before.BASE}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args(argv)


class Bench:
    """One run: what was asked for, where it runs, and what has been found so far."""

    def __init__(self, options: argparse.Namespace, yard: Yard, load: Load) -> None:
        self.quick: bool = options.quick
        self._base: str = options.base
        self.yard = yard
        self.load = load
        self.results = Results(machine(yard.cores, load))
        self._peers = [name for name in STARTERS if name in options.only] or list(STARTERS)
        self._measurements = [name for name in MEASUREMENTS if name in options.only]

    def wants(self, measurement: str) -> bool:
        return not self._measurements or measurement in self._measurements

    def calls(self) -> None:
        """All peers run at once, and are loaded in turn."""
        plan = calls.Plan(rounds=2, seconds=1, warm_up=1) if self.quick else calls.Plan(5, 2, 2)
        with ExitStack() as stack:
            yard = self.yard.beside(stack)
            peers = self._checked({name: partial(yard.start, name) for name in self._peers})
            self.results.calls = calls.measure(peers, self.load, plan, say)

    def sections(self) -> None:
        """Likewise, with a tree of before; each call has another input, so that no cache helps."""
        with ExitStack() as stack:
            yard = self.yard.beside(stack)
            load = Load(yard.folder, yard.cores.load, counted=True)
            try:
                earlier = before.tree(self._base, yard.folder / "base")
            except Missing as reason:
                self.results.missing["base"] = f"base: {reason}"
                return
            self.results.machine["base"] = self._base
            peers = self._checked(sections.starters(yard, earlier))
            plan = sections.QUICK if self.quick else sections.USUAL
            self.results.sections = calls.measure(peers, load, plan, say)

    def budgets(self) -> None:
        """The same Holdfast with and without money, loaded in turn."""
        with ExitStack() as stack:
            yard = self.yard.beside(stack)
            peers = self._checked(budgets.starters(yard))
            plan = budgets.QUICK if self.quick else budgets.USUAL
            self.results.budgets = calls.measure(peers, self.load, plan, say)

    def store(self) -> None:
        """The same Holdfast with and without a store, loaded in turn."""
        with ExitStack() as stack:
            yard = self.yard.beside(stack)
            try:
                server = RedisServer(yard.folder / "redis", "--save", "").start()
            except (ImportError, OSError, RuntimeError) as reason:
                self.results.missing["shared"] = f"shared: no server ({reason})"
                return
            stack.callback(server.stop)
            peers = self._checked(store.starters(yard, server.url))
            plan = store.QUICK if self.quick else store.USUAL
            self.results.store = calls.measure(peers, self.load, plan, say)

    def traces(self) -> None:
        """The same Holdfast without traces, with some, and with all, loaded in turn."""
        with ExitStack() as stack:
            yard = self.yard.beside(stack)
            peers = self._checked(traces.starters(yard))
            plan = traces.QUICK if self.quick else traces.USUAL
            self.results.traces = calls.measure(peers, self.load, plan, say)

    def told(self) -> None:
        """The same Holdfast with and without all that operators are told, and Envoy, in turn."""
        with ExitStack() as stack:
            yard = self.yard.beside(stack)
            load = told.Reading(yard.folder, yard.cores.load)
            peers = self._checked(told.starters(yard))
            load.watch(peers)
            plan = told.QUICK if self.quick else told.USUAL
            self.results.told = calls.measure(peers, load, plan, say)

    def dashboards(self) -> None:
        """The same Holdfast with and without pages that are open, and what these take of memory."""
        plan = dashboards.QUICK if self.quick else dashboards.USUAL
        with ExitStack() as stack:
            yard = self.yard.beside(stack)
            load = dashboards.Looking(yard.folder, yard.cores.load)
            try:
                self.results.opened = dashboards.memory(yard, self.load, plan)
                peers = dashboards.both(yard)
                load.watch(yard, peers[-1])
                self.results.dashboards = calls.measure(peers, load, plan, say)
            except (Missing, OSError, ValueError) as error:
                self.results.missing["opened"] = f"dashboards: {error}"
        try:
            self.results.smooth = smooth.measure(1.0 if self.quick else 5.0)
        except (Missing, subprocess.TimeoutExpired) as error:
            self.results.missing["smooth"] = f"a page that shows much: {error}"

    def journal(self) -> None:
        """The same Holdfast with and without its records, then what is done with many."""
        with ExitStack() as stack:
            yard = self.yard.beside(stack)
            peers = self._checked(journal.starters(yard))
            plan = journal.QUICK if self.quick else journal.USUAL
            self.results.journal = calls.measure(peers, self.load, plan, say)
            try:
                for peer in peers:
                    if peer.name == "kept":
                        self.results.waits = journal.waits(peer, yard.folder)
            except (OSError, ValueError) as error:
                self.results.missing["waits"] = f"a write's wait: {error}"
        say(f"  {journal.RECORDS:,} records")
        place = self.yard.folder / "records"
        try:
            self.results.verified = journal.verified(place, journal.RECORDS, self.yard.cores)
        except (Missing, OSError, subprocess.CalledProcessError) as error:
            self.results.missing["records"] = f"audit verify: {error}"

    def _checked(self, starters: Mapping[str, Callable[[], Peer]]) -> list[Peer]:
        """Those that answer a call as they should; why not goes into the report."""
        started = [self._one_checked(name, start) for name, start in starters.items()]
        return [peer for peer in started if peer is not None]

    def _one_checked(self, name: str, start: Callable[[], Peer]) -> Peer | None:
        try:
            peer = start()
            cold_start.check(peer.listen)
        except (Missing, ValueError) as reason:
            self.results.missing[name] = f"{name}: {reason}"
            return None
        return peer

    def upload(self) -> None:
        for name in self._large():
            with self._large_peer(name, "upload") as peer:
                if peer is not None:
                    self.results.uploads[name] = [upload.measure(peer, 100, 1 if self.quick else 3)]
                    if not self.quick:
                        self.results.uploads[name].append(upload.measure(peer, 1000, 1))

    def streams(self) -> None:
        seconds = 2.0 if self.quick else 5.0
        for name in self._large():
            with self._large_peer(name, "streams") as peer:
                if peer is not None:
                    self.results.streams[name] = streams.measure(peer, STREAMS, seconds)

    def models(self) -> None:
        """Chats of a model: as they are, and as they are heard."""
        seconds = 2.0 if self.quick else 5.0
        for name in ("direct", "holdfast", "openai", "auto"):
            with self._large_peer(name, "models") as peer:
                if peer is not None:
                    self.results.models[name] = streams.measure(peer, MODELS, seconds, streams.CHAT)

    def _large(self) -> list[str]:
        """Those that are asked for; `direct` always, as what the others are compared with."""
        return [name for name in LARGE_PEERS if name == "direct" or name in self._peers]

    @contextmanager
    def _large_peer(self, name: str, measurement: str) -> Iterator[Peer | None]:
        """A fresh peer, Holdfast with an `http` upstream; None, and the reason, where it fails."""
        with ExitStack() as stack:
            yard = self.yard.beside(stack)
            try:
                yield yard.holdfast(SPEAKS[name]) if name in SPEAKS else yard.start(name)
            except Missing as reason:
                self.results.missing.setdefault(name, f"{name}: {reason}")
                yield None
            except (OSError, ValueError) as error:
                key = f"{name}, {measurement}"
                self.results.missing[key] = f"{key}: failed ({type(error).__name__} {error})"

    def scrape(self) -> None:
        """How long the loop stands still while its metrics are read."""
        scrapes = 5 if self.quick else scrape.SCRAPES
        try:
            self.results.scrapes = [
                scrape.measure(samples, scrapes, self.yard.cores) for samples in scrape.SAMPLES
            ]
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            self.results.missing["scrape"] = f"a scrape: {error}"

    def start(self) -> None:
        if "holdfast" not in self._peers:
            return
        try:
            self.results.start = cold_start.measure(self.yard, 2 if self.quick else 7)
        except (Missing, ValueError) as reason:
            self.results.missing.setdefault("holdfast", f"holdfast: {reason}")

    def run(self) -> Results:
        """What is wanted, one after the other."""
        for measurement in MEASUREMENTS:
            if self.wants(measurement):
                say(f"{measurement} ...")
                self._measure(measurement)()
        return self.results

    def _measure(self, measurement: str) -> Callable[[], None]:
        steps = (
            *(self.calls, self.sections, self.journal, self.budgets, self.store, self.traces),
            *(self.told, self.dashboards, self.upload, self.streams, self.models),
            *(self.scrape, self.start),
        )
        return dict(zip(MEASUREMENTS, steps, strict=True))[measurement]


def machine(cores: Cores, load: Load) -> dict[str, str]:
    """What a reader must know of the machine and of the tools."""
    pinning = f"peer on core {cores.peer}, load and upstream on core {cores.load}"
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "pinning": pinning if cores.peer is not None else "NOT PINNED: needs Linux and two cores",
        "load": load.name,
    }


def say(line: str) -> None:
    """Progress goes to stderr, the report to stdout."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def as_json(results: Results) -> str:
    """All figures and targets; numbers of connections become strings."""
    reached = [{**asdict(target), "verdict": target.verdict} for target in targets(results)]
    return json.dumps({**asdict(results), "targets": reached}, indent=1)


def main() -> None:
    options = arguments()
    raise_file_limit()
    cores = Cores.choose()
    if cores.load is not None:
        os.sched_setaffinity(0, {cores.load})
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder, ExitStack() as stack:
        place = Path(folder)
        yard = Yard(place, cores, stack)
        results = Bench(options, yard, Load(place, cores.load)).run()
    sys.stdout.write("\n".join(report(results)) + "\n")
    if options.json:
        options.json.write_text(as_json(results))


if __name__ == "__main__":
    main()
